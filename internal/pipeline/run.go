package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
)

// Run drives one job through every step in this process, converting up to parallel segments at a time.
// Called again after a crash it continues: what is done and intact is kept. The caller makes sure that
// nobody else works on the job.
func (p *Pipeline) Run(ctx context.Context, jobID string, parallel int) error {
	if err := p.reopen(ctx, jobID); err != nil {
		return err
	}
	const attempts = 3 // one as planned, one without stream copies, one after a damaged output
	var err error
	for range attempts {
		err = p.runOnce(ctx, jobID, parallel)
		damaged := new(damagedError)
		if !errors.Is(err, ErrRechunk) && !errors.As(err, &damaged) {
			return err
		}
	}
	return err
}

// reopen brings a job that was interrupted or failed to a status from which it can be chunked.
func (p *Pipeline) reopen(ctx context.Context, jobID string) error {
	j, err := p.Jobs.Get(ctx, jobID)
	if err != nil {
		return fmt.Errorf("job %s: %w", jobID, err)
	}
	switch j.Status {
	case job.Failed, job.Cancelled:
		_, err = p.advance(ctx, jobID, job.Created, func(j *job.Job) { j.Reason = "" })
	case job.Reassembling:
		_, err = p.advance(ctx, jobID, job.ChunkingComplete, nil)
	}
	return err
}

func (p *Pipeline) runOnce(ctx context.Context, jobID string, parallel int) error {
	if err := p.Chunk(ctx, jobID); err != nil {
		return err
	}
	j, err := p.Jobs.Get(ctx, jobID)
	if err != nil {
		return err
	}
	if err := p.recount(ctx, j); err != nil {
		return err
	}
	plan, err := p.ReadPlan(ctx, jobID)
	if err != nil {
		return err
	}
	if err := p.convertSegments(ctx, j, plan, max(parallel, 1)); err != nil {
		return p.rechunked(ctx, j, err)
	}
	return p.Reassemble(ctx, jobID)
}

// recount forgets completions that the job's counter doesn't count: a run that died after it had the job planned anew left
// them, and they would keep the new segments from being counted.
func (p *Pipeline) recount(ctx context.Context, j job.Job) error {
	recorded, err := p.completed(ctx, j.ID)
	if err != nil || len(recorded) == j.CompletedSegments {
		return err
	}
	return p.Completions.Forget(ctx, j.ID)
}

// rechunked returns err, as an ErrRechunk if the job was sent back to chunking since it was j. The segment that had it sent
// back needn't be the first to fail: the others lose their input from that moment on.
func (p *Pipeline) rechunked(ctx context.Context, j job.Job, err error) error {
	if errors.Is(err, ErrRechunk) {
		return err
	}
	now, getErr := p.Jobs.Get(ctx, j.ID)
	if getErr == nil && now.Lossless && !j.Lossless {
		return fmt.Errorf("%w (%w)", ErrRechunk, err)
	}
	return err
}

// convertSegments converts every segment, parallel of them at a time. A segment whose frames are all handed to its encoder
// doesn't count any more: the encoder has dozens of them still to do, and what makes depth and views would rest
// meanwhile. One segment at most is in that state while others take its place. Once one has failed, none begins, and its
// error is what is returned: those that it cuts off may end before it does.
func (p *Pipeline) convertSegments(ctx context.Context, j job.Job, plan *media.Plan, parallel int) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var g errgroup.Group
	g.SetLimit(parallel + 1)
	places := make(chan struct{}, parallel)
	for _, s := range plan.Segments {
		places <- struct{}{}
		g.Go(func() error {
			leave := sync.OnceFunc(func() { <-places })
			defer leave()
			err := p.convertSegment(ctx, j, plan, s, leave)
			if err != nil {
				fail(err) // before the place is free, lest another begin
			}
			return err
		})
	}
	if g.Wait() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (p *Pipeline) convertSegment(ctx context.Context, j job.Job, plan *media.Plan, s media.Segment, encoding func()) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := p.convertNoting(ctx, segmentKey(j, plan, s.Index), encoding); err != nil {
		return err
	}
	return p.Complete(ctx, job.OutputKey(j.ID, s.Index))
}
