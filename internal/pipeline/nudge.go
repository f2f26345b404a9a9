package pipeline

import (
	"context"
	"errors"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// nudge sends a job's messages again, after recording what was done and never written down.
func (r *repairing) nudge(ctx context.Context, j job.Job) error {
	j, err := r.Jobs.Update(ctx, j.ID, func(now *job.Job) error {
		if err := asListed(j, *now); err != nil {
			return err
		}
		now.Resent, now.ResentAt = resends(*now)+1, r.Now()
		return nil
	})
	if err != nil {
		return err
	}
	r.Log.WarnContext(ctx, "the job stands still; sending its messages again", "job_id", j.ID, "status", string(j.Status), "times", j.Resent)
	switch j.Status {
	case job.ChunkingComplete:
		return r.nudgeSegments(ctx, j)
	case job.Reassembling:
		r.Resent++
		return r.send(ctx, platform.ReassemblyQueue, job.ReassemblyMessage{JobID: j.ID}.Encode())
	}
	r.Resent++
	return r.sendSource(ctx, j.ID)
}

// nudgeSegments records the completions of outputs that lack a row, and sends the segments without an output again.
func (r *repairing) nudgeSegments(ctx context.Context, j job.Job) error {
	recorded, err := r.completed(ctx, j.ID)
	if err != nil {
		return err
	}
	if len(recorded) != j.CompletedSegments { // a step died between forgetting and counting anew
		now, err := r.Jobs.Get(ctx, j.ID)
		if err != nil {
			return err
		}
		if err := asListed(j, now); err != nil {
			return err // a segment was recorded between the two looks
		}
		if err := r.Completions.Forget(ctx, j.ID); err != nil {
			return err
		}
		recorded = nil
	}
	var keys []string
	for i, key := range segmentKeys(j) {
		if recorded[i] {
			continue
		}
		done, err := r.recordOutput(ctx, j.ID, i)
		if err != nil {
			return err
		}
		if !done {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return r.retrigger(ctx, j.ID)
	}
	return r.resendSegments(ctx, j, keys)
}

// recordOutput records the completion of a segment's output if there is one.
func (r *repairing) recordOutput(ctx context.Context, jobID string, index int) (done bool, err error) {
	err = r.Complete(ctx, job.OutputKey(jobID, index))
	if errors.Is(err, ErrDead) {
		return false, nil
	}
	if err == nil {
		r.Recorded++
	}
	return err == nil, err
}

func (r *repairing) retrigger(ctx context.Context, jobID string) error {
	j, err := r.Jobs.Get(ctx, jobID)
	if err != nil {
		return err
	}
	r.Resent++
	return r.trigger(ctx, j)
}

// resendSegments sends segments' messages again; a job that lost a segment's file is chunked again, which writes
// what is missing.
func (r *repairing) resendSegments(ctx context.Context, j job.Job, keys []string) error {
	for _, key := range append([]string{job.PlanKey(j.ID)}, keys...) {
		_, err := r.Input.Head(ctx, key)
		if errors.Is(err, platform.ErrNotFound) {
			return r.chunkAgain(ctx, j.ID)
		}
		if err != nil {
			return err
		}
	}
	r.Resent += len(keys)
	return r.sendCreated(ctx, platform.VideoWorkerQueue, keys...)
}

func (r *repairing) chunkAgain(ctx context.Context, jobID string) error {
	// UpdatedAt stays: this is no progress.
	_, err := r.Jobs.Update(ctx, jobID, func(j *job.Job) error {
		if j.Status != job.ChunkingComplete {
			return ErrDead
		}
		j.Status = job.ChunkingInProgress
		return nil
	})
	if err != nil {
		return err
	}
	r.Resent++
	return r.sendSource(ctx, jobID)
}
