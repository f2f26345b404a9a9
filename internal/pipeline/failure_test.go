package pipeline_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stereospot/stereospot/internal/inference"
)

// endless is a context that has no end, and hears of the end of contexts that are made from it: they ask it for its own.
type endless struct {
	context.Context
	ended func()
}

func (c endless) Done() <-chan struct{} { c.ended(); return nil }

// TestRunEndsWithTheErrorOfTheSegmentThatFailed has the segment that it cuts off end before it has ended itself.
func TestRunEndsWithTheErrorOfTheSegmentThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		p := w.process()
		p.Queues, p.Pulse = nil, 0
		broken := errors.New("the graphics card is on fire")
		var failing atomic.Bool
		second := make(chan struct{})
		p.Converter = converterFunc(func(ctx context.Context, r inference.Request, _ func(int)) (inference.Result, error) {
			if r.Index == 0 {
				<-second
				failing.Store(true)
				return inference.Result{}, broken
			}
			close(second)
			<-ctx.Done()
			return inference.Result{}, ctx.Err()
		})
		ctx := endless{t.Context(), func() {
			if failing.Load() {
				synctest.Wait()
			}
		}}
		if err := p.Run(ctx, w.id, 2); !errors.Is(err, broken) {
			t.Errorf("the run ended with %v", err)
		}
	})
}
