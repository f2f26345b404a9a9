package worker

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// brokenQueue fails to receive while broken is set.
type brokenQueue struct {
	platform.Queue
	broken atomic.Bool
}

func (q *brokenQueue) Receive(ctx context.Context, n int, wait time.Duration) ([]platform.Message, error) {
	if q.broken.Load() {
		return nil, errors.New("no answer")
	}
	return q.Queue.Receive(ctx, n, wait)
}

func TestWorkerIsAliveWhileItTakesMessagesOrIsBusyAndSaysWhatIsWrongOtherwise(t *testing.T) {
	release := make(chan struct{})
	broken := &brokenQueue{}
	r := newRig(t, func(context.Context, platform.Message) error { <-release; return nil }, func(c *Config) {
		broken.Queue, c.Queue, c.Concurrency, c.Poll = c.Queue, broken, 1, 50*time.Millisecond
	})
	says := func(text string) func() bool {
		return func() bool {
			err := r.worker.Check(t.Context())
			return err == nil && text == "" || err != nil && text != "" && strings.Contains(err.Error(), text)
		}
	}
	r.run(t)
	until(t, "it is alive", says(""))
	r.send(t, "long work")
	until(t, "it is busy", func() bool { at, _, _ := r.worker.pulse.get(); return at == waiting && len(r.deliveries()) == 1 })
	if err := r.worker.Check(t.Context()); err != nil {
		t.Errorf("busy: %v", err)
	}
	broken.broken.Store(true)
	close(release)
	until(t, "it says that the queue is broken", says("no answer"))
	broken.broken.Store(false)
	until(t, "it is alive again", says(""))
	r.stop()
	if !says("nobody takes")() {
		t.Errorf("stopped: %v", r.worker.Check(t.Context()))
	}
}

func TestWorkerWhoseQueueNeverAnswersIsStuck(t *testing.T) {
	w := New(Config{Name: platform.ChunkingQueue, Poll: time.Second, Log: newRig(t, nil).config.Log})
	w.pulse.set(receiving, nil)
	if err := w.Check(t.Context()); err != nil {
		t.Errorf("just now: %v", err)
	}
	w.pulse.since = time.Now().Add(-time.Second - answerSlack - time.Second)
	if err := w.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "has not answered") {
		t.Errorf("long ago: %v", err)
	}
}
