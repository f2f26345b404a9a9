package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/stereospot/stereospot/internal/pause"
)

// errSilent ends a transfer in which nothing moves.
var errSilent = errors.New("the server is silent")

// retry calls try until it succeeds, fails for good, or patience is over, with pauses that grow from a quarter of a
// second to ten. It returns the last attempt's own error, or the context's.
func (c *Client) retry(ctx context.Context, patience time.Duration, try func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 250*time.Millisecond, 10*time.Second
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		last = try()
		return struct{}{}, forRetry(ctx, last)
	},
		backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(patience),
		backoff.WithNotify(func(_ error, wait time.Duration) { c.config.Retrying(last, wait) }))
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return last
	}
	return nil
}

// forRetry marks what another try can't mend.
func forRetry(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, !temporary(err):
		return backoff.Permanent(err)
	}
	var answer *Error
	if errors.As(err, &answer) && answer.RetryAfter > 0 {
		return &backoff.RetryAfterError{Duration: answer.RetryAfter}
	}
	return err
}

// temporary reports whether the same request may succeed later: no answer, a broken one, a busy server.
func temporary(err error) bool {
	var answer *Error
	if errors.As(err, &answer) {
		switch answer.Status {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return answer.passing()
	}
	var lost *unreachableError
	return errors.As(err, &lost) || errors.Is(err, errSilent) || errors.Is(err, errBroken)
}

// errBroken says that an answer ended early.
var errBroken = errors.New("the connection broke")

// endure repeats a transfer until it is done. An attempt that moved something before it broke starts the patience
// anew; moved is asked after each.
func (c *Client) endure(ctx context.Context, moved func() bool, try func() error) error {
	for {
		var broke error
		err := c.retry(ctx, c.config.Endurance, func() error {
			broke = nil
			err := try()
			if err != nil && temporary(err) && ctx.Err() == nil && moved() {
				broke = err
				return nil
			}
			return err
		})
		if err != nil || broke == nil {
			return err
		}
		c.config.Retrying(broke, restart)
		if err := pause.For(ctx, restart); err != nil {
			return err
		}
	}
}

// restart is the pause after a transfer that had moved something.
const restart = 500 * time.Millisecond

// watchdog ends its context when nothing has moved for a while.
type watchdog struct {
	timer *time.Timer
	after time.Duration
	stop  context.CancelCauseFunc
}

func newWatchdog(ctx context.Context, after time.Duration) (context.Context, *watchdog) {
	ctx, stop := context.WithCancelCause(ctx)
	return ctx, &watchdog{timer: time.AfterFunc(after, func() { stop(errSilent) }), after: after, stop: stop}
}

// alive is called whenever something moves.
func (w *watchdog) alive() { w.timer.Reset(w.after) }

func (w *watchdog) close() {
	w.timer.Stop()
	w.stop(nil)
}
