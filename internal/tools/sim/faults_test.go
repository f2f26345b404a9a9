package sim

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/tools/blank"
)

// faulty runs a small fleet to which something happens, within limit, and wants every film completed.
func faulty(t *testing.T, limit time.Duration, happen func(*fleet)) Report {
	t.Helper()
	scratch := t.TempDir()
	var report Report
	synctest.Test(t, func(t *testing.T) {
		r := newFleet(Fleet{VideoWorkers: 2, MediaWorkers: 2, Films: 2, Segments: 6, Conversion: 10 * time.Second, Spread: 0.2, Scratch: scratch})
		happen(r)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		var err error
		if report, err = r.simulate(ctx); err != nil {
			t.Fatal(err)
		}
		counts, err := r.Jobs.Count(t.Context(), "")
		if err != nil || counts[job.Completed] != r.Films {
			t.Errorf("after %v: %v, %v; want all completed", report.Makespan, counts, err)
		}
	})
	return report
}

// lateFilms are split for long after their last segment is there.
type lateFilms struct{ blank.Films }

// Split implements pipeline.Films.
func (f lateFilms) Split(ctx context.Context, source string, plan *media.Plan, sink func(media.Segment, string) error, dir string) error {
	if err := f.Films.Split(ctx, source, plan, sink, dir); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

func TestFilmWhoseSegmentsAllCompleteBeforeChunkingDoesIsFinished(t *testing.T) {
	report := faulty(t, 6*time.Hour, func(r *fleet) { r.films = lateFilms{blank.Films{}} })
	if report.Makespan < time.Hour || report.Makespan > time.Hour+5*time.Minute {
		t.Errorf("took %v: the films were split for an hour, and everything else was done by then", report.Makespan)
	}
	if report.Converted != 12 {
		t.Errorf("%d conversions of 12 segments", report.Converted)
	}
}

// mortal is a process that dies with its first lease of a reassembly: from then on nothing it asks for is answered, and
// nothing of it is handed back or released.
type mortal struct {
	platform.Leases
	dead *atomic.Bool
}

// Acquire implements platform.Leases.
func (m mortal) Acquire(ctx context.Context, name, owner string, ttl time.Duration) error {
	err := m.Leases.Acquire(ctx, name, owner, ttl)
	if err == nil && strings.HasPrefix(name, "reassembly/") {
		m.dead.Store(true)
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// Release implements platform.Leases.
func (m mortal) Release(ctx context.Context, name, owner string) error {
	if m.dead.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return m.Leases.Release(ctx, name, owner)
}

// lost is a queue as a process sees it until it is dead.
type lost struct {
	platform.Queue
	dead *atomic.Bool
}

// Extend implements platform.Queue.
func (q lost) Extend(ctx context.Context, handle string, d time.Duration) error {
	if q.dead.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return q.Queue.Extend(ctx, handle, d)
}

// Receive implements platform.Queue.
func (q lost) Receive(ctx context.Context, limit int, wait time.Duration) ([]platform.Message, error) {
	if q.dead.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return q.Queue.Receive(ctx, limit, wait)
}

func TestFilmWhoseJoinerDiesRightAfterItsLeaseIsFinished(t *testing.T) {
	var dead atomic.Bool
	report := faulty(t, 6*time.Hour, func(r *fleet) {
		r.process = func(name string, p platform.Platform) platform.Platform {
			if name != "media-0" {
				return p
			}
			p.Leases = mortal{p.Leases, &dead}
			queues := map[platform.QueueName]platform.Queue{}
			for name, q := range p.Queues {
				queues[name] = lost{q, &dead}
			}
			p.Queues = queues
			return p
		}
	})
	if !dead.Load() {
		t.Fatal("the process never took the lease: nothing was tried")
	}
	if report.Makespan > 2*platform.ReassemblyQueue.Visibility() {
		t.Errorf("took %v: the message comes again after %v", report.Makespan, platform.ReassemblyQueue.Visibility())
	}
}
