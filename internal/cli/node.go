package cli

import (
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
	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
	"github.com/stereospot/stereospot/internal/telemetry"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/worker"
)

// node is one process at work on a data directory, whatever its roles.
type node struct {
	dir      string
	pace     config.Pace
	log      *slog.Logger
	store    *local.Store
	scratch  *scratch
	disk     *worker.Disk
	pipeline *pipeline.Pipeline
	metrics  *prometheus.Registry // of this process
	traces   *telemetry.Traces
	counted  deliveries
}

// openNode opens the data directory and makes the pipeline that works on it.
func openNode(ctx context.Context, data config.Data, pace config.Pace, log *slog.Logger) (n *node, err error) {
	if err := media.CheckTools(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("can't make the data directory: %w (choose another with --data-dir)", err)
	}
	n = &node{dir: data.DataDir, pace: pace, log: log}
	if n.scratch, err = openScratch(filepath.Join(n.dir, "scratch")); err != nil {
		return nil, fmt.Errorf("can't write to the data directory: %w (choose another with --data-dir)", err)
	}
	n.store, err = local.Open(ctx, n.dir, local.Options{Notifications: platform.Notifications(), Visibility: pace.Visibility})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("data directory %s: %w", n.dir, err), n.scratch.close())
	}
	n.disk = worker.NewDisk(n.dir, int64(data.MinFree), 5*time.Second, log)
	p := n.store.Platform()
	n.pipeline = &pipeline.Pipeline{
		Platform:  p,
		Converter: &inference.Local{Input: p.Input, Output: p.Output, Scratch: n.scratch.dir},
		Scratch:   n.scratch.dir,
		Owner:     owner(n.scratch),
		Log:       log,
		Now:       time.Now,
		LeaseTime: pace.Lease,
		Pulse:     pace.Pulse,
	}
	if err := n.instrument(ctx); err != nil {
		return nil, errors.Join(err, n.store.Close(), n.scratch.close())
	}
	return n, nil
}

// instrument has the work counted, and traced where the environment says.
func (n *node) instrument(ctx context.Context) (err error) {
	if n.traces, err = telemetry.Start(ctx, version()); err != nil {
		return err
	}
	n.metrics = web.NewMetrics()
	n.counted = newDeliveries(n.metrics)
	n.pipeline.Observe, n.pipeline.Traces = web.ObserveSegments(n.metrics), n.traces
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

// close sends the last traces, for five seconds at most though ctx has ended, and leaves the data directory.
func (n *node) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := n.traces.Close(ctx); err != nil {
		n.log.Warn("the last traces weren't sent", "error", err)
	}
	return errors.Join(n.store.Close(), n.scratch.close())
}

// worker returns the worker of one queue.
func (n *node) worker(q platform.QueueName, concurrency int) *worker.Worker {
	return worker.New(worker.Config{
		Name: q, Queue: n.pipeline.Queues[q], Handler: worker.Steps(n.pipeline, q), Concurrency: concurrency,
		Visibility: n.pace.Visibility, Poll: 20 * time.Second, Backoff: worker.Backoff{First: n.pace.Retry, Limit: 5 * time.Minute},
		Drain: n.pace.Drain, Gate: n.disk, Metrics: n.counted, Log: n.log,
	})
}

// newLogger writes the log as the configuration says.
func newLogger(c config.Log, to io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level()}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}

// scratch is this process's directory for files under way, on the data directory's disk.
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
