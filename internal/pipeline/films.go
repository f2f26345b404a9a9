package pipeline

import (
	"context"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
)

// Films is what the steps do to films. FFmpeg does it; benchmarks and simulations of everything else stand in for it.
type Films interface {
	// Measure plans a source's segments as MakePlan does, and settles what its person left open about encoding.
	Measure(ctx context.Context, source string, o job.Options, lossless bool) (*media.Plan, job.EncodeOptions, error)
	// Split is media.Split: it hands each segment's file to sink, which takes it away.
	Split(ctx context.Context, source string, plan *media.Plan, sink func(s media.Segment, path string) error, dir string) error
	// Assemble writes the final file, and has read it back.
	Assemble(ctx context.Context, r media.AssembleRequest) error
	// Still returns one frame of a converted segment as a JPEG of at most width pixels across; frame counts from 0.
	Still(ctx context.Context, path string, frame, width int) ([]byte, error)
}

// ffmpeg is Films done in earnest.
type ffmpeg struct{}

var _ Films = ffmpeg{}

func (p *Pipeline) films() Films {
	if p.Films == nil {
		return ffmpeg{}
	}
	return p.Films
}

// Measure implements Films.
func (ffmpeg) Measure(ctx context.Context, source string, o job.Options, lossless bool) (*media.Plan, job.EncodeOptions, error) {
	e := o.Encode
	plan, err := MakePlan(ctx, source, o, lossless)
	if err != nil {
		return nil, e, err
	}
	if e.Codec, e.Encoder, err = media.ChooseEncoder(ctx, e.Codec, e.Encoder, plan.Source.Video.Bits); err != nil {
		return nil, e, err
	}
	if e.Container == job.AutoContainer {
		e.Container = job.Container(media.AutoContainer(&plan.Source))
	}
	return plan, e, nil
}

// Split implements Films.
func (ffmpeg) Split(ctx context.Context, source string, plan *media.Plan, sink func(media.Segment, string) error, dir string) error {
	return media.Split(ctx, source, plan, sink, dir)
}

// Assemble implements Films.
func (ffmpeg) Assemble(ctx context.Context, r media.AssembleRequest) error {
	_, err := media.Assemble(ctx, r)
	return err
}

// Still implements Films.
func (ffmpeg) Still(ctx context.Context, path string, frame, width int) ([]byte, error) {
	return media.Still(ctx, path, frame, width)
}

// MakePlan measures the source and plans its segments for the options. lossless forces segments that are
// re-encoded without loss, for a source whose copies turned out not to decode to the same frames.
func MakePlan(ctx context.Context, source string, o job.Options, lossless bool) (*media.Plan, error) {
	support, err := clip.Support(o.Depth, o.Stereo)
	if err != nil {
		return nil, err
	}
	src, err := media.Probe(ctx, source)
	if err != nil {
		return nil, err
	}
	timeline, err := readTimeline(ctx, src, lossless)
	if err != nil {
		return nil, err
	}
	return media.NewPlan(src, timeline, media.PlanOptions{
		SegmentFrames: o.SegmentFrames, Support: support, Start: o.Start, Duration: o.Duration, Lossless: lossless,
	})
}

func readTimeline(ctx context.Context, src *media.Source, lossless bool) (*media.Timeline, error) {
	if lossless {
		return media.ReadDecodedTimeline(ctx, src, "copies of its packets don't decode to the frames they promise")
	}
	return media.ReadTimeline(ctx, src)
}
