package pipeline

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// awaitUpload notices a source that is whole, and drops an upload that nobody goes on with. The job stays: its
// person may upload again.
func (r *repairing) awaitUpload(ctx context.Context, j job.Job) error {
	_, err := r.Input.Head(ctx, job.SourceKey(j.ID))
	if err == nil {
		if _, err := r.recordUpload(ctx, j.ID); err != nil || j.StartedAt.IsZero() {
			return err
		}
		r.Resent++
		return r.sendSource(ctx, j.ID)
	}
	if !errors.Is(err, platform.ErrNotFound) {
		return err
	}
	if j.UploadID == "" || r.Policy.AbandonAfter <= 0 || r.within(j.UpdatedAt, r.Policy.AbandonAfter) {
		return nil
	}
	if err := r.Uploads.Abort(ctx, job.SourceKey(j.ID), j.UploadID); err != nil {
		return err
	}
	r.Aborted++
	_, err = r.Jobs.Update(ctx, j.ID, func(now *job.Job) error {
		if now.UploadID == j.UploadID {
			now.UploadID = ""
		}
		return nil
	})
	return err
}

// expire applies the settings of how long things are kept to a job that has ended.
func (r *repairing) expire(ctx context.Context, j job.Job) error {
	r.served.see(j)
	ended := j.UpdatedAt
	if !j.CompletedAt.IsZero() {
		ended = j.CompletedAt
	}
	if r.over(ended, r.Policy.KeepResults) {
		return r.expireAll(ctx, j)
	}
	for _, k := range []struct {
		what job.Kept
		keep time.Duration
		drop func(context.Context, string) error
	}{{job.KeptSource, r.Policy.KeepSources, r.dropSource}, {job.KeptSegments, r.Policy.KeepSegments, r.dropSegments}} {
		if !r.over(ended, k.keep) || slices.Contains(j.Expired, k.what) {
			continue
		}
		if err := r.expireOne(ctx, j, k.what, k.drop); err != nil {
			return err
		}
	}
	return nil
}

func (r *repairing) over(ended time.Time, keep time.Duration) bool {
	return keep > 0 && r.Now().Sub(ended) >= keep
}

// expireAll removes a job with all that it has, unless a person has retried it since it was listed.
func (r *repairing) expireAll(ctx context.Context, j job.Job) error {
	now, err := r.advanceIf(ctx, j.ID, job.Deleting, func(now *job.Job) error { return asListed(j, *now) })
	if err != nil {
		return err
	}
	r.Expired++
	r.eraseSoon(ctx, now)
	return nil
}

// expireOne removes something that is no longer kept, and writes that down. A crash in between has it removed again.
func (r *repairing) expireOne(ctx context.Context, j job.Job, what job.Kept, drop func(context.Context, string) error) error {
	if _, err := r.live(ctx, j.ID, j.Status); err != nil {
		return err // retried or removed since it was listed
	}
	if err := drop(ctx, j.ID); err != nil {
		return err
	}
	r.Expired++
	_, err := r.Jobs.Update(ctx, j.ID, func(now *job.Job) error {
		if !slices.Contains(now.Expired, what) {
			now.Expired = append(now.Expired, what)
		}
		return nil
	})
	return err
}

func (r *repairing) dropSource(ctx context.Context, id string) error {
	return r.Input.Delete(ctx, job.SourceKey(id))
}

func (r *repairing) dropSegments(ctx context.Context, id string) error {
	return errors.Join(erasePrefix(ctx, r.Input, "segments/"+id+"/"), erasePrefix(ctx, r.Output, "jobs/"+id+"/segments/"))
}
