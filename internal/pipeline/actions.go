package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// RefusedError says that a job can't do what a person asked of it, and why. Nothing was changed.
type RefusedError struct {
	Action string // such as "started"
	Status job.Status
	Why    string // one line for a person; empty when the status says it all
}

func (e *RefusedError) Error() string {
	if e.Why != "" {
		return fmt.Sprintf("the job can't be %s: %s", e.Action, e.Why)
	}
	return fmt.Sprintf("the job can't be %s: it is %s", e.Action, e.Status)
}

// errSame ends an update that has nothing to change.
var errSame = errors.New("nothing to change")

// act moves a job to a status for a person. It returns errSame without a write when the job is there already.
func (p *Pipeline) act(ctx context.Context, id, action string, to job.Status, change func(*job.Job)) (job.Job, error) {
	var from job.Status
	j, err := p.Jobs.Update(ctx, id, func(j *job.Job) error {
		if from = j.Status; from == to {
			return errSame
		}
		if !slices.Contains(to.From(), from) {
			return &RefusedError{Action: action, Status: from}
		}
		j.Status, j.UpdatedAt = to, p.Now()
		if change != nil {
			change(j)
		}
		return nil
	})
	if err == nil {
		p.logMove(ctx, from, j)
	}
	return j, err
}

// Start asks for a job's conversion; it begins as soon as the source is whole. A job that was started
// already stays as it is. platform.ErrNotFound; *RefusedError when it has ended.
func (p *Pipeline) Start(ctx context.Context, id string) error {
	j, err := p.Jobs.Update(ctx, id, func(j *job.Job) error {
		if !j.Status.Live() {
			return &RefusedError{Action: "started", Status: j.Status}
		}
		if j.Status != job.Created {
			return errSame
		}
		if j.StartedAt.IsZero() {
			j.StartedAt = p.Now()
		}
		j.UpdatedAt = p.Now()
		return nil
	})
	if errors.Is(err, errSame) {
		return nil
	}
	if err != nil {
		return err
	}
	p.Log.InfoContext(ctx, "the job was started", "job_id", id, "owner", j.Owner, "format", string(j.Options.Format))
	return p.sendSource(ctx, id)
}

// sendSource repeats the event of a job's source if it is there.
func (p *Pipeline) sendSource(ctx context.Context, id string) error {
	_, err := p.Input.Head(ctx, job.SourceKey(id))
	if errors.Is(err, platform.ErrNotFound) {
		return nil // its event comes when the upload completes
	}
	if err != nil {
		return err
	}
	return p.sendCreated(ctx, platform.ChunkingQueue, job.SourceKey(id))
}

// Cancel stops a live job; work under way ends within seconds. A cancelled job stays as it is.
// platform.ErrNotFound; *RefusedError when it has ended otherwise.
func (p *Pipeline) Cancel(ctx context.Context, id string) error {
	_, err := p.act(ctx, id, "cancelled", job.Cancelled, func(j *job.Job) { j.Reason = "" })
	if errors.Is(err, errSame) {
		return nil
	}
	return err
}

// Retry makes a failed or cancelled job live again. Segments that were converted are kept; a job that was never
// started waits for that again. platform.ErrNotFound; *RefusedError when it is live, completed or being
// removed, or when its source is gone.
func (p *Pipeline) Retry(ctx context.Context, id string) error {
	j, err := p.Jobs.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := p.checkSource(ctx, j); err != nil {
		return err
	}
	// What earlier attempts were last seen doing would hold the new one back.
	if err := p.clearReports(ctx, id); err != nil {
		return err
	}
	j, err = p.act(ctx, id, "retried", job.Created, func(j *job.Job) { j.Reason, j.Expired, j.Resent = "", nil, 0 })
	if errors.Is(err, errSame) {
		return &RefusedError{Action: "retried", Status: job.Created}
	}
	if err != nil || j.StartedAt.IsZero() {
		return err
	}
	return p.sendSource(ctx, id)
}

// clearReports clears the progress of the segments of which there is any, so that their results are looked for.
func (p *Pipeline) clearReports(ctx context.Context, id string) error {
	reports, err := p.Progress.Of(ctx, id)
	if err != nil || len(reports) == 0 {
		return err
	}
	segments := make([]int, len(reports))
	for i, r := range reports {
		segments[i] = r.Index
	}
	return p.Progress.Clear(ctx, id, segments...)
}

// checkSource refuses a retry when the source was whole once and is no longer kept.
func (p *Pipeline) checkSource(ctx context.Context, j job.Job) error {
	if !j.Uploaded || !slices.Contains(job.Created.From(), j.Status) {
		return nil
	}
	_, err := p.Input.Head(ctx, job.SourceKey(j.ID))
	if errors.Is(err, platform.ErrNotFound) {
		return &RefusedError{Action: "retried", Status: j.Status, Why: "its source is no longer kept; make a new job and upload it again"}
	}
	return err
}

// Remove marks a job for removal and removes what can be removed now; Reconcile finishes what takes longer and what a
// step under way still holds. platform.ErrNotFound.
func (p *Pipeline) Remove(ctx context.Context, id string) error {
	j, err := p.act(ctx, id, "removed", job.Deleting, nil)
	if err != nil && !errors.Is(err, errSame) {
		return err
	}
	p.eraseSoon(ctx, j)
	return nil
}

// eraseSoon removes what can be removed now, in little time: nobody need wait for what takes long or can't be done yet.
func (p *Pipeline) eraseSoon(ctx context.Context, j job.Job) {
	now, cancel := context.WithTimeout(ctx, removeAtOnce)
	defer cancel()
	if err := p.erase(now, j); err != nil {
		p.Log.InfoContext(ctx, "the removal is finished later", "job_id", j.ID, "cause", err)
	}
}

// removeAtOnce bounds how long Remove takes.
const removeAtOnce = 3 * time.Second
