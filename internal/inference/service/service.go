// Package service answers invocations over HTTP, by the container contract of SageMaker: GET /ping and POST
// /invocations. It converts a few segments at a time, refuses what it has no place for, and publishes results whole.
package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/routes"
)

// Store is a bucket as conversions use it.
type Store interface {
	inference.Reader
	inference.Writer
}

// Models are the neural models that a service has.
type Models interface {
	clip.Models
	// Resolve gives a choice its content: "auto" becomes the best that is here. A *LaterError where that can't be said
	// yet; any other error says what is here.
	Resolve(d job.DepthOptions) (job.DepthOptions, error)
}

// LaterError says that models are still on their way here.
type LaterError struct{ Reason string }

func (e *LaterError) Error() string { return e.Reason }

// Config is what a service works with. Jobs, Scratch, Log and Metrics are required.
type Config struct {
	Jobs    int           // conversions at a time
	Wait    time.Duration // how long an invocation may wait for its place before it is refused
	Workers int           // goroutines per frame; 0 means one per core
	Scratch string        // directory for files under way
	// Bucket opens the bucket of an s3:// address; nil refuses such addresses.
	Bucket func(name string) Store
	// Folders are the directories that file:// addresses may lie in, and nothing outside of them.
	Folders []string
	// Models settles and opens neural models; nil where there is only classic.
	Models Models
	// GPU decodes what it can; nil leaves that to software.
	GPU *media.GPU
	// Ready says why no job could be taken though there are places; nil where nothing has to start.
	Ready func() error
	// Depth is the model that is kept warm, empty where none is; nil where there is only classic.
	Depth   func() string
	Version string // of the program
	Log     *slog.Logger
	Metrics *prometheus.Registry
}

// Server is the service. Close it after use.
type Server struct {
	Config
	folders []*folder
	places  chan struct{} // holds a token per conversion under way
	counted counts
	routes  *http.ServeMux

	fatal fatal

	hard context.Context // ends when conversions must stop
	stop context.CancelCauseFunc

	mu       sync.Mutex
	draining chan struct{} // closed when no more is taken; guarded by mu where it is closed
	work     sync.WaitGroup
}

// errStopping says that the service ends before the conversion did.
var errStopping = errors.New("the service is stopping: try again, here or elsewhere")

// New returns a service. Conversions are cut off when ctx ends.
func New(ctx context.Context, c Config) (*Server, error) {
	s := &Server{Config: c, places: make(chan struct{}, c.Jobs), draining: make(chan struct{})}
	for _, dir := range c.Folders {
		f, err := openFolder(dir)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.folders = append(s.folders, f)
	}
	s.hard, s.stop = context.WithCancelCause(ctx)
	s.counted = newCounts(c.Metrics, s)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", s.ping)
	mux.HandleFunc("POST /invocations", s.invocations)
	mux.HandleFunc("GET /version", s.version)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn)}))
	s.routes = mux
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !routes.Taken(s.routes, r) {
		s.stray(w, r)
		return
	}
	s.routes.ServeHTTP(w, r)
}

// Drain takes no more work and returns when none is under way. What hasn't ended within patience is cut off.
func (s *Server) Drain(patience time.Duration) {
	s.refuse()
	cut := time.AfterFunc(patience, func() { s.stop(errStopping) })
	defer cut.Stop()
	s.work.Wait()
}

// refuse takes no more work.
func (s *Server) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isDraining() {
		close(s.draining)
	}
}

func (s *Server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// Close frees what the service holds, once nothing is under way.
func (s *Server) Close() error {
	if s.stop != nil {
		s.stop(errStopping)
	}
	var errs []error
	for _, f := range s.folders {
		errs = append(errs, f.root.Close())
	}
	return errors.Join(errs...)
}

// errFull says that every place is taken.
var errFull = errors.New("every place is taken: try again in a moment")

// enter waits for a place, for Wait at most. leave must be called after nil.
func (s *Server) enter(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	err := s.takePlace(ctx)
	if err != nil {
		s.work.Done()
	}
	return err
}

// begin counts an invocation as under way, so that Drain waits for it.
func (s *Server) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDraining() {
		return errStopping
	}
	s.work.Add(1)
	return nil
}

func (s *Server) takePlace(ctx context.Context) error {
	timer := time.NewTimer(s.Wait)
	defer timer.Stop()
	select {
	case s.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.places <- struct{}{}:
		return nil
	case <-s.draining:
		return errStopping
	case <-timer.C:
		return errFull
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Server) leave() {
	<-s.places
	s.work.Done()
}
