package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

// StepError is the failure of one job's step.
type StepError struct {
	JobID string
	Err   error
}

func (e *StepError) Error() string { return e.Err.Error() }
func (e *StepError) Unwrap() error { return e.Err }

// task is one job's part of a message.
type task struct {
	jobID string
	step  step
	do    func(context.Context) error
}

// Handle does what a message of the queue asks for. nil: the message is done with, also where its job no longer
// wants it. *WaitError: try again later, nothing is wrong. platform.ErrFull: try again when there is room.
// Otherwise the errors are *StepErrors, whose jobs GiveUp fails, or job.ErrMessage.
func (p *Pipeline) Handle(ctx context.Context, q platform.QueueName, body []byte) error {
	tasks, err := p.tasks(q, body)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range tasks {
		errs = append(errs, p.perform(ctx, t))
	}
	return errors.Join(errs...)
}

// JobIDs returns the jobs that a message of the queue is about.
func (p *Pipeline) JobIDs(q platform.QueueName, body []byte) []string {
	tasks, _ := p.tasks(q, body) // a malformed message is about none
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = t.jobID
	}
	return ids
}

func (p *Pipeline) tasks(q platform.QueueName, body []byte) ([]task, error) {
	if q == platform.ReassemblyQueue {
		m, err := job.ParseReassemblyMessage(body)
		return []task{{m.JobID, step{"reassemble", noSegment}, func(ctx context.Context) error { return p.Reassemble(ctx, m.JobID) }}}, err
	}
	created, err := job.ParseObjectCreated(body)
	if err != nil {
		return nil, err
	}
	var tasks []task
	for _, o := range created {
		if t := p.taskOf(q, o.Key); t.jobID != "" {
			tasks = append(tasks, t)
		}
	}
	return tasks, nil
}

// taskOf returns what an object's event asks for; objects that are no part of the flow ask for nothing.
func (p *Pipeline) taskOf(q platform.QueueName, key string) task {
	switch q {
	case platform.ChunkingQueue:
		if id, ok := job.ParseSourceKey(key); ok {
			return task{id, step{"chunk", noSegment}, func(ctx context.Context) error { return p.receiveSource(ctx, id) }}
		}
	case platform.VideoWorkerQueue:
		if ref, ok := job.ParseSegmentKey(key); ok {
			return task{ref.JobID, step{"convert", ref.Index}, func(ctx context.Context) error { return p.Convert(ctx, key) }}
		}
	case platform.SegmentOutputQueue:
		if id, index, ok := job.ParseOutputKey(key); ok {
			return task{id, step{"complete", index}, func(ctx context.Context) error { return p.created(ctx, id, index) }}
		}
		if id, ok := strings.CutSuffix(strings.TrimPrefix(key, "jobs/"), "/final.mp4"); ok && job.ValidID(id) {
			return task{id, step{"tidy", noSegment}, func(ctx context.Context) error { return p.tidy(ctx, id) }}
		}
	}
	return task{}
}

// receiveSource records that a job's source is whole, and chunks it when the person has asked for that and nobody
// has done it.
func (p *Pipeline) receiveSource(ctx context.Context, id string) error {
	j, err := p.live(ctx, id, liveStatuses()...)
	if err != nil {
		return err
	}
	if !j.Uploaded {
		if j, err = p.recordUpload(ctx, id); err != nil {
			return err
		}
	}
	if j.StartedAt.IsZero() || j.Status != job.Created && j.Status != job.ChunkingInProgress {
		return nil
	}
	return p.withLease(ctx, chunkingLease(id), func(ctx context.Context) error {
		// Who had the lease until now may have done it.
		return p.attend(ctx, id, nil, func(ctx context.Context) error { return p.chunkIn(ctx, id, job.Created, job.ChunkingInProgress) })
	})
}

func chunkingLease(jobID string) string { return "chunking/" + jobID }

// recordUpload writes down that the source is whole; whoever completed the upload may have died before that.
func (p *Pipeline) recordUpload(ctx context.Context, id string) (job.Job, error) {
	return p.Jobs.Update(ctx, id, func(j *job.Job) error {
		j.Uploaded, j.UploadID, j.UpdatedAt = true, "", p.Now()
		return nil
	})
}

// settleTask turns what a step returned into what Handle promises.
func (p *Pipeline) settleTask(ctx context.Context, t task, err error) error {
	switch wait := new(WaitError); {
	case err == nil || errors.Is(err, ErrRechunk) || errors.As(err, new(*damagedError)):
		return nil // what is to be made again has messages of its own
	case errors.Is(err, ErrDead):
		p.Log.DebugContext(ctx, "message dropped", "job_id", t.jobID, "cause", err)
		return p.tidy(ctx, t.jobID)
	case errors.As(err, &wait):
		return err
	case errors.Is(err, platform.ErrLeaseHeld) || errors.Is(err, platform.ErrLeaseLost): // somebody else is at it, or was
		return &WaitError{Delay: p.leaseTime() / 4, Err: err}
	case isFull(err):
		return &StepError{t.jobID, fmt.Errorf("%w (%w)", platform.ErrFull, err)}
	}
	return &StepError{t.jobID, err}
}

func isFull(err error) bool {
	return errors.Is(err, platform.ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// tidy removes what a step published although its job had been removed meanwhile.
func (p *Pipeline) tidy(ctx context.Context, jobID string) error {
	j, err := p.Jobs.Get(ctx, jobID)
	if errors.Is(err, platform.ErrNotFound) {
		return errors.Join(p.eraseObjects(ctx, jobID), p.Progress.Clear(ctx, jobID))
	}
	if err != nil || j.Status != job.Deleting {
		return err
	}
	if err := p.erase(ctx, j); !errors.Is(err, platform.ErrLeaseHeld) {
		return err
	}
	return nil // whoever holds it tidies up, or Reconcile
}

// Permanent reports whether an error of Handle can't get better by trying again: no part of it. A message may be about
// several jobs.
func Permanent(err error) bool {
	if errors.Is(err, job.ErrMessage) {
		return true
	}
	steps := stepErrors(err)
	return len(steps) > 0 && !errors.As(err, new(*WaitError)) && !slices.ContainsFunc(steps, func(s *StepError) bool { return !permanent(s) })
}

func permanent(err error) bool {
	bad := new(media.Error)
	return errors.As(err, &bad) && !bad.Transient && !isFull(err)
}

// GiveUp fails the jobs whose steps failed in err, the last error that Handle returned for a message.
func (p *Pipeline) GiveUp(ctx context.Context, q platform.QueueName, err error) error {
	var errs []error
	for _, s := range stepErrors(err) {
		errs = append(errs, p.Fail(ctx, s.JobID, reason(q, s.Err)))
	}
	return errors.Join(errs...)
}

// stepErrors returns the step errors in err's tree.
func stepErrors(err error) []*StepError {
	if s := new(StepError); errors.As(err, &s) && error(s) == err {
		return []*StepError{s}
	}
	var found []*StepError
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			found = append(found, stepErrors(inner)...)
		}
	case interface{ Unwrap() error }:
		return stepErrors(e.Unwrap())
	}
	return found
}

// reason is one line for a person.
func reason(q platform.QueueName, err error) string {
	text := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	if bad := new(media.Error); errors.As(err, &bad) && !bad.Transient {
		return text
	}
	step := map[platform.QueueName]string{
		platform.ChunkingQueue: "splitting the film", platform.VideoWorkerQueue: "converting a segment",
		platform.SegmentOutputQueue: "recording a segment", platform.ReassemblyQueue: "joining the segments",
	}[q]
	return fmt.Sprintf("%s failed %d times, the last time with: %s", step, platform.MaxReceives, text)
}
