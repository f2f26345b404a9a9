package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

// Reassemble joins a job's converted segments with the sound of its source, verifies the result by
// reading it back, and completes the job. One process at a time does it for a job: platform.ErrLeaseHeld.
func (p *Pipeline) Reassemble(ctx context.Context, jobID string) error {
	return p.withLease(ctx, reassemblyLease(jobID), func(ctx context.Context) error {
		j, err := p.advance(ctx, jobID, job.Reassembling, nil)
		if err != nil {
			return err
		}
		err = p.reassemble(ctx, j)
		if damaged := new(damagedError); errors.As(err, &damaged) {
			return errors.Join(err, p.forgetDamaged(ctx, jobID, damaged.key))
		}
		return err
	})
}

func reassemblyLease(jobID string) string { return "reassembly/" + jobID }

func (p *Pipeline) reassemble(ctx context.Context, j job.Job) error {
	dir, err := p.scratch("reassemble")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	plan, err := p.ReadPlan(ctx, j.ID)
	if err != nil {
		return err
	}
	source, err := platform.Fetch(ctx, p.Input, job.SourceKey(j.ID), dir)
	if err != nil {
		return err
	}
	segments, err := p.fetchOutputs(ctx, j, plan, dir)
	if err != nil {
		return err
	}
	p.observe(Event{JobID: j.ID, Stage: Reassembling, Plan: plan})
	final := filepath.Join(dir, "final."+string(j.Settled.Container))
	if _, err := media.Assemble(ctx, media.AssembleRequest{
		Plan: plan, SourcePath: source, Segments: segments, Container: string(j.Settled.Container),
		Layout: clip.LayoutOf(j.Options.Format), Output: final,
	}); err != nil {
		return err
	}
	key := job.FinalKey(j.ID, j.Settled.Container)
	if _, err := platform.PutFile(ctx, p.Output, key, final, platform.PutOptions{ContentType: contentType(j.Settled.Container)}); err != nil {
		return err
	}
	_, err = p.advance(ctx, j.ID, job.Completed, func(j *job.Job) {
		j.FinalKey, j.CompletedAt, j.Reason = key, p.Now(), ""
	})
	return err
}

func contentType(c job.Container) string {
	if c == job.MKV {
		return "video/x-matroska"
	}
	return "video/mp4"
}

// damagedError says that a converted segment no longer has the bytes it was published with.
type damagedError struct{ key string }

func (e *damagedError) Error() string {
	return fmt.Sprintf("converted segment %s is missing or damaged and must be made again", e.key)
}

// fetchOutputs returns the converted segments' files in order, having checked that they are whole.
func (p *Pipeline) fetchOutputs(ctx context.Context, j job.Job, plan *media.Plan, dir string) ([]media.SegmentOutput, error) {
	var out []media.SegmentOutput
	for _, s := range plan.Segments {
		key := job.OutputKey(j.ID, s.Index)
		o, err := p.Output.Head(ctx, key)
		if errors.Is(err, platform.ErrNotFound) {
			return nil, &damagedError{key}
		}
		if err != nil {
			return nil, err
		}
		if ok, err := p.intact(ctx, p.Output, o); err != nil || !ok {
			return nil, errors.Join(err, &damagedError{key})
		}
		path, err := platform.Fetch(ctx, p.Output, key, dir)
		if err != nil {
			return nil, err
		}
		out = append(out, media.SegmentOutput{Path: path, Frames: s.Frames})
	}
	return out, nil
}

// forgetDamaged sends a job back to converting, so that the lost segment is made again.
func (p *Pipeline) forgetDamaged(ctx context.Context, jobID, key string) error {
	if err := p.Output.Delete(ctx, key); err != nil {
		return err
	}
	if err := p.Completions.Forget(ctx, jobID); err != nil {
		return err
	}
	_, err := p.advance(ctx, jobID, job.ChunkingComplete, nil)
	return err
}

// withLease runs work while holding a lease, renewed at a third of its time. Losing it cancels the work.
func (p *Pipeline) withLease(ctx context.Context, name string, work func(context.Context) error) error {
	if err := p.Leases.Acquire(ctx, name, p.Owner, leaseTime); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		p.renew(ctx, name, cancel)
	}()
	err := work(ctx)
	cancel(nil)
	<-renewed
	// The release must outlive a cancelled context, within a bound of its own.
	release, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	return errors.Join(err, p.Leases.Release(release, name, p.Owner))
}

func (p *Pipeline) renew(ctx context.Context, name string, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(leaseTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.Leases.Renew(ctx, name, p.Owner, leaseTime); errors.Is(err, platform.ErrLeaseLost) {
				cancel(err)
				return
			}
		}
	}
}
