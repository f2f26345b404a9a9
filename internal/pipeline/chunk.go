package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

// metaPlan is the metadata of a segment object that names the plan it belongs to.
const metaPlan = "stereospot-plan"

// Chunk plans a job's source and writes its plan and segment files. Repeated, it finds the same plan and
// writes only what is missing.
func (p *Pipeline) Chunk(ctx context.Context, jobID string) error {
	return p.chunkIn(ctx, jobID, job.ChunkingInProgress.From()...)
}

// chunkIn is Chunk of a job in one of the statuses; else the error is ErrDead. A segment that turns out not to be an exact
// copy sends the job back while others are still being written: then it begins anew.
func (p *Pipeline) chunkIn(ctx context.Context, jobID string, statuses ...job.Status) error {
	for {
		err := p.chunkOnce(ctx, jobID, statuses)
		if !errors.Is(err, errReplanned) {
			return err
		}
		if err := p.forgetPlan(ctx, jobID); err != nil { // and what was written of it since that moment
			return err
		}
	}
}

// errReplanned says that a job is to be split by another plan than the one that it was being split by.
var errReplanned = errors.New("the job is to be planned anew")

func (p *Pipeline) chunkOnce(ctx context.Context, jobID string, statuses []job.Status) error {
	j, err := p.advanceIf(ctx, jobID, job.ChunkingInProgress, func(j *job.Job) error {
		if !slices.Contains(statuses, j.Status) {
			return dead("it is " + string(j.Status))
		}
		return nil
	})
	if err != nil {
		return err
	}
	dir, remove, err := p.scratch("chunk")
	if err != nil {
		return err
	}
	defer remove()
	source, err := platform.Fetch(ctx, p.Input, job.SourceKey(jobID), dir)
	if err != nil {
		return err
	}
	return media.Rename(p.chunk(ctx, j, source, dir), source, j.Title)
}

// chunk does it with the source's file, and with a directory for files under way.
func (p *Pipeline) chunk(ctx context.Context, j job.Job, source, dir string) error {
	p.observe(Event{JobID: j.ID, Stage: Measuring})
	plan, encode, err := p.films().Measure(ctx, source, asked(j), j.Lossless)
	if err != nil {
		return err
	}
	lossless := j.Lossless
	if j, err = p.settle(ctx, j, plan, encode); err != nil {
		return err
	}
	planned := Event{JobID: j.ID, Stage: Splitting, Plan: plan, Warnings: j.Warnings}
	if j.Options.Encode.Encoder == media.GPUEncoder {
		planned.Encoder = encode.Encoder
		p.Log.InfoContext(ctx, "the encoder was chosen", "job_id", j.ID, "encoder", encode.Encoder)
	}
	p.observe(planned)
	if err := p.writeSegments(ctx, j, source, plan, dir); err != nil {
		return err
	}
	j, err = p.advanceIf(ctx, j.ID, job.ChunkingComplete, func(j *job.Job) error {
		if j.Lossless != lossless {
			return errReplanned
		}
		j.TotalSegments = len(plan.Segments)
		return nil
	})
	if err != nil {
		return err
	}
	return p.trigger(ctx, j)
}

// asked returns the job's options. An encoder that was chosen by trying stays for as long as the job does: segments that it
// encoded may be there already, and a later try may end otherwise.
func asked(j job.Job) job.Options {
	o := j.Options
	if o.Encode.Encoder == media.GPUEncoder && j.Settled.Encoder != "" {
		o.Encode.Encoder = j.Settled.Encoder
	}
	return o
}

// settle writes down what was decided about encoding, with what the plan says, before any segment is: a segment may be
// converted before chunking is recorded as complete.
func (p *Pipeline) settle(ctx context.Context, j job.Job, plan *media.Plan, e job.EncodeOptions) (job.Job, error) {
	_, lost := media.Carry(&plan.Source, string(e.Container))
	return p.advance(ctx, j.ID, job.ChunkingInProgress, func(j *job.Job) {
		j.Settled, j.TotalFrames = e, plan.Frames()
		j.Warnings = append(append([]string{}, plan.Warnings...), lost...)
	})
}

// writeSegments publishes the plan, then every segment that isn't there yet. Segments of another plan
// (changed source or options) are overwritten, for their metadata names the plan.
func (p *Pipeline) writeSegments(ctx context.Context, j job.Job, source string, plan *media.Plan, dir string) error {
	body, err := encodePlan(plan, j.Title)
	if err != nil {
		return err
	}
	id := hashBytes(body)
	missing, err := p.missingSegments(ctx, j, plan, id)
	if err != nil {
		return err
	}
	// The plan goes first: whoever sees a segment can find the plan.
	if _, err := p.Input.Put(ctx, job.PlanKey(j.ID), bytes.NewReader(body), platform.PutOptions{ContentType: "application/json"}); err != nil {
		return err
	}
	if err := p.sendKept(ctx, j, plan, missing); err != nil || len(missing) == 0 {
		return err
	}
	return p.films().Split(ctx, source, plan, func(s media.Segment, path string) error {
		if !missing[s.Index] {
			return os.Remove(path)
		}
		sum, err := platform.HashFile(path)
		if err != nil {
			return err
		}
		_, err = platform.PutFile(ctx, p.Input, segmentKey(j, plan, s.Index), path, platform.PutOptions{
			ContentType: "video/x-matroska",
			Metadata: map[string]string{
				metaPlan: id, inference.MetaContent: sum, inference.MetaWindow: inference.FormatWindow(s.Window()),
			},
		})
		if err == nil {
			p.observe(Event{JobID: j.ID, Stage: Splitting, Segment: s.Index, SegmentDone: true})
		}
		return err
	}, dir)
}

// sendKept repeats the events of segments that an earlier attempt wrote and nobody has converted yet: they may
// have been lost, or dropped while the job was failed or cancelled.
func (p *Pipeline) sendKept(ctx context.Context, j job.Job, plan *media.Plan, missing map[int]bool) error {
	if p.Queues == nil || len(missing) == len(plan.Segments) {
		return nil
	}
	done, err := p.completed(ctx, j.ID)
	if err != nil {
		return err
	}
	var keys []string
	for _, s := range plan.Segments {
		if !missing[s.Index] && !done[s.Index] {
			keys = append(keys, segmentKey(j, plan, s.Index))
		}
	}
	return p.sendCreated(ctx, platform.VideoWorkerQueue, keys...)
}

// completed returns the segments that are recorded as converted.
func (p *Pipeline) completed(ctx context.Context, jobID string) (map[int]bool, error) {
	rows, err := p.Completions.All(ctx, jobID)
	done := make(map[int]bool, len(rows))
	for _, c := range rows {
		done[c.Index] = true
	}
	return done, err
}

func segmentKey(j job.Job, plan *media.Plan, index int) string {
	return job.SegmentKey(j.ID, index, len(plan.Segments), j.Options.Format)
}

// missingSegments returns the segments that aren't there yet: without a plan, which goes first, all of them.
func (p *Pipeline) missingSegments(ctx context.Context, j job.Job, plan *media.Plan, id string) (map[int]bool, error) {
	missing := map[int]bool{}
	_, err := p.Input.Head(ctx, job.PlanKey(j.ID))
	fresh := errors.Is(err, platform.ErrNotFound)
	if err != nil && !fresh {
		return nil, err
	}
	for _, s := range plan.Segments {
		if fresh {
			missing[s.Index] = true
			continue
		}
		o, err := p.Input.Head(ctx, segmentKey(j, plan, s.Index))
		if err != nil && !errors.Is(err, platform.ErrNotFound) {
			return nil, err
		}
		if err != nil || o.Metadata[metaPlan] != id {
			missing[s.Index] = true
		}
	}
	return missing, nil
}

// ReadPlan returns the plan that Chunk wrote for a job.
func (p *Pipeline) ReadPlan(ctx context.Context, jobID string) (*media.Plan, error) {
	body, err := p.readPlan(ctx, jobID)
	if err != nil {
		return nil, err
	}
	return media.DecodePlan(body)
}

func (p *Pipeline) readPlan(ctx context.Context, jobID string) ([]byte, error) {
	r, _, err := p.Input.Get(ctx, job.PlanKey(jobID), 0, -1)
	if err != nil {
		return nil, fmt.Errorf("plan of job %s: %w", jobID, err)
	}
	defer r.Close()
	return io.ReadAll(r)
}

// encodePlan writes the plan with the person's name of the source instead of this machine's path to it,
// so that the same source gives the same bytes everywhere.
func encodePlan(plan *media.Plan, title string) ([]byte, error) {
	named := *plan
	named.Source.Path = title
	return media.EncodePlan(&named)
}
