package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
	"github.com/stereospot/stereospot/internal/platform/memory"
)

// sent counts the requests that the SDK sends.
type sent struct {
	mu       sync.Mutex
	requests map[Request]int
}

// watch has the requests of a configuration counted, each attempt of them.
func (s *sent) watch(cfg *aws.Config) {
	count := middleware.FinalizeMiddlewareFunc("CountForTest", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		s.mu.Lock()
		s.requests[Request{awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)}]++
		s.mu.Unlock()
		return next.HandleFinalize(ctx, in)
	})
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error { return stack.Finalize.Add(count, middleware.After) })
}

func (s *sent) take() map[Request]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = map[Request]int{}
	return all
}

// take is what a meter has counted since the last one.
func (m *meter) take() map[Request]int {
	m.mu.Lock()
	all := maps.Clone(m.requests)
	m.mu.Unlock()
	m.reset()
	maps.DeleteFunc(all, func(_ Request, n int) bool { return n == 0 })
	return all
}

// calls goes through what a fleet calls, on a platform of one job. Each step is a name and what it does.
func calls(p platform.Platform) []step {
	now := time.Now()
	j := job.Job{ID: job.NewID(now), Title: "film", Status: job.ChunkingComplete, CreatedAt: now, UpdatedAt: now, StartedAt: now, TotalSegments: 40}
	q := p.Queues[platform.VideoWorkerQueue]
	bodies := make([][]byte, 12)
	for i := range bodies {
		bodies[i] = fmt.Append(nil, "message ", i)
	}
	var held []platform.Message
	report := func(i int) platform.SegmentProgress {
		return platform.SegmentProgress{Index: i, Started: now, Updated: now}
	}
	return []step{
		{"Jobs.Create", func(ctx context.Context) error { return p.Jobs.Create(ctx, j) }},
		{"Jobs.Get", func(ctx context.Context) error { _, err := p.Jobs.Get(ctx, j.ID); return err }},
		{"Jobs.Update", func(ctx context.Context) error {
			_, err := p.Jobs.Update(ctx, j.ID, func(j *job.Job) error { j.TotalFrames = 9; return nil })
			return err
		}},
		{"Jobs.List", func(ctx context.Context) error {
			_, _, err := p.Jobs.List(ctx, platform.JobQuery{Statuses: []job.Status{job.Created, job.ChunkingComplete, job.Deleting}, Limit: 200})
			return err
		}},
		{"Progress.Begin", func(ctx context.Context) error {
			_, err := p.Progress.Begin(ctx, j.ID, report(0), time.Minute)
			return err
		}},
		{"Progress.Report", func(ctx context.Context) error { return p.Progress.Report(ctx, j.ID, report(0)) }},
		{"Progress.Of", func(ctx context.Context) error { _, err := p.Progress.Of(ctx, j.ID); return err }},
		{"Progress.Clear of some", func(ctx context.Context) error { return p.Progress.Clear(ctx, j.ID, 0, 1) }},
		{"Completions.Record of 30 at once", func(ctx context.Context) error {
			return together(ctx, 30, func(ctx context.Context, i int) error {
				_, err := p.Completions.Record(ctx, platform.Completion{JobID: j.ID, Index: i, Key: job.OutputKey(j.ID, i), Completed: now})
				return err
			})
		}},
		{"Completions.All", func(ctx context.Context) error { _, err := p.Completions.All(ctx, j.ID); return err }},
		{"Completions.Forget", func(ctx context.Context) error { return p.Completions.Forget(ctx, j.ID) }},
		{"Progress.Clear", func(ctx context.Context) error { return p.Progress.Clear(ctx, j.ID) }},
		{"Leases.Acquire", func(ctx context.Context) error { return p.Leases.Acquire(ctx, "l", "me", time.Minute) }},
		{"Leases.Renew", func(ctx context.Context) error { return p.Leases.Renew(ctx, "l", "me", time.Minute) }},
		{"Leases.Release", func(ctx context.Context) error { return p.Leases.Release(ctx, "l", "me") }},
		{"Objects.Put", func(ctx context.Context) error {
			_, err := p.Input.Put(ctx, "segments/x", strings.NewReader("x"), platform.PutOptions{})
			return err
		}},
		{"Objects.Head", func(ctx context.Context) error { _, err := p.Input.Head(ctx, "segments/x"); return err }},
		{"Objects.Head of nothing", func(ctx context.Context) error {
			if _, err := p.Input.Head(ctx, "segments/y"); !errors.Is(err, platform.ErrNotFound) {
				return fmt.Errorf("want ErrNotFound: %w", err)
			}
			return nil
		}},
		{"Objects.Get", func(ctx context.Context) error {
			r, _, err := p.Input.Get(ctx, "segments/x", 0, -1)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r)
			return errors.Join(err, r.Close())
		}},
		{"Objects.List", func(ctx context.Context) error { _, _, err := p.Input.List(ctx, "segments/", "", 10); return err }},
		{"Objects.Delete", func(ctx context.Context) error { return p.Input.Delete(ctx, "segments/x", "segments/y") }},
		{"Queue.Send of 12", func(ctx context.Context) error { return q.Send(ctx, 0, bodies...) }},
		{"Queue.Receive", func(ctx context.Context) (err error) {
			if held, err = q.Receive(ctx, 10, time.Second); err == nil && len(held) < 4 {
				err = fmt.Errorf("%d messages", len(held))
			}
			return err
		}},
		{"Queue.Extend", func(ctx context.Context) error { return q.Extend(ctx, held[0].Handle, time.Minute) }},
		{"Queue.Delete of 4 at once", func(ctx context.Context) error {
			return together(ctx, 4, func(ctx context.Context, i int) error { return q.Delete(ctx, held[i].Handle) })
		}},
		{"Queue.Depth", func(ctx context.Context) error { _, err := q.Depth(ctx); return err }},
		{"Jobs.Delete", func(ctx context.Context) error { return p.Jobs.Delete(ctx, j.ID) }},
	}
}

type step struct {
	name string
	do   func(context.Context) error
}

func together(ctx context.Context, n int, do func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

// TestCallsAreCountedAsTheRequestsThatTheAdaptersSend makes every call of a fleet on the metered platform in memory and on
// the adapters, and wants the same requests.
func TestCallsAreCountedAsTheRequestsThatTheAdaptersSend(t *testing.T) {
	cfg := awstest.Endpoints(t)
	resources, err := awstest.Provision(t.Context(), cfg, fmt.Sprint("table-", time.Now().UnixMilli()), 0)
	if err != nil {
		t.Fatal(err)
	}
	real := &sent{requests: map[Request]int{}}
	real.watch(&cfg)
	there := calls(platformaws.Connect(cfg, resources))
	m := newMeter()
	here := calls(m.gathered(m.platform(memory.New(memory.Options{Saw: m.saw}))))
	for i, call := range here {
		if err := errors.Join(call.do(t.Context()), there[i].do(t.Context())); err != nil {
			t.Fatalf("%s: %v", call.name, err)
		}
		if counted, made := m.take(), real.take(); len(made) == 0 || !maps.Equal(counted, made) {
			t.Errorf("%s is counted as %v; the adapters send %v", call.name, counted, made)
		}
	}
}
