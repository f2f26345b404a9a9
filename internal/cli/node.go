package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/protection"
	"github.com/stereospot/stereospot/internal/telemetry"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/worker"
)

// node is one process at work on a site, whatever its roles.
type node struct {
	*site
	pace     config.Pace
	log      *slog.Logger
	scratch  *scratch
	disk     *worker.Disk
	backend  backend
	pipeline *pipeline.Pipeline
	metrics  *prometheus.Registry // of this process
	traces   *telemetry.Traces
	counted  deliveries
	task     *protection.Task // nil outside of ECS
	told     *cloudMetrics    // nil where nobody reads them
	models   *apart
}

// openNode opens the site and makes the pipeline that works on it.
func openNode(ctx context.Context, c roles, log *slog.Logger) (n *node, err error) {
	if !c.toolless {
		if err := media.CheckTools(ctx); err != nil {
			return nil, err
		}
	}
	n = &node{pace: c.pace, log: log, task: taskOf(c.aws.Platform, log), told: c.told}
	if n.models, err = openApart(context.WithoutCancel(ctx), c.models, keptIdle, log); err != nil { // what is under way may outlive ctx
		return nil, err
	}
	if n.site, err = openSite(ctx, c, log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.leave())
		}
	}()
	if n.scratch, err = openScratch(n.site.scratchDir); err != nil {
		return nil, fmt.Errorf("can't write to %s: %w (choose another with %s)", n.site.scratchDir, err, n.site.scratchFlag)
	}
	n.disk = worker.NewDisk(n.scratch.dir, int64(c.data.MinFree), 5*time.Second, log)
	if n.backend, err = openBackend(ctx, c, n.site.platform, n.scratch.dir, n.models, log); err != nil {
		return nil, err
	}
	n.pipeline = &pipeline.Pipeline{
		Platform:  n.site.platform,
		Converter: n.backend,
		Scratch:   n.scratch.dir,
		Owner:     owner(n.scratch),
		Log:       log,
		Now:       time.Now,
		LeaseTime: c.pace.Lease,
		Pulse:     c.pace.Pulse,
	}
	return n, n.instrument(ctx)
}

// leave closes what the node has opened.
func (n *node) leave() error {
	var errs []error
	if n.backend.close != nil {
		errs = append(errs, n.backend.close())
	}
	if n.scratch != nil {
		errs = append(errs, n.scratch.close())
	}
	return errors.Join(append(errs, n.site.close(), n.models.Close())...)
}

// instrument has the work counted, and traced where the environment says.
func (n *node) instrument(ctx context.Context) (err error) {
	if n.traces, err = telemetry.Start(ctx, version()); err != nil {
		return err
	}
	n.metrics = web.NewMetrics()
	n.models.count(n.metrics)
	n.counted = newDeliveries(n.metrics)
	observe := web.ObserveSegments(n.metrics)
	n.pipeline.Observe = func(e pipeline.Event) { observe(e); n.told.observe(e) }
	n.pipeline.Traces = n.traces
	return nil
}

// owner names this process in leases; its scratch directory's name is its own.
func owner(s *scratch) string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), filepath.Base(s.dir))
}

// close sends the last traces, for five seconds at most though ctx has ended, and leaves the site.
func (n *node) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := n.traces.Close(ctx); err != nil {
		n.log.Warn("the last traces weren't sent", "error", err)
	}
	return n.leave()
}

// worker returns the worker of one queue.
func (n *node) worker(q platform.QueueName, concurrency int) *worker.Worker {
	visibility := cmp.Or(n.pace.Visibility, q.Visibility())
	return worker.New(worker.Config{
		Name: q, Queue: n.pipeline.Queues[q], Handler: n.told.handler(handlerOf(n.pipeline, q, n.task)), Concurrency: concurrency,
		Visibility: visibility, Poll: 20 * time.Second, Gather: n.pace.Gather, Backoff: worker.Backoff{First: n.pace.Retry, Limit: 5 * time.Minute},
		Drain: n.pace.Drain, Gate: n.disk, Metrics: n.heard(), Log: n.log,
	})
}

// heard is told of every delivery.
func (n *node) heard() worker.Metrics {
	if n.told == nil {
		return n.counted
	}
	return both{n.counted, n.told}
}

// newLogger writes the log as the configuration says.
func newLogger(c config.Log, to io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level()}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}

// scratch is this process's directory for files under way.
type scratch struct {
	dir  string
	lock *os.File
}

// openScratch makes a directory below parent and removes those of processes that have died. A living process's
// directory is locked; the parent's lock covers the moment between making one and locking it.
func openScratch(parent string) (s *scratch, err error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	all, err := lockDir(parent, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, all.Close()) }()
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := sweepScratch(filepath.Join(parent, e.Name())); err != nil {
			return nil, err
		}
	}
	s = &scratch{}
	if s.dir, err = os.MkdirTemp(parent, "process-"); err != nil {
		return nil, err
	}
	s.lock, err = lockDir(s.dir, syscall.LOCK_EX|syscall.LOCK_NB)
	return s, err
}

// sweepScratch removes the directory unless its process lives.
func sweepScratch(dir string) error {
	lock, err := lockDir(dir, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(dir), lock.Close())
}

// lockDir locks a directory until the file is closed or the process ends, however it ends.
func lockDir(dir string, how int) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *scratch) close() error { return errors.Join(os.RemoveAll(s.dir), s.lock.Close()) }
