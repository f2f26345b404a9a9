package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pause"
	"github.com/stereospot/stereospot/internal/platform"
)

// stage is where the segments of a run stand.
type stage struct {
	mu              sync.Mutex
	making, closing int // segments that wait for frames, and for their encoder alone
	most            [2]int
	changed         chan struct{} // closed at every change
}

func (s *stage) move(making, closing int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making += making
	s.closing += closing
	s.most = [2]int{max(s.most[0], s.making), max(s.most[1], s.making+s.closing)}
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until so many segments have been in making, and under way, at a time.
func (s *stage) await(ctx context.Context, making, all int) error {
	for {
		s.mu.Lock()
		met, changed := s.most[0] >= making && s.most[1] >= all, s.changed
		s.mu.Unlock()
		if met {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d segments are never in making at once, or %d under way: %w", making, all, context.Cause(ctx))
		}
	}
}

func TestNextSegmentBeginsWhileOneIsOnlyEncoded(t *testing.T) {
	for _, parallel := range []int{1, 2} {
		b := newBench(t)
		s := &stage{changed: make(chan struct{})}
		real := b.Pipeline.Converter
		b.Pipeline.Converter = converterFunc(func(ctx context.Context, r inference.Request, progress func(int)) (inference.Result, error) {
			ctx, stop := context.WithTimeout(ctx, time.Minute)
			defer stop()
			s.move(1, 0)
			res, err := real.Convert(ctx, r, func(int) {})
			if err == nil {
				err = s.await(ctx, parallel, 0)
			}
			if err != nil {
				return res, err
			}
			progress(r.Window.Frames - 1) // still one to come
			s.move(-1, 1)
			progress(r.Window.Frames)
			defer s.move(0, -1)
			if r.Index >= testSegments-parallel {
				return res, nil // none is left to take its place
			}
			return res, s.await(ctx, parallel, parallel+1)
		})
		b.must(t, b.Run(t.Context(), b.job, parallel))
		b.checkFinal(t)
		if want := [2]int{parallel, parallel + 1}; s.most != want {
			t.Errorf("%d at a time: at most %d were made at once and %d under way, want %v", parallel, s.most[0], s.most[1], want)
		}
	}
}

func TestSegmentsThatLoseTheirInputToANewPlanDontEndTheRun(t *testing.T) {
	b := newBench(t)
	real := b.Pipeline.Converter
	begun := make(chan struct{})
	b.Pipeline.Converter = converterFunc(func(ctx context.Context, r inference.Request, progress func(int)) (inference.Result, error) {
		if b.row(t).Lossless {
			return real.Convert(ctx, r, progress)
		}
		if r.Index == 0 {
			<-begun // segment 1 is under way
			return inference.Result{}, fmt.Errorf("segment 0: %w", media.ErrFrameCount)
		}
		close(begun)
		for { // its input goes before segment 0 has said that it had the job planned anew
			if _, err := b.Input.Head(ctx, r.Input); err != nil {
				return inference.Result{}, err
			}
			if err := pause.For(ctx, time.Millisecond); err != nil {
				return inference.Result{}, err
			}
		}
	})
	b.must(t, b.Run(t.Context(), b.job, 2))
	b.checkFinal(t)
	if !b.row(t).Lossless {
		t.Error("the job wasn't planned anew")
	}
}

// heldFilms is FFmpeg that waits before it measures a film or joins its segments.
type heldFilms struct {
	ffmpeg
	reached, goOn chan struct{}
}

func (h heldFilms) hold(ctx context.Context) error {
	select {
	case h.reached <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("two are at it at once: %w", context.Cause(ctx))
	}
	<-h.goOn
	return nil
}

func (h heldFilms) Measure(ctx context.Context, source string, o job.Options, lossless bool) (*media.Plan, job.EncodeOptions, error) {
	if err := h.hold(ctx); err != nil {
		return nil, job.EncodeOptions{}, err
	}
	return h.ffmpeg.Measure(ctx, source, o, lossless)
}

func (h heldFilms) Assemble(ctx context.Context, r media.AssembleRequest) error {
	if err := h.hold(ctx); err != nil {
		return err
	}
	return h.ffmpeg.Assemble(ctx, r)
}

func TestOneProcessTakesAStepOfAJobOnceAtATime(t *testing.T) {
	b := newBench(t)
	b.Pulse = time.Minute
	films := heldFilms{reached: make(chan struct{}), goOn: make(chan struct{})}
	b.Films = films
	b.must(t, b.Start(t.Context(), b.job))
	source := job.EncodeObjectCreated(job.ObjectCreated{Bucket: "input", Key: job.SourceKey(b.job), Time: b.now})
	for _, step := range []struct {
		queue   platform.QueueName
		message []byte
		after   func()
	}{
		{platform.ChunkingQueue, source, func() { b.convertAll(t) }},
		{platform.ReassemblyQueue, job.ReassemblyMessage{JobID: b.job}.Encode(), func() { b.checkFinal(t) }},
	} {
		first := make(chan error)
		go func() { first <- b.Handle(t.Context(), step.queue, step.message) }()
		<-films.reached
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		err := b.Handle(ctx, step.queue, step.message)
		stop()
		if wait := new(WaitError); !errors.As(err, &wait) || wait.Delay <= 0 || !errors.Is(err, platform.ErrLeaseHeld) {
			t.Errorf("%s, a second message while the first is at it: %v", step.queue, err)
		}
		films.goOn <- struct{}{}
		b.must(t, <-first)
		b.must(t, b.Handle(t.Context(), step.queue, step.message)) // and now there is nothing left for it
		step.after()
	}
}

// awayLeases grants leases and can't be asked about them afterwards; every attempt takes a third of a lease's time.
type awayLeases struct {
	platform.Leases
	b *bench
}

func (l awayLeases) Renew(context.Context, string, string, time.Duration) error {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.b.now = l.b.now.Add(l.b.leaseTime() / 3)
	return errors.New("the store is away")
}

func TestWorkEndsWithALeaseThatCannotBeRenewed(t *testing.T) {
	b := newBench(t)
	b.LeaseTime, b.Leases = 30*time.Millisecond, awayLeases{b.Leases, b}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	err := b.withLease(ctx, "work", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, platform.ErrLeaseLost) {
		t.Errorf("another may have the lease by now: %v", err)
	}
}
