package sagemaker

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/inference"
)

// call is an invocation that somebody waits for.
type call struct {
	ctx     context.Context // the waiter's
	request inference.Request
	ticket  ticket
	done    chan error // hears once what became of it

	// The loop's own.
	next  time.Time // when it is looked at
	looks int
	last  error // why the last look failed
}

// watch looks at all outstanding invocations of this process in one loop, which runs while there are any.
type watch struct {
	c *Converter

	mu      sync.Mutex
	calls   map[*call]bool
	running bool
	changed chan struct{} // holds a token after calls have come or gone
}

func newWatch(c *Converter) *watch {
	return &watch{c: c, calls: map[*call]bool{}, changed: make(chan struct{}, 1)}
}

// await returns nil once the request's output is there, what the invocation failed with, or ctx's cause.
func (w *watch) await(ctx context.Context, r inference.Request, t ticket) error {
	next := t.Invoked.Add(w.c.LookFirst)
	c := &call{ctx: ctx, request: r, ticket: t, done: make(chan error, 1), next: next}
	w.add(c)
	defer w.remove(c)
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *watch) add(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[c] = true
	w.wake()
	if !w.running {
		w.running = true
		go w.run()
	}
}

func (w *watch) remove(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.calls, c)
	w.wake()
}

func (w *watch) wake() {
	select {
	case w.changed <- struct{}{}:
	default: // it is told already
	}
}

// run looks at what is due until nobody waits any longer.
func (w *watch) run() {
	for {
		due, pause, any := w.due(w.c.Now())
		switch {
		case !any:
			return
		case len(due) > 0:
			w.lookAt(due)
		default:
			w.rest(pause)
		}
	}
}

// due returns the calls whose time has come, or else how long it is until the next one's; any is false, and the loop's end
// decided, when there is no call at all.
func (w *watch) due(now time.Time) (due []*call, pause time.Duration, any bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = len(w.calls) > 0
	pause = w.c.LookMost
	for c := range w.calls {
		if left := c.next.Sub(now); left > 0 {
			pause = min(pause, left)
		} else {
			due = append(due, c)
		}
	}
	return due, pause, w.running
}

// rest waits for d, or until calls come or go.
func (w *watch) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.changed:
	}
}

const (
	looksAtOnce = 8                // requests to S3 in flight
	lookTime    = 30 * time.Second // for one look
)

// lookAt looks at calls, and tells those that are over.
func (w *watch) lookAt(due []*call) {
	var g errgroup.Group
	g.SetLimit(looksAtOnce)
	for _, c := range due {
		g.Go(func() error { w.lookOnce(c); return nil })
	}
	_ = g.Wait() // they return none
}

func (w *watch) lookOnce(c *call) {
	ctx, cancel := context.WithTimeout(c.ctx, lookTime)
	defer cancel()
	over, err := w.c.look(ctx, c)
	now := w.c.Now()
	if !over {
		c.last = err
		c.next = now.Add(w.c.interval(now.Sub(c.ticket.Invoked)))
		return
	}
	w.remove(c)
	c.done <- err
}

// interval is the time to the next look: a quarter of what has passed, so that an output is found late by a quarter at
// most, and the number of looks grows with the logarithm of the time; within bounds.
func (c *Converter) interval(passed time.Duration) time.Duration {
	return min(max(passed/4, c.LookFirst), c.LookMost)
}
