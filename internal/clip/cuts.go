package clip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// FindCuts returns the plan's frames that begin a new shot, in order, without frame 0: those that a conversion on classic
// depth finds. It decodes the whole film, segment by segment, with files in dir.
// errors.Is(err, media.ErrFrameCount) means that a segment doesn't decode to the frames it promises.
func FindCuts(ctx context.Context, path string, plan *media.Plan, dir string) ([]int, error) {
	cuts, waiting, next := &depth.Cuts{}, map[int]string{}, 0
	err := media.Split(ctx, path, plan, func(s media.Segment, file string) error {
		// Segments come mostly in order.
		waiting[s.Index] = filepath.Join(dir, fmt.Sprintf("waiting-%d.mkv", s.Index))
		if err := os.Rename(file, waiting[s.Index]); err != nil {
			return err
		}
		for ; waiting[next] != ""; next++ {
			if err := watch(ctx, waiting[next], cuts); err != nil {
				return err
			}
			if err := os.Remove(waiting[next]); err != nil {
				return err
			}
			delete(waiting, next)
		}
		return nil
	}, dir)
	if err != nil {
		return nil, err
	}
	return cuts.Flush(), nil
}

// watch shows a segment file's own frames to cuts.
func watch(ctx context.Context, path string, cuts *depth.Cuts) error {
	seg, err := media.OpenSegment(ctx, path)
	if err != nil {
		return err
	}
	if seg.Info().Video.Bits > 8 {
		return watchFrames[uint16](ctx, seg, cuts)
	}
	return watchFrames[uint8](ctx, seg, cuts)
}

func watchFrames[T yuv.Sample](ctx context.Context, seg *media.SegmentFile, cuts *depth.Cuts) error {
	v, window := seg.Info().Video, seg.Info().Window
	est, err := depth.New(job.Classic)
	if err != nil {
		return err
	}
	reader, err := seg.Decode(ctx, window.First, window.Frames)
	if err != nil {
		return err
	}
	defer reader.Close()
	reducer := NewReducer[T](v, est)
	raw, frame := NewPicture[T](v.Width, v.Height, v.Bits)
	for {
		if err := reader.ReadFrame(raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		cuts.Push(reducer.Reduce(frame, nil))
	}
}
