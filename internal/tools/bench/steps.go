package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
)

// chunk measures probing, planning and splitting over one stream copy of the same file.
func (b *bench) chunk(ctx context.Context) error {
	header("chunking, 1080p24 H.264")
	for _, minutes := range []int{1, 10} {
		in, err := b.longFilm(ctx, minutes)
		if err != nil {
			return err
		}
		r, err := b.pairs(ctx, func(ctx context.Context) error { return b.split(ctx, in) },
			ffmpeg("-i %s -c copy %s", in, b.path("copy.mkv")))
		if err != nil {
			return err
		}
		row(fmt.Sprintf("%d min; reference: ffmpeg -c copy to Matroska", minutes), r)
	}
	fmt.Println()
	return nil
}

func (b *bench) longFilm(ctx context.Context, minutes int) (string, error) {
	film, err := b.film(ctx, 1920, 1080, 8, b.frames)
	if err != nil {
		return "", err
	}
	return b.looped(ctx, film, b.frames, minutes)
}

func (b *bench) split(ctx context.Context, in string) error {
	plan, err := pipeline.MakePlan(ctx, in, job.DefaultOptions(), false)
	if err != nil {
		return err
	}
	if plan.Lossless != "" {
		return fmt.Errorf("segments are not stream copies: %s", plan.Lossless)
	}
	dir, err := os.MkdirTemp(b.dir, "split-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return media.Split(ctx, in, plan, func(media.Segment, string) error { return nil }, dir)
}

// reassemble measures joining, muxing with sound and reading back over FFmpeg's concat demuxer.
func (b *bench) reassemble(ctx context.Context) error {
	header("reassembly, 1080p24 full-sbs H.264, ten minutes")
	in, err := b.longFilm(ctx, 10)
	if err != nil {
		return err
	}
	o := job.DefaultOptions()
	o.SegmentFrames = b.frames
	plan, err := pipeline.MakePlan(ctx, in, o, false)
	if err != nil {
		return err
	}
	// Every segment has the same length, so one converted segment stands for all.
	segment, err := b.convertedSegment(ctx, in, plan)
	if err != nil {
		return err
	}
	var list string
	var segments []media.SegmentOutput
	for _, s := range plan.Segments {
		if s.Frames != b.frames {
			return fmt.Errorf("segment %d has %d frames, want %d", s.Index, s.Frames, b.frames)
		}
		segments = append(segments, media.SegmentOutput{Path: segment, Frames: s.Frames})
		list += "file '" + segment + "'\n"
	}
	names := b.path("list.txt")
	if err := os.WriteFile(names, []byte(list), 0o644); err != nil {
		return err
	}
	r, err := b.pairs(ctx, func(ctx context.Context) error {
		_, err := media.Assemble(ctx, media.AssembleRequest{
			Plan: plan, SourcePath: in, Segments: segments, Container: "mp4", Layout: media.SideBySide, Output: b.path("final.mp4"),
		})
		return err
	}, ffmpeg("-f concat -safe 0 -i %s -i %s -map 0:v -map 1:a -c copy %s", names, in, b.path("concat.mp4")))
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%d segments; reference: ffmpeg concat -c copy with the sound, index last, nothing read back", len(segments)), r)
	fmt.Println()
	return nil
}

// convertedSegment converts the plan's first segment and returns its absolute path.
func (b *bench) convertedSegment(ctx context.Context, in string, plan *media.Plan) (string, error) {
	path, err := filepath.Abs(b.path(fmt.Sprintf("segment_%d.mp4", b.frames)))
	if err != nil {
		return "", err
	}
	return path, once(ctx, path, func(ctx context.Context) error {
		dir, err := os.MkdirTemp(b.dir, "segment-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		first := *plan
		first.Segments = plan.Segments[:1]
		return media.Split(ctx, in, &first, func(_ media.Segment, file string) error {
			o := job.DefaultOptions()
			o.Encode.Codec, o.Encode.Encoder, o.Encode.CRF = "h264", "libx264", 18
			_, err := clip.Convert(ctx, clip.Request{Input: file, Output: path, Format: o.Format, Stereo: o.Stereo, Depth: o.Depth, Encode: o.Encode})
			return err
		}, dir)
	})
}
