package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

// Convert makes the converted segment that belongs to a segment's key, unless an output that answers
// the same request is there, with the bytes its metadata promises. *WaitError while somebody else makes it.
func (p *Pipeline) Convert(ctx context.Context, key string) error {
	return p.convertNoting(ctx, key, func() {})
}

// convertNoting is Convert that calls encoding once all that is left to do is the encoder's, if the converter tells.
func (p *Pipeline) convertNoting(ctx context.Context, key string, encoding func()) error {
	ref, ok := job.ParseSegmentKey(key)
	if !ok {
		return fmt.Errorf("%w: %q is no segment's key", ErrDead, key)
	}
	// A segment's event may come before chunking is recorded as complete: what encoding was settled on is
	// in the row before the first segment is written.
	j, err := p.lively(ctx, ref.JobID, p.Pulse, job.ChunkingInProgress, job.ChunkingComplete)
	if err == nil && j.TotalSegments != 0 && j.TotalSegments != ref.Total {
		j, err = p.live(ctx, ref.JobID, job.ChunkingInProgress, job.ChunkingComplete) // it may have been chunked anew
	}
	if err != nil {
		return err
	}
	if j.TotalSegments != 0 && j.TotalSegments != ref.Total {
		return dead("segment of an older plan")
	}
	req, err := p.request(ctx, j, ref, key)
	if errors.Is(err, platform.ErrNotFound) {
		return fmt.Errorf("%w: the segment is gone", ErrDead) // the next chunking or Reconcile brings it back
	}
	if err != nil {
		return err
	}
	err = p.claim(ctx, req, func(first bool) error {
		if !first {
			if kept, err := p.keep(ctx, req); kept || err != nil {
				return err
			}
		}
		return p.convert(ctx, j, req, encoding)
	})
	if errors.Is(err, errClaimed) { // whoever has it may be done
		if kept, err := p.keep(ctx, req); kept || err != nil {
			return err
		}
	}
	return err
}

// keep records an output that is already the answer to req, if there is one: its event may have been lost.
func (p *Pipeline) keep(ctx context.Context, req inference.Request) (kept bool, err error) {
	frames, err := p.existing(ctx, req)
	if err != nil || frames == 0 {
		return false, err
	}
	p.observe(Event{JobID: req.JobID, Stage: Converting, Segment: req.Index, Frames: frames, Kept: true, SegmentDone: true})
	return true, p.record(ctx, platform.Completion{JobID: req.JobID, Index: req.Index, Key: req.Output, Frames: frames, Completed: p.Now()})
}

// request returns what is asked of the converter for a segment.
func (p *Pipeline) request(ctx context.Context, j job.Job, ref job.SegmentRef, key string) (inference.Request, error) {
	in, err := p.Input.Head(ctx, key)
	return inference.Request{
		JobID: j.ID, Index: ref.Index, Input: key, Output: job.OutputKey(j.ID, ref.Index),
		Content: in.Metadata[inference.MetaContent], Window: inference.ParseWindow(in.Metadata[inference.MetaWindow]),
		Format: ref.Format, Stereo: j.Options.Stereo, Depth: j.Options.Depth, Encode: j.Settled,
	}, err
}

func (p *Pipeline) convert(ctx context.Context, j job.Job, req inference.Request, encoding func()) error {
	var done atomic.Int64
	begin := p.Now()
	report := func(ctx context.Context) error {
		return p.report(ctx, j.ID, platform.SegmentProgress{Index: req.Index, Frames: int(done.Load()), Started: begin, Updated: p.Now()})
	}
	p.observe(Event{JobID: j.ID, Stage: Converting, Segment: req.Index}) // its first frame may take a while
	var res inference.Result
	err := p.attend(ctx, j.ID, report, func(ctx context.Context) (err error) {
		res, err = p.Converter.Convert(ctx, req, func(n int) {
			done.Store(int64(n))
			p.observe(Event{JobID: j.ID, Stage: Converting, Segment: req.Index, Frames: n})
			if n == req.Window.Frames {
				encoding()
			}
		})
		return err
	})
	if err != nil {
		return p.failed(ctx, j, req, err)
	}
	p.observe(Event{JobID: j.ID, Stage: Converting, Segment: req.Index, Frames: res.Frames, SegmentDone: true, Seconds: res.Seconds})
	p.Log.InfoContext(ctx, "segment converted", "job_id", j.ID, "segment", req.Index, "frames", res.Frames, "seconds", res.Seconds)
	return nil
}

// failed says what the failure of a conversion means.
func (p *Pipeline) failed(ctx context.Context, j job.Job, req inference.Request, err error) error {
	in, headErr := p.Input.Head(ctx, req.Input)
	if errors.Is(headErr, platform.ErrNotFound) || headErr == nil && in.Metadata[inference.MetaContent] != req.Content {
		return fmt.Errorf("%w: the segment was replaced meanwhile (%w)", ErrDead, err) // the new one has an event of its own
	}
	if !errors.Is(err, media.ErrFrameCount) {
		return err
	}
	if !j.Lossless {
		return p.rechunk(ctx, j.ID, err)
	}
	old, planErr := p.outdated(ctx, j.ID, in)
	if planErr != nil {
		return planErr // whether err is final isn't known
	}
	if old {
		return fmt.Errorf("%w: it is a segment of the plan before (%w)", ErrDead, err)
	}
	return err
}

// outdated reports whether a segment of a job that is split without loss is still one of the plan before: that plan's segments
// are there until the new one's have taken their places, and are no reason to fail the job.
func (p *Pipeline) outdated(ctx context.Context, jobID string, segment platform.Object) (bool, error) {
	body, err := p.readPlan(ctx, jobID)
	if errors.Is(err, platform.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	plan, err := media.DecodePlan(body)
	return err == nil && (plan.Lossless == "" || hashBytes(body) != segment.Metadata[metaPlan]), err
}

// existing returns the frames of an output that is already the answer to req, 0 when there is none. A
// store on this disk may have been damaged by a power cut, so its bytes are read; a managed one checks
// them itself.
func (p *Pipeline) existing(ctx context.Context, req inference.Request) (int, error) {
	o, err := p.Output.Head(ctx, req.Output)
	if errors.Is(err, platform.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	frames, ok := inference.Matches(o, req)
	if !ok {
		return 0, nil
	}
	intact, err := p.intact(ctx, p.Output, o)
	if err != nil || !intact {
		return 0, err
	}
	return frames, nil
}

// intact reports whether an object on this disk still has the bytes that its metadata promises.
func (p *Pipeline) intact(ctx context.Context, store platform.Objects, o platform.Object) (bool, error) {
	files, ok := store.(platform.Files)
	if !ok {
		return true, nil
	}
	path, err := files.Path(ctx, o.Key)
	if err != nil {
		return false, err
	}
	sum, err := platform.HashFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return sum == o.Metadata[inference.MetaContent], err
}

// ErrRechunk says that a segment's copy didn't decode to the planned frames and that the job was sent
// back to chunking, this time through a lossless re-encode.
var ErrRechunk = errors.New("stream copy was not exact: chunking again without loss")

func (p *Pipeline) rechunk(ctx context.Context, jobID string, cause error) error {
	p.Log.Warn("segments are not exact copies; chunking again through a lossless re-encode", "job_id", jobID, "cause", cause)
	_, err := p.advanceIf(ctx, jobID, job.ChunkingInProgress, func(j *job.Job) error {
		if j.Lossless {
			return dead("another segment had it chunked again")
		}
		j.Lossless, j.TotalSegments, j.CompletedSegments = true, 0, 0
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.forgetPlan(ctx, jobID); err != nil {
		return err
	}
	if err := p.sendSource(ctx, jobID); err != nil {
		return err
	}
	return fmt.Errorf("%w (%w)", ErrRechunk, cause)
}

// forgetPlan removes a job's plan, its segments, and what is recorded of those.
func (p *Pipeline) forgetPlan(ctx context.Context, jobID string) error {
	if err := p.Completions.Forget(ctx, jobID); err != nil {
		return err
	}
	return erasePrefix(ctx, p.Input, "segments/"+jobID+"/")
}

// Complete records the converted segment that belongs to an output's key if it is there, and reports the job as ready
// when it was the last. Keys of other objects under jobs/ are no error: the event filter can't tell.
func (p *Pipeline) Complete(ctx context.Context, key string) error {
	id, index, ok := job.ParseOutputKey(key)
	if !ok {
		return nil
	}
	o, err := p.Output.Head(ctx, key)
	if errors.Is(err, platform.ErrNotFound) {
		return fmt.Errorf("%w: the converted segment is gone", ErrDead) // it was damaged and is made again
	}
	if err != nil {
		return err
	}
	frames, _ := strconv.Atoi(o.Metadata[inference.MetaFrames])
	return p.record(ctx, platform.Completion{JobID: id, Index: index, Key: key, Frames: frames, Completed: p.Now()})
}

// created records the converted segment whose event says that it was made. It isn't looked at again: should it be gone
// since, reassembly, which reads every one, has it made anew. The first one here also gives the job its picture: whoever
// converts may have no FFmpeg.
func (p *Pipeline) created(ctx context.Context, id string, index int) error {
	key := job.OutputKey(id, index)
	if err := p.record(ctx, platform.Completion{JobID: id, Index: index, Key: key, Completed: p.Now()}); err != nil {
		return err
	}
	p.thumbnail(ctx, id, key)
	return nil
}

// record writes a completion down and evaluates the trigger.
func (p *Pipeline) record(ctx context.Context, c platform.Completion) error {
	if _, err := p.lively(ctx, c.JobID, p.Pulse, job.ChunkingInProgress, job.ChunkingComplete); err != nil {
		return err
	}
	j, err := p.Completions.Record(ctx, c)
	if errors.Is(err, platform.ErrNotFound) {
		return dead("no such job")
	}
	if err != nil {
		return err
	}
	p.remember(j)
	return p.trigger(ctx, j)
}

// trigger asks for a job's reassembly when chunking is complete and every segment is converted. It is evaluated
// after every completion and after chunking, so the order in which the two become true doesn't matter.
func (p *Pipeline) trigger(ctx context.Context, j job.Job) error {
	if j.Status != job.ChunkingComplete || j.TotalSegments == 0 || j.CompletedSegments < j.TotalSegments {
		return nil
	}
	return p.send(ctx, platform.ReassemblyQueue, job.ReassemblyMessage{JobID: j.ID}.Encode())
}

func hashBytes(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
