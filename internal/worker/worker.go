// Package worker takes messages from a queue, has them handled, and acknowledges them: receive → handle →
// acknowledge. It knows what becomes of a message when its handler fails, waits, panics, runs out of disk, or when the
// process is told to stop; it knows nothing of films.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/pause"
	"github.com/stereospot/stereospot/internal/platform"
)

// Handler does what a message asks for.
type Handler interface {
	// Handle returns nil when the message is done with. *Wait: hand it back, nothing is wrong. *Permanent: trying
	// again can't help. platform.ErrFull: there is no room on the disk. Any other error: try again later. It must
	// end soon after ctx does, and may be called several times at once, also with the same message.
	Handle(ctx context.Context, m platform.Message) error
	// GiveUp is told the error of a message that won't be tried again.
	GiveUp(ctx context.Context, m platform.Message, err error) error
	// Attributes name the message in the log, job_id above all.
	Attributes(m platform.Message) []slog.Attr
}

// Wait is a handler's error that says: not now, and not a failure. The message comes back after Delay, however often.
type Wait struct {
	Delay time.Duration
	Err   error
}

func (e *Wait) Error() string { return e.Err.Error() }
func (e *Wait) Unwrap() error { return e.Err }

// Permanent is a handler's error that trying again can't mend.
type Permanent struct{ Err error }

func (e *Permanent) Error() string { return e.Err.Error() }
func (e *Permanent) Unwrap() error { return e.Err }

// Gate holds work back while the machine can't take any.
type Gate interface {
	// Wait returns nil when work may begin, and the context's error when that ends first.
	Wait(ctx context.Context) error
	// Refused says that work found the disk full although it might begin, and has cleared away what it had made.
	Refused()
}

// Outcome is what became of one delivery.
type Outcome string

// The outcomes.
const (
	Handled  Outcome = "handled"
	Retried  Outcome = "retried"  // failed, and comes back
	GivenUp  Outcome = "given-up" // failed for good
	Waited   Outcome = "waited"   // comes back, nothing was wrong
	Lost     Outcome = "lost"     // the delivery's visibility ended: somebody else has the message
	Returned Outcome = "returned" // handed back because the process stops
)

// Metrics hears of every delivery's end. Safe for concurrent use.
type Metrics interface {
	Delivered(q platform.QueueName, o Outcome, took time.Duration)
}

// Config is what a Worker works with. All fields but Gather, Gate and Metrics are required.
type Config struct {
	Name        platform.QueueName
	Queue       platform.Queue
	Handler     Handler
	Concurrency int           // deliveries at the same time
	Visibility  time.Duration // the queue's visibility timeout; renewed at a third of it
	Poll        time.Duration // how long one Receive waits
	Gather      time.Duration // after a Receive that brought less than it might have, wait so long: requests cost money
	Backoff     Backoff       // of failed messages
	Drain       time.Duration // how long work may go on after a soft stop
	Gate        Gate
	Metrics     Metrics
	Log         *slog.Logger
}

// Worker handles one queue's messages.
type Worker struct {
	Config
	slots chan struct{} // holds a token per delivery under way
	work  sync.WaitGroup
	pulse pulse
}

// New returns a worker that Run sets going.
func New(c Config) *Worker {
	c.Log = c.Log.With("queue", string(c.Name))
	return &Worker{Config: c, slots: make(chan struct{}, c.Concurrency)}
}

// errStopped is why work ends at a hard stop.
var errStopped = errors.New("the process is stopping")

// Run handles messages until stop is closed: a soft stop. Then it receives no more and lets work end, for Drain at
// most. When that is over, or ctx ends, comes the hard stop: work is cancelled and its messages are handed back
// at once. Run returns when nothing is under way any more.
func (w *Worker) Run(ctx context.Context, stop <-chan struct{}) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errStopped)
	receiving, soft := context.WithCancel(ctx)
	defer soft()
	go func() {
		select {
		case <-stop:
			soft()
		case <-receiving.Done():
		}
	}()
	w.receive(receiving, ctx)
	drained := time.AfterFunc(w.Drain, func() { cancel(errStopped) })
	defer drained.Stop()
	w.work.Wait()
}

// receive takes messages until its context ends, as many as there are free slots; work has the other context.
func (w *Worker) receive(ctx, work context.Context) {
	defer w.pulse.set(stopped, nil)
	failures := 0
	for ctx.Err() == nil {
		if failures == 0 {
			w.pulse.set(waiting, nil)
		}
		if w.Gate != nil && w.Gate.Wait(ctx) != nil {
			return
		}
		free := w.acquire(ctx)
		if free == 0 {
			return
		}
		if failures == 0 {
			w.pulse.set(receiving, nil)
		}
		messages, err := w.Queue.Receive(ctx, free, w.Poll)
		w.release(free - len(messages))
		for _, m := range messages {
			w.work.Go(func() { w.deliver(work, m) })
		}
		if err == nil {
			failures = 0
			if len(messages) > 0 && len(messages) < free && w.Gather > 0 {
				_ = pause.For(ctx, w.Gather) // the loop looks at ctx
			}
			continue
		}
		if ctx.Err() == nil {
			failures++
			w.pulse.set(failing, err)
			w.Log.ErrorContext(ctx, "no messages could be received", "error", err)
			pause.For(ctx, w.Backoff.Delay(failures))
		}
	}
}

// linger is how long a slot that has become free waits for others: deliveries that came together often end together,
// and one request for many messages costs what one for one does.
const linger = 5 * time.Millisecond

// acquire waits for a free slot and takes all that are free a moment later, up to what one Receive may return; 0 when
// ctx ends.
func (w *Worker) acquire(ctx context.Context) int {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	if len(w.slots) > 1 && pause.For(ctx, linger) != nil {
		w.release(1)
		return 0
	}
	for n := 1; ; n++ {
		if n == platform.MaxBatch {
			return n
		}
		select {
		case w.slots <- struct{}{}:
		default:
			return n
		}
	}
}

func (w *Worker) release(n int) {
	for range n {
		<-w.slots
	}
}

// deliver handles one delivery to its end, and frees its slot when the work is done: the queue may take its time to hear
// of that.
func (w *Worker) deliver(ctx context.Context, m platform.Message) {
	begin := time.Now()
	log := slog.New(w.Log.Handler().WithAttrs(append(w.Handler.Attributes(m), slog.String("message", m.ID), slog.Int("receive", m.Receive))))
	err := w.hold(ctx, m, log)
	w.release(1)
	outcome := w.settle(ctx, m, err, log)
	if w.Metrics != nil {
		w.Metrics.Delivered(w.Name, outcome, time.Since(begin))
	}
}

// hold has the message handled while its visibility is renewed. While the disk is full the delivery is kept and
// tried again here: handing it back would use up its deliveries. So is the last delivery while it has to wait, for there
// is none after it.
func (w *Worker) hold(ctx context.Context, m platform.Message, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		w.renew(ctx, m.Handle, cancel, log)
	}()
	defer func() {
		cancel(nil)
		<-renewed
	}()
	for {
		err := w.handle(ctx, m)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", cutOff(ctx), err)
		}
		switch wait := new(Wait); {
		case errors.Is(err, platform.ErrFull):
			log.WarnContext(ctx, "the message is held until there is room on the disk", "error", err)
			err = w.awaitRoom(ctx)
		case errors.As(err, &wait) && m.Receive >= platform.MaxReceives:
			log.DebugContext(ctx, "the message is held on its last delivery", "delay", wait.Delay, "cause", err)
			err = pause.For(ctx, wait.Delay)
		default:
			return err
		}
		if err != nil {
			return cutOff(ctx)
		}
	}
}

// cutOff is why work was cut off: its delivery was lost, or else the process stops. A handler's own words for that prove
// nothing, for what it works with may be cancelled without either.
func cutOff(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, platform.ErrNoMessage) {
		return cause
	}
	return errStopped
}

// awaitRoom tells the gate, which the handler knows better than, and waits for it, in any case a moment.
func (w *Worker) awaitRoom(ctx context.Context) error {
	if w.Gate != nil {
		w.Gate.Refused()
	}
	if err := pause.For(ctx, w.Backoff.First); err != nil || w.Gate == nil {
		return err
	}
	return w.Gate.Wait(ctx)
}

// handle calls the handler; a panic in it is a failure.
func (w *Worker) handle(ctx context.Context, m platform.Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: string(debug.Stack())}
		}
	}()
	return w.Handler.Handle(ctx, m)
}

// panicError is a handler's panic.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("a fault in the program: %v", e.value) }
func (e *panicError) Stack() string { return e.stack }

// renew keeps the delivery invisible until ctx ends, and ends the work when the delivery is lost.
func (w *Worker) renew(ctx context.Context, handle string, cancel context.CancelCauseFunc, log *slog.Logger) {
	tick := time.NewTicker(w.Visibility / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := w.Queue.Extend(ctx, handle, w.Visibility)
		if errors.Is(err, platform.ErrNoMessage) {
			cancel(err)
			return
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "visibility was not renewed", "error", err)
		}
	}
}
