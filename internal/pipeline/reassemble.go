package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

// Reassemble joins a job's converted segments with the sound of its source, verifies the result by
// reading it back, and completes the job. One process at a time does it for a job: platform.ErrLeaseHeld.
func (p *Pipeline) Reassemble(ctx context.Context, jobID string) error {
	return p.withLease(ctx, reassemblyLease(jobID), func(ctx context.Context) error {
		j, err := p.beginReassembly(ctx, jobID)
		if err != nil {
			return err
		}
		err = p.attend(ctx, jobID, nil, func(ctx context.Context) error { return p.reassemble(ctx, j) })
		if damaged := new(damagedError); errors.As(err, &damaged) {
			if forget := p.forgetDamaged(ctx, j, damaged.key); forget != nil {
				return forget
			}
		}
		return err
	})
}

// errEarly says that a job was sent to reassembly before every segment was converted; the last one's completion
// sends it again.
var errEarly = fmt.Errorf("%w: not every segment is converted yet", ErrDead)

func (p *Pipeline) beginReassembly(ctx context.Context, jobID string) (job.Job, error) {
	j, err := p.live(ctx, jobID, job.Reassembling.From()...)
	if err != nil {
		return j, err
	}
	if j.TotalSegments == 0 || j.CompletedSegments < j.TotalSegments {
		return j, errEarly
	}
	return p.advance(ctx, jobID, job.Reassembling, nil)
}

func reassemblyLease(jobID string) string { return "reassembly/" + jobID }

func (p *Pipeline) reassemble(ctx context.Context, j job.Job) error {
	dir, remove, err := p.scratch("reassemble")
	if err != nil {
		return err
	}
	defer remove()
	plan, err := p.ReadPlan(ctx, j.ID)
	if err != nil {
		return err
	}
	source, err := platform.Fetch(ctx, p.Input, job.SourceKey(j.ID), dir)
	if err != nil {
		return err
	}
	segments, answers, err := p.fetchOutputs(ctx, j, plan, dir)
	if err != nil {
		return err
	}
	p.observe(Event{JobID: j.ID, Stage: Reassembling, Plan: plan})
	final := filepath.Join(dir, "final."+string(j.Settled.Container))
	if err := p.films().Assemble(ctx, media.AssembleRequest{
		Plan: plan, SourcePath: source, Segments: segments, Container: string(j.Settled.Container),
		Layout: clip.LayoutOf(j.Options.Format), Output: final,
	}); err != nil {
		return err
	}
	key := job.FinalKey(j.ID, j.Settled.Container)
	if _, err := platform.PutFile(ctx, p.Output, key, final, platform.PutOptions{ContentType: contentType(j.Settled.Container)}); err != nil {
		return err
	}
	warnings, err := p.publishReport(ctx, j, plan, segments, answers)
	if err != nil {
		return err
	}
	_, err = p.advance(ctx, j.ID, job.Completed, func(j *job.Job) {
		j.FinalKey, j.CompletedAt, j.Reason = key, p.Now(), ""
		j.Warnings = append(j.Warnings, warnings...)
	})
	if err != nil {
		return err
	}
	p.observe(Event{JobID: j.ID, Stage: Reassembling, Film: plan.Seconds(), Warnings: warnings})
	if p.Progress == nil {
		return nil
	}
	return p.Progress.Clear(ctx, j.ID)
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

// fetchOutputs returns the converted segments' files in order, having checked that they are whole, and the hashes of the
// requests that they answer.
func (p *Pipeline) fetchOutputs(ctx context.Context, j job.Job, plan *media.Plan, dir string) (out []media.SegmentOutput, answers []string, err error) {
	for _, s := range plan.Segments {
		key := job.OutputKey(j.ID, s.Index)
		path, o, err := platform.FetchObject(ctx, p.Output, key, dir)
		if errors.Is(err, platform.ErrNotFound) {
			return nil, nil, &damagedError{key}
		}
		if err != nil {
			return nil, nil, err
		}
		if ok, err := p.current(ctx, j, plan, s.Index, o); err != nil || !ok {
			return nil, nil, errors.Join(err, &damagedError{key})
		}
		out = append(out, media.SegmentOutput{Path: path, Frames: s.Frames})
		answers = append(answers, o.Metadata[inference.MetaRequest])
	}
	return out, answers, nil
}

// current reports whether o is the whole result of the plan's segment. Only a job that was chunked again may
// still have results of an earlier plan.
func (p *Pipeline) current(ctx context.Context, j job.Job, plan *media.Plan, index int, o platform.Object) (bool, error) {
	if j.Lossless {
		ref := job.SegmentRef{JobID: j.ID, Index: index, Total: len(plan.Segments), Format: j.Options.Format}
		req, err := p.request(ctx, j, ref, segmentKey(j, plan, index))
		if err != nil {
			return false, err
		}
		if _, ok := inference.Matches(o, req); !ok {
			return false, nil
		}
	}
	return p.intact(ctx, p.Output, o)
}

// forgetDamaged sends a job back to converting, so that the lost segment is made again. The others' messages find
// them there and record them anew. The status goes first: a job that counts too few segments is never reassembled, and one
// that is being reassembled is sent nothing else.
func (p *Pipeline) forgetDamaged(ctx context.Context, j job.Job, key string) error {
	if err := p.Output.Delete(ctx, key); err != nil {
		return err
	}
	j, err := p.advance(ctx, j.ID, job.ChunkingComplete, nil)
	if err != nil {
		return err
	}
	if err := p.Completions.Forget(ctx, j.ID); err != nil {
		return err
	}
	return p.sendCreated(ctx, platform.VideoWorkerQueue, segmentKeys(j)...)
}
