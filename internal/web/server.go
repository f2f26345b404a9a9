// Package web is what people and programs see of StereoSpot over HTTP: the pages, the JSON API that the pages use
// too, event streams, object links, health and metrics.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web/auth"
	"github.com/stereospot/stereospot/internal/web/hub"
	"github.com/stereospot/stereospot/internal/webhook"
)

// Actions are what a person asks of a job. *pipeline.Pipeline is one. A refusal is a *pipeline.RefusedError, an unknown
// job platform.ErrNotFound.
type Actions interface {
	Start(ctx context.Context, id string) error
	Cancel(ctx context.Context, id string) error
	Retry(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
}

// Config is what a Server works with.
type Config struct {
	Platform platform.Platform
	Actions  Actions
	// Objects serves signed links below /objects/; nil where links lead elsewhere, namely to ObjectOrigins, such as
	// https://films.s3.eu-central-1.amazonaws.com.
	Objects       http.Handler
	ObjectOrigins []string
	// LinksLast returns how long links that are signed now can be good at most; nil: as long as one likes.
	LinksLast func(context.Context) time.Duration
	Auth      auth.Options
	Log       *slog.Logger
	Version   string
	Now       func() time.Time // nil is time.Now
	Limits    Limits
	// PublicURL is the address that people outside use, such as https://films.example; empty: as each request says.
	PublicURL string
	// FreeBytes returns the room left for uploads; nil where it has no bound.
	FreeBytes func() (int64, error)
	// PollEvery is the time between looks at the jobs while somebody watches them; 0 is one second.
	PollEvery time.Duration
	// NoticesEvery is the time between looks for webhooks to send; 0 is two seconds.
	NoticesEvery time.Duration
	// ReadyEvery is how long /readyz answers with what it found out last, however often it is asked.
	ReadyEvery time.Duration
	// JobLinks leads operators to what is known elsewhere of a job within its span of time; nil: there is nothing.
	JobLinks func(id string, from, to time.Time) []Link
	// Probes are what /readyz checks beside the store and the disk.
	Probes []Probe
	// Metrics is what /metrics shows; nil makes one.
	Metrics *prometheus.Registry
	// Traces makes a span of each request; nil makes none.
	Traces trace.TracerProvider
	// PrivateWebhooks lets webhooks reach this machine and its network.
	PrivateWebhooks bool
	// Depth is where the depth of films may come from; nil: from classic alone.
	Depth DepthSources
	// Models opens what Depth settles on, for previews; nil: the models are elsewhere, and previews are classic's.
	Models clip.Models
	// Scratch is a directory for the files of previews.
	Scratch string
}

// Limits bound what one person can make the server hold.
type Limits struct {
	UploadBytes int64 // of one film
	SourceBytes int64 // of films that were fetched for previews, from a store that isn't on this disk
	WaitingJobs int   // of one owner, made but not yet running; at most 1000
	TitleBytes  int
	BodyBytes   int64 // of a request that isn't an upload
	HeaderBytes int   // for http.Server.MaxHeaderBytes
	Viewers     int   // of event streams at a time
}

// DefaultLimits suit one machine.
func DefaultLimits() Limits {
	return Limits{UploadBytes: 2 << 40, SourceBytes: 8 << 30, WaitingJobs: 500, TitleBytes: 300, BodyBytes: 1 << 20, HeaderBytes: 16 << 10, Viewers: 5000}
}

// Server answers HTTP requests.
type Server struct {
	Config
	api      huma.API
	views    *views
	handler  http.Handler
	hub      *hub.Hub
	recent   *recentRate
	plans    *planSizes
	previews *previews
	guard    *auth.Guard
	metrics  *metrics
	webhooks *webhook.Sender
}

// New returns a Server. Only Platform, Actions and Log are required.
func New(ctx context.Context, c Config) (*Server, error) {
	if c.Actions == nil || c.Platform.Jobs == nil || c.Log == nil {
		return nil, errors.New("web: Platform, Actions and Log are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Scratch == "" {
		c.Scratch = os.TempDir()
	}
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	s := &Server{Config: c, recent: &recentRate{jobs: c.Platform.Jobs}, plans: newPlanSizes(c.Platform.Input)}
	s.hub = s.newHub()
	var err error
	if s.previews, err = newPreviews(newSources(c.Platform.Input, c.Scratch, c.Limits.SourceBytes), c.Models); err != nil {
		return nil, err
	}
	if s.views, err = newViews(c.Now); err != nil {
		return nil, err
	}
	if s.guard, err = auth.NewGuard(ctx, c.Auth, c.Platform, c.Now, c.Log, s.loginPage); err != nil {
		return nil, err
	}
	if s.webhooks, err = webhook.New(ctx, c.Platform.Outbox, c.Platform.Secrets, webhook.Options{
		AllowPrivate: c.PrivateWebhooks, Log: c.Log, Now: c.Now, LookEvery: c.NoticesEvery,
	}); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(s)
	s.handler, err = s.gate(s.routes())
	return s, err
}

// routes returns everything that answers, behind the gate.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.api = s.newAPI(mux)
	s.jobRoutes()
	s.uploadRoutes()
	s.eventRoutes()
	s.previewRoutes()
	s.resultRoutes()
	s.adminRoutes()
	if s.Objects != nil {
		mux.Handle("GET "+objectsPath, s.Objects) // HEAD too
		mux.Handle("PUT "+objectsPath, s.Objects)
	}
	s.guard.Routes(mux)
	s.healthRoutes(mux)
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.Handle("GET /docs", s.page(s.docs))
	mux.HandleFunc("GET /login", s.login)
	s.pages(mux)
	return s.traced(s.record(strays(mux)))
}

// Run does what isn't asked for by a request, until ctx ends: it feeds the event streams and delivers webhooks.
// Streams end with it, so that http.Server.Shutdown needn't wait for their viewers.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.hub.Run(ctx) })
	g.Go(func() error { return s.webhooks.Run(ctx) })
	return g.Wait()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }
