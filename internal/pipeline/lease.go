package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

func (p *Pipeline) leaseTime() time.Duration {
	if p.LeaseTime > 0 {
		return p.LeaseTime
	}
	return 2 * time.Minute
}

// withLease runs work while holding a lease, renewed at a third of its time. Losing it cancels the work, and
// the error is platform.ErrLeaseLost then; it is platform.ErrLeaseHeld while somebody else has the lease, in this
// process too.
func (p *Pipeline) withLease(ctx context.Context, name string, work func(context.Context) error) error {
	if !p.leases.take(name) { // the store tells processes apart, and would grant it to this one again
		return &WaitError{Delay: min(p.freshness(), p.leaseTime()/4), Err: platform.ErrLeaseHeld}
	}
	defer p.leases.free(name)
	if err := p.Leases.Acquire(ctx, name, p.Owner, p.leaseTime()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		p.renew(ctx, name, cancel)
	}()
	err := causeOf(ctx, work(ctx))
	cancel(nil)
	<-renewed
	// The release must outlive a cancelled context, within a bound of its own.
	release, stop := outlive(ctx)
	defer stop()
	return errors.Join(err, p.Leases.Release(release, name, p.Owner))
}

// renew keeps a lease until ctx ends, and cancels the work when it is lost, or over while nobody could be asked.
func (p *Pipeline) renew(ctx context.Context, name string, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(p.leaseTime() / 3)
	defer tick.Stop()
	for last := p.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begun := p.Now()
		err := p.Leases.Renew(ctx, name, p.Owner, p.leaseTime())
		switch {
		case err == nil:
			last = begun
		case errors.Is(err, platform.ErrLeaseLost):
			cancel(err)
			return
		case p.Now().Sub(last) >= p.leaseTime():
			cancel(fmt.Errorf("%w (%w)", platform.ErrLeaseLost, err))
			return
		}
	}
}

// outlive returns a context for what must be written down although ctx is cancelled, with a bound of its own.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// causeOf returns why ctx was cancelled in place of an error that merely says that it was.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return cause
	}
	return err
}
