package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// attend runs work and asks at every pulse whether the job still wants it: when the job has ended the work is
// cancelled, and the error is ErrDead. report, if not nil, is called at every pulse.
func (p *Pipeline) attend(ctx context.Context, jobID string, report, work func(context.Context) error) error {
	if p.Pulse <= 0 {
		return work(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.pulse(ctx, jobID, report, cancel)
	}()
	err := causeOf(ctx, work(ctx))
	cancel(nil)
	<-ended
	return err
}

// pulse reports and looks at the job until ctx ends. That a report or a look fails is no reason to stop working:
// the next one may succeed, and the result is written conditionally anyway. All segments of a job that are under way
// here share the looks.
func (p *Pipeline) pulse(ctx context.Context, jobID string, report func(context.Context) error, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(p.Pulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if report != nil {
			p.warn(ctx, jobID, "progress was not reported", report(ctx))
		}
		_, err := p.lively(ctx, jobID, p.Pulse/2, liveStatuses()...)
		if errors.Is(err, ErrDead) {
			cancel(err)
			return
		}
		p.warn(ctx, jobID, "the job was not looked at", err)
	}
}

// warn logs an error that the work outlives; one that comes from the end of the work is none.
func (p *Pipeline) warn(ctx context.Context, jobID, message string, err error) {
	if err != nil && ctx.Err() == nil {
		p.Log.WarnContext(ctx, message, "job_id", jobID, "error", err)
	}
}

func liveStatuses() []job.Status {
	return []job.Status{job.Created, job.ChunkingInProgress, job.ChunkingComplete, job.Reassembling}
}

func (p *Pipeline) report(ctx context.Context, jobID string, s platform.SegmentProgress) error {
	return p.Progress.Report(ctx, jobID, s)
}
