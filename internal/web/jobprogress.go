package web

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

// measured is what is known of a job's work beside its row.
type measured struct {
	done     []platform.Completion
	progress []platform.SegmentProgress
	sizes    []int // frames of each segment; none while the job isn't planned
}

// jobView shows one job with its segments and how far they are.
func (s *Server) jobView(ctx context.Context, j job.Job) (Job, error) {
	v := viewOf(j)
	if err := s.showReceived(ctx, j, &v); err != nil {
		return v, err
	}
	if j.Status == job.Completed || j.Status == job.Deleting {
		return v, nil
	}
	m, err := s.measure(ctx, j)
	if err != nil {
		return v, err
	}
	now := s.Now()
	fallback, err := s.recent.get(ctx, now)
	if err != nil {
		return v, err
	}
	m.show(&v, now, fallback)
	return v, nil
}

// showReceived says how much of an upload under way has arrived.
func (s *Server) showReceived(ctx context.Context, j job.Job, v *Job) error {
	if v.Upload == nil || j.UploadID == "" {
		return nil
	}
	parts, err := s.openParts(ctx, j)
	if errors.Is(err, errNoUpload) {
		return nil
	}
	for _, p := range parts {
		v.Upload.Received += p.Size
	}
	return err
}

// measure asks the stores how far a job is.
func (s *Server) measure(ctx context.Context, j job.Job) (m measured, err error) {
	if j.TotalFrames == 0 {
		return m, nil
	}
	if m.done, err = s.Platform.Completions.All(ctx, j.ID); err != nil {
		return m, err
	}
	if j.Status.Live() {
		if m.progress, err = s.Platform.Progress.Of(ctx, j.ID); err != nil {
			return m, err
		}
	}
	m.sizes, err = s.plans.sizes(ctx, j)
	for i, c := range m.done {
		if c.Frames == 0 && c.Index < len(m.sizes) {
			m.done[i].Frames = m.sizes[c.Index]
		}
	}
	return m, err
}

// show fills in frames, rate, time left and segments. fallback is other jobs' frames per second.
func (m measured) show(v *Job, now time.Time, fallback float64) {
	finished := make(map[int]bool, len(m.done))
	v.Frames = 0
	for _, c := range m.done {
		finished[c.Index] = true
		v.Frames += c.Frames
	}
	under := slices.DeleteFunc(slices.Clone(m.progress), func(p platform.SegmentProgress) bool { return finished[p.Index] })
	for _, p := range under {
		v.Frames += p.Frames
	}
	v.Segments = m.segments(finished, under)
	switch v.Stage {
	case StageConverting, StageSplitting:
		rate := framesPerSecond(now, under, m.done)
		v.FPS = math.Round(rate*10) / 10
		if rate <= 0 {
			rate = fallback
		}
		if v.TotalFrames > 0 {
			v.SecondsLeft = secondsLeft(v.TotalFrames-v.Frames, rate)
		}
	case StageJoining:
		v.Frames = v.TotalFrames
	}
}

func (m measured) segments(finished map[int]bool, under []platform.SegmentProgress) []Segment {
	segments := make([]Segment, len(m.sizes))
	for i, size := range m.sizes {
		segments[i] = Segment{Index: i, State: SegmentWaiting, Total: size}
		if finished[i] {
			segments[i].State, segments[i].Frames = SegmentDone, size
		}
	}
	for _, p := range under {
		if p.Index >= 0 && p.Index < len(segments) {
			segments[p.Index].State, segments[p.Index].Frames = SegmentConverting, min(p.Frames, m.sizes[p.Index])
		}
	}
	return segments
}

// byTime returns completions in the order in which they came.
func byTime(done []platform.Completion) []platform.Completion {
	return slices.SortedFunc(slices.Values(done), func(a, b platform.Completion) int {
		return cmp.Or(a.Completed.Compare(b.Completed), cmp.Compare(a.Index, b.Index))
	})
}

// planSizes remembers how many frames the segments of planned jobs have: a long film's plan is too big to be read at
// every look.
type planSizes struct {
	input platform.Objects
	mu    sync.Mutex
	known map[string]plannedSizes // by job
}

type plannedSizes struct {
	etag  string // of the plan
	sizes []int
}

func newPlanSizes(input platform.Objects) *planSizes {
	return &planSizes{input: input, known: map[string]plannedSizes{}}
}

// maxPlans bounds planSizes; the jobs under way on one machine are far fewer.
const maxPlans = 256

// sizes returns the frames of each segment; none when the job has no plan yet.
func (p *planSizes) sizes(ctx context.Context, j job.Job) ([]int, error) {
	key := job.PlanKey(j.ID)
	o, err := p.input.Head(ctx, key)
	if errors.Is(err, platform.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	known, ok := p.known[j.ID]
	p.mu.Unlock()
	if ok && known.etag == o.ETag {
		return known.sizes, nil
	}
	sizes, err := readSizes(ctx, p.input, key)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxPlans {
		clear(p.known)
	}
	p.known[j.ID] = plannedSizes{o.ETag, sizes}
	return sizes, nil
}

func readSizes(ctx context.Context, input platform.Objects, key string) ([]int, error) {
	r, _, err := input.Get(ctx, key, 0, -1)
	if errors.Is(err, platform.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	plan, err := media.DecodePlan(body)
	if err != nil {
		return nil, err
	}
	sizes := make([]int, len(plan.Segments))
	for i, segment := range plan.Segments {
		sizes[i] = segment.Frames
	}
	return sizes, nil
}
