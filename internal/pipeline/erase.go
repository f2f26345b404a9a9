package pipeline

import (
	"context"
	"errors"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// erase removes everything a job has and its row last, so that it can be repeated until the row is gone.
// platform.ErrLeaseHeld while the job is being reassembled.
func (p *Pipeline) erase(ctx context.Context, j job.Job) error {
	// Having the lease says that nobody reassembles; releasing it removes what a dead holder left.
	if err := p.withLease(ctx, reassemblyLease(j.ID), func(ctx context.Context) error {
		if err := p.eraseObjects(ctx, j.ID); err != nil {
			return err
		}
		if j.UploadID != "" {
			if err := p.Uploads.Abort(ctx, job.SourceKey(j.ID), j.UploadID); err != nil {
				return err
			}
		}
		return errors.Join(p.Completions.Forget(ctx, j.ID), p.Progress.Clear(ctx, j.ID))
	}); err != nil {
		return err
	}
	return p.Jobs.Delete(ctx, j.ID)
}

// eraseObjects removes every object of a job.
func (p *Pipeline) eraseObjects(ctx context.Context, id string) error {
	for _, at := range []struct {
		store  platform.Objects
		prefix string
	}{
		{p.Input, "input/" + id + "/"}, {p.Input, "segments/" + id + "/"}, {p.Output, "jobs/" + id + "/"},
	} {
		if err := erasePrefix(ctx, at.store, at.prefix); err != nil {
			return err
		}
	}
	return nil
}

func erasePrefix(ctx context.Context, store platform.Objects, prefix string) error {
	for {
		// From the start each time: what was listed is gone.
		page, next, err := store.List(ctx, prefix, "", 1000)
		if err != nil || len(page) == 0 {
			return err
		}
		keys := make([]string, len(page))
		for i, o := range page {
			keys[i] = o.Key
		}
		if err := store.Delete(ctx, keys...); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
	}
}
