package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/platform"
)

// WaitError says that a message's time hasn't come: nothing is wrong, try again after Delay.
type WaitError struct {
	Delay time.Duration
	Err   error // what it waits for
}

func (e *WaitError) Error() string { return e.Err.Error() }
func (e *WaitError) Unwrap() error { return e.Err }

var errClaimed = errors.New("the segment is being converted by another")

// claims are names of what a goroutine of this process has for itself.
type claims struct {
	mu    sync.Mutex
	taken map[string]bool
}

func (c *claims) take(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken[name] {
		return false
	}
	if c.taken == nil {
		c.taken = map[string]bool{}
	}
	c.taken[name] = true
	return true
}

func (c *claims) free(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.taken, name)
}

// claim runs work unless the output is being made already: by this process, or by another whose progress is
// fresh. Then the error is a *WaitError with errClaimed. first: nobody has begun to make it before, so it isn't there.
func (p *Pipeline) claim(ctx context.Context, req inference.Request, work func(first bool) error) error {
	if !p.claims.take(req.Output) {
		return p.busy()
	}
	defer p.claims.free(req.Output)
	if p.Pulse <= 0 {
		return work(false)
	}
	now := p.Now()
	first, err := p.Progress.Begin(ctx, req.JobID, platform.SegmentProgress{Index: req.Index, Started: now, Updated: now}, p.freshness())
	if errors.Is(err, platform.ErrLeaseHeld) {
		return p.busy()
	}
	if errors.Is(err, platform.ErrNotFound) {
		return dead("no such job")
	}
	if err != nil {
		return err
	}
	if err := work(first); err != nil {
		// Whoever tries again must not wait for this attempt.
		clear, stop := outlive(ctx)
		defer stop()
		return errors.Join(err, p.Progress.Clear(clear, req.JobID, req.Index))
	}
	return nil
}

func (p *Pipeline) busy() error { return &WaitError{Delay: p.freshness(), Err: errClaimed} }

// freshness is the age up to which a report says that somebody is at work.
func (p *Pipeline) freshness() time.Duration { return 5 * p.Pulse }

// converting returns the segments of a job that somebody is at work on.
func (p *Pipeline) converting(ctx context.Context, jobID string) (map[int]bool, error) {
	reports, err := p.Progress.Of(ctx, jobID)
	if err != nil {
		return nil, fmt.Errorf("progress of job %s: %w", jobID, err)
	}
	busy := map[int]bool{}
	for _, r := range reports {
		busy[r.Index] = p.within(r.Updated, p.freshness())
	}
	return busy, nil
}

// within reports whether at lies less than d back. A time that lies further ahead than that was written by a
// clock that has been set back since, and is not within anything.
func (p *Pipeline) within(at time.Time, d time.Duration) bool {
	age := p.Now().Sub(at)
	return age < d && age > -d
}
