package pipeline

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
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

// await waits until so many segments are under way.
func (s *stage) await(ctx context.Context, all int) error {
	for {
		s.mu.Lock()
		met, changed := s.making+s.closing == all, s.changed
		s.mu.Unlock()
		if met {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d segments are never under way at once: %w", all, context.Cause(ctx))
		}
	}
}

func TestNextSegmentBeginsWhileOneIsOnlyEncoded(t *testing.T) {
	for _, parallel := range []int{1, 2} {
		b := newBench(t)
		s := &stage{changed: make(chan struct{})}
		real := b.Pipeline.Converter
		b.Pipeline.Converter = converterFunc(func(ctx context.Context, r inference.Request, progress func(int)) (inference.Result, error) {
			s.move(1, 0)
			res, err := real.Convert(ctx, r, func(int) {})
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
			ctx, stop := context.WithTimeout(ctx, 20*time.Second)
			defer stop()
			return res, s.await(ctx, parallel+1)
		})
		b.must(t, b.Run(t.Context(), b.job, parallel))
		b.checkFinal(t)
		if want := [2]int{parallel, parallel + 1}; s.most != want {
			t.Errorf("%d at a time: at most %d were made at once and %d under way, want %v", parallel, s.most[0], s.most[1], want)
		}
	}
}
