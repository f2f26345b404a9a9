// Package pipeline holds the steps that turn an upload into a film in 3D: chunk, convert, complete,
// reassemble. Each is a function of a message and a platform, may be killed at any point, and may be
// repeated: its effects are conditional writes and objects that appear whole or not at all.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

// Pipeline is what the steps work with. All fields but Films, Observe and Traces are required; Run does without the
// platform's queues, progress and uploads.
type Pipeline struct {
	platform.Platform
	Converter inference.Converter
	Films     Films  // nil means FFmpeg
	Scratch   string // directory for files under way; best on the disk of the object stores
	Owner     string // this process's name in leases
	Log       *slog.Logger
	Now       func() time.Time
	// LeaseTime is how long a lease lasts without renewal; a holder that dies delays its job by it. 0 means 2 minutes.
	LeaseTime time.Duration
	// Pulse is how often work under way reports its progress and learns whether the job still wants it. 0 means
	// never: Run's caller has the job for itself.
	Pulse time.Duration
	// Policy is what Reconcile goes by.
	Policy Policy
	// Sweeper, if set, is called by Reconcile.
	Sweeper Sweeper
	// Observe, if set, hears of progress; it must not block. Called from several goroutines.
	Observe func(Event)
	// Traces makes a span of each step that a message asks for; nil makes none.
	Traces trace.TracerProvider

	claims claims // outputs that are being made here
	leases claims // leases that are held here
	rows   rows
	tidied atomic.Int64 // when Reconcile tidied up last, epoch nanoseconds
	served served       // what Reconcile has learnt of the queues
}

// Stage names a part of the work, in the order in which a person sees them.
type Stage string

// The stages.
const (
	Measuring    Stage = "measuring"    // probing the source and reading its packet table
	Splitting    Stage = "splitting"    // writing segment files
	Converting   Stage = "converting"   // depth, views, encoding
	Reassembling Stage = "reassembling" // joining, muxing, reading back
)

// Event is one step of progress.
type Event struct {
	JobID string
	Stage Stage
	Plan  *media.Plan // set once per Chunk, when it is known
	// Warnings come with the plan and with Film: what the output can't keep, or lacks, in plain words.
	Warnings []string
	Encoder  string // that was chosen for the film, where that was left to the machine; set with Plan
	// Segment and Frames say how far a segment is; Kept is set when its output was there already.
	Segment, Frames int
	Kept            bool
	SegmentDone     bool
	Seconds         float64 // what converting the segment took; set with SegmentDone
	Film            float64 // length of a film that has just been completed, in seconds
}

func (p *Pipeline) observe(e Event) {
	if p.Observe != nil {
		p.Observe(e)
	}
}

// ErrDead says that a message belongs to a job that is gone or no longer wants the work: acknowledge it.
var ErrDead = errors.New("job is gone or has ended")

func dead(why string) error { return fmt.Errorf("%w: %s", ErrDead, why) }

// advance moves a job to a status if it may go there, and applies change in the same write.
func (p *Pipeline) advance(ctx context.Context, id string, to job.Status, change func(*job.Job)) (job.Job, error) {
	return p.advanceIf(ctx, id, to, func(j *job.Job) error {
		if change != nil {
			change(j)
		}
		return nil
	})
}

// advanceIf is advance with a change that may refuse: it sees the job before it moves, and its error is returned.
func (p *Pipeline) advanceIf(ctx context.Context, id string, to job.Status, change func(*job.Job) error) (job.Job, error) {
	var from job.Status
	j, err := p.Jobs.Update(ctx, id, func(j *job.Job) error {
		if from = j.Status; !slices.Contains(to.From(), from) {
			return dead("it is " + string(from))
		}
		if err := change(j); err != nil {
			return err
		}
		j.Status, j.UpdatedAt = to, p.Now()
		return nil
	})
	if errors.Is(err, platform.ErrNotFound) {
		return j, dead("no such job")
	}
	if err == nil {
		p.remember(j)
	}
	if err == nil && from != to {
		p.logMove(ctx, from, j)
	}
	return j, err
}

// logMove tells the log of a job's new status.
func (p *Pipeline) logMove(ctx context.Context, from job.Status, j job.Job) {
	attrs := []any{"job_id", j.ID, "from", string(from), "status", string(j.Status)}
	switch j.Status {
	case job.ChunkingComplete:
		attrs = append(attrs, "frames", j.TotalFrames, "segments", j.TotalSegments)
	case job.Completed:
		attrs = append(attrs, "frames", j.TotalFrames, "took", j.CompletedAt.Sub(j.StartedAt).Round(time.Millisecond).String())
	case job.Failed:
		attrs = append(attrs, "reason", j.Reason)
	}
	p.Log.InfoContext(ctx, "the job moved on", attrs...)
}

// Fail ends a job with a reason that a person can read. A job that has ended stays as it is.
func (p *Pipeline) Fail(ctx context.Context, id, reason string) error {
	_, err := p.advance(ctx, id, job.Failed, func(j *job.Job) { j.Reason = reason })
	if errors.Is(err, ErrDead) {
		return nil
	}
	return err
}

// scratch makes a directory for one step's files; the caller calls remove.
func (p *Pipeline) scratch(step string) (dir string, remove func(), err error) {
	if err := os.MkdirAll(p.Scratch, 0o700); err != nil {
		return "", nil, err
	}
	dir, err = os.MkdirTemp(p.Scratch, step+"-*")
	return dir, func() { _ = os.RemoveAll(dir) }, err // what stays is swept with the process's directory
}
