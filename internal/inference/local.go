package inference

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/report"
	"github.com/stereospot/stereospot/internal/stereo"
)

// Local converts in this process. The service converts by it too.
type Local struct {
	Input   Reader
	Output  Writer
	Scratch string // directory for files under way; best on the disk of Output
	Workers int    // goroutines per frame; 0 means one per core
	// Models opens neural models; nil where there is only classic.
	Models clip.Models
	GPU    *media.GPU // decodes what it can; nil leaves that to software
}

var _ Converter = (*Local)(nil)

// Convert implements Converter. An *media.Error speaks of the segment by its number. ErrContent when the segment's
// bytes are not those of r.Content, which may be empty for any.
func (l *Local) Convert(ctx context.Context, r Request, progress func(int)) (Result, error) {
	begin := time.Now()
	dir, err := os.MkdirTemp(l.Scratch, "convert-*")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	in, err := platform.Fetch(ctx, l.Input, r.Input, dir)
	if err != nil {
		return Result{}, err
	}
	if err := check(ctx, in, r); err != nil {
		return Result{}, naming(err, in, r)
	}
	out := filepath.Join(dir, "out.mp4")
	res, err := clip.Convert(ctx, clip.Request{
		Input: in, Output: out, Format: r.Format, Stereo: r.Stereo, Depth: r.Depth, Encode: r.Encode,
		Workers: l.Workers, Models: l.Models, GPU: l.GPU, Progress: progress,
	})
	if err != nil {
		return Result{}, naming(err, in, r)
	}
	if err := addFigures(out, r, res.Figures); err != nil {
		return Result{}, err
	}
	sum, err := publish(ctx, l.Output, r, out, res.Frames)
	return Result{Frames: res.Frames, Seconds: time.Since(begin).Seconds(), Content: sum}, err
}

// naming returns an error in which the segment is called by its number instead of a file that nobody knows.
func naming(err error, path string, r Request) error {
	return media.Rename(err, path, fmt.Sprintf("segment %d", r.Index))
}

// check holds a segment's file against the request.
func check(ctx context.Context, path string, r Request) error {
	if r.Content != "" {
		sum, err := platform.HashFile(path)
		if err != nil {
			return err
		}
		if sum != r.Content {
			return ErrContent
		}
	}
	if r.Window == (media.Window{}) {
		return nil
	}
	segment, err := media.OpenSegment(ctx, path)
	if err != nil {
		return err
	}
	if own := segment.Info().Window; own != r.Window {
		return &media.Error{Reason: fmt.Sprintf("%s has its own %d frames from frame %d, not %d from frame %d",
			filepath.Base(path), own.Frames, own.First, r.Window.Frames, r.Window.First)}
	}
	return nil
}

// addFigures puts what is known of the frames into the converted file: an object of their own would be written and read for
// every segment.
func addFigures(path string, r Request, frames []stereo.Figures) error {
	s := report.Segment{Request: r.Hash(), Frames: frames}
	s.From, s.To = clip.RenderConfig(media.Video{}, r.Format, r.Stereo).ParallaxRange()
	body, err := s.Encode()
	if err != nil {
		return err
	}
	return media.UserBox([]byte(report.SegmentBox)).Append(path, body)
}

// publish makes a converted file the output of its request, and returns the hash of its bytes.
func publish(ctx context.Context, o Writer, r Request, path string, frames int) (content string, err error) {
	sum, err := platform.HashFile(path)
	if err != nil {
		return "", err
	}
	_, err = platform.PutFile(ctx, o, r.Output, path, platform.PutOptions{
		ContentType: "video/mp4",
		Metadata: map[string]string{
			MetaRequest: r.Hash(), MetaFrames: strconv.Itoa(frames), MetaContent: sum,
		},
		Tags: map[string]string{platform.ExpireTag: platform.ExpireSegment},
	})
	return sum, err
}
