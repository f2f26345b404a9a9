package inference

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/platform"
)

// Local converts in this process.
type Local struct {
	Input, Output platform.Objects
	Scratch       string // directory for files under way; best on the disk of Output
	Workers       int    // goroutines per frame; 0 means one per core
}

var _ Converter = (*Local)(nil)

// Convert implements Converter.
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
	out := filepath.Join(dir, "out.mp4")
	res, err := clip.Convert(ctx, clip.Request{
		Input: in, Output: out, Format: r.Format, Stereo: r.Stereo, Depth: r.Depth, Encode: r.Encode,
		Workers: l.Workers, Progress: progress,
	})
	if err != nil {
		return Result{}, err
	}
	sum, err := platform.HashFile(out)
	if err != nil {
		return Result{}, err
	}
	_, err = platform.PutFile(ctx, l.Output, r.Output, out, platform.PutOptions{
		ContentType: "video/mp4",
		Metadata: map[string]string{
			MetaRequest: r.Hash(), MetaFrames: strconv.Itoa(res.Frames), MetaContent: sum,
		},
		Tags: map[string]string{"stereospot:expire": "segment"},
	})
	return Result{Frames: res.Frames, Seconds: time.Since(begin).Seconds()}, err
}
