package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// settleTime bounds what is written down about a delivery after its work has ended or was cancelled.
const settleTime = 10 * time.Second

// settle tells the queue what became of a delivery. What the queue doesn't hear is mended by its visibility timeout: the
// message comes once more.
func (w *Worker) settle(ctx context.Context, m platform.Message, err error, log *slog.Logger) Outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	outcome, queueErr := w.judge(ctx, m, err, log)
	if queueErr != nil && !errors.Is(queueErr, platform.ErrNoMessage) {
		log.WarnContext(ctx, "the queue was not told of a message's end; it comes again", "outcome", string(outcome), "error", queueErr)
	}
	return outcome
}

func (w *Worker) judge(ctx context.Context, m platform.Message, err error, log *slog.Logger) (Outcome, error) {
	var wait *Wait
	var permanent *Permanent
	switch {
	case err == nil:
		return Handled, w.Queue.Delete(ctx, m.Handle)
	case errors.Is(err, platform.ErrNoMessage):
		log.WarnContext(ctx, "the delivery was lost to another worker; its work was stopped", "error", err)
		return Lost, nil
	case errors.Is(err, errStopped):
		log.InfoContext(ctx, "message handed back", "error", err)
		return Returned, w.handBack(ctx, m)
	case errors.As(err, &wait):
		log.DebugContext(ctx, "message put off", "delay", wait.Delay, "cause", err)
		return Waited, w.putOff(ctx, m, wait.Delay)
	case errors.As(err, &permanent):
		return GivenUp, w.giveUp(ctx, m, err, log, func() error { return w.Queue.Delete(ctx, m.Handle) })
	case m.Receive >= platform.MaxReceives:
		// Visible at once, it becomes a dead letter at the next look.
		return GivenUp, w.giveUp(ctx, m, err, log, func() error { return w.Queue.Extend(ctx, m.Handle, 0) })
	}
	delay := w.Backoff.Delay(m.Receive)
	log.WarnContext(ctx, "handling failed; it is tried again", append(failure(err), "delay", delay)...)
	return Retried, w.Queue.Extend(ctx, m.Handle, delay)
}

// failure returns an error's attributes, with the stack of a panic.
func failure(err error) []any {
	attrs := []any{"error", err}
	if p := interface{ Stack() string }(nil); errors.As(err, &p) {
		attrs = append(attrs, "stack", p.Stack())
	}
	return attrs
}

// giveUp tells the handler before the queue: a crash in between repeats it.
func (w *Worker) giveUp(ctx context.Context, m platform.Message, err error, log *slog.Logger, end func() error) error {
	log.ErrorContext(ctx, "handling failed for good", failure(err)...)
	if err := w.Handler.GiveUp(ctx, m, err); err != nil {
		return err
	}
	return end()
}

// putOff has a message come back after delay. One that hasn't failed yet comes as a copy, so that waiting uses up none of
// its deliveries. One that has failed keeps its count, or two copies whose work always fails would wait for each other
// in turn and never be given up; its last delivery isn't put off, but held.
func (w *Worker) putOff(ctx context.Context, m platform.Message, delay time.Duration) error {
	if m.Receive > 1 {
		return w.Queue.Extend(ctx, m.Handle, delay)
	}
	return w.sendAnew(ctx, m, delay)
}

// handBack makes the message visible at once. One on its last delivery would become a dead letter by that though
// nothing was wrong with it.
func (w *Worker) handBack(ctx context.Context, m platform.Message) error {
	if m.Receive >= platform.MaxReceives {
		return w.sendAnew(ctx, m, 0)
	}
	return w.Queue.Extend(ctx, m.Handle, 0)
}

// sendAnew puts a copy into the queue, whose deliveries count from one, and then drops this delivery.
func (w *Worker) sendAnew(ctx context.Context, m platform.Message, delay time.Duration) error {
	if err := w.Queue.Send(ctx, delay, m.Body); err != nil {
		return err
	}
	return w.Queue.Delete(ctx, m.Handle)
}
