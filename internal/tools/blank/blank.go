// Package blank stands in for FFmpeg and for inference where everything else is measured: films without pictures, whose
// segments say which they are.
package blank

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pause"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
)

// SegmentFrames is how many frames a segment has, for the options of a job.
const SegmentFrames = 8

// Source returns the content of a source that becomes so many segments.
func Source(segments int) string { return strconv.Itoa(segments) }

// Films stands in for FFmpeg.
type Films struct {
	// Take, if set, returns how long a step takes with a film of so many segments; it is slept.
	Take func(step Step, segments int) time.Duration
	// SegmentSize is the size of a segment's file, in bytes; at least as much as its name takes.
	SegmentSize int64
}

var _ pipeline.Films = Films{}

// Step is what Films does.
type Step string

// The steps.
const (
	Measure  Step = "measure"
	Split    Step = "split"
	Assemble Step = "assemble"
)

func (f Films) sleep(ctx context.Context, s Step, segments int) error {
	if f.Take == nil {
		return nil
	}
	return pause.For(ctx, f.Take(s, segments))
}

// Measure implements pipeline.Films.
func (f Films) Measure(ctx context.Context, source string, o job.Options, _ bool) (*media.Plan, job.EncodeOptions, error) {
	e := o.Encode
	e.Codec, e.Encoder, e.Container = "h264", "libx264", job.MP4
	text, err := os.ReadFile(source)
	if err != nil {
		return nil, e, err
	}
	segments, err := strconv.Atoi(string(text))
	if err != nil {
		return nil, e, fmt.Errorf("not a blank film: %w", err)
	}
	if err := f.sleep(ctx, Measure, segments); err != nil {
		return nil, e, err
	}
	plan, err := media.NewPlan(&media.Source{
		Path: "blank.mp4", Format: "mov,mp4,m4a,3gp,3g2,mj2", Size: int64(len(text)),
		Video: media.Video{Width: 64, Height: 36, Bits: 8, TimeBase: media.Rational{Num: 1, Den: 24}, FrameRate: media.Rational{Num: 24, Den: 1}},
	}, timeline(segments), media.PlanOptions{SegmentFrames: SegmentFrames})
	return plan, e, err
}

// timeline is that of a film of so many segments, each with a keyframe at its beginning.
func timeline(segments int) *media.Timeline {
	t := &media.Timeline{LastDuration: 1, Packets: map[int]int{0: segments * SegmentFrames}}
	for i := range segments * SegmentFrames {
		t.PTS, t.Order = append(t.PTS, int64(i)), append(t.Order, int32(i))
		if i%SegmentFrames == 0 {
			t.Entries = append(t.Entries, media.Entry{Frame: i, Packet: i})
		}
	}
	return t
}

// Split implements pipeline.Films.
func (f Films) Split(ctx context.Context, _ string, plan *media.Plan, sink func(media.Segment, string) error, dir string) error {
	for _, s := range plan.Segments {
		if err := f.sleep(ctx, Split, 1); err != nil {
			return err
		}
		path := filepath.Join(dir, fmt.Sprintf("segment-%d", s.Index))
		if err := write(path, strconv.Itoa(s.Index), f.SegmentSize); err != nil {
			return err
		}
		if err := sink(s, path); err != nil {
			return err
		}
	}
	return nil
}

// write makes a file that begins with text and has size bytes or more.
func write(path, text string, size int64) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	if size <= int64(len(text)) {
		return nil
	}
	return os.Truncate(path, size)
}

// Assemble implements pipeline.Films. It fails when a segment is not the one that belongs there.
func (f Films) Assemble(ctx context.Context, r media.AssembleRequest) error {
	if err := f.sleep(ctx, Assemble, len(r.Segments)); err != nil {
		return err
	}
	var size int64
	for i, s := range r.Segments {
		n, err := check(s.Path, fmt.Sprintf("/segments/%05d.mp4\n", i))
		if err != nil {
			return err
		}
		size += n
	}
	return write(r.Output, fmt.Sprintf("a film of %d segments", len(r.Segments)), size)
}

// check returns a file's size when its first line ends with want.
func check(path, want string) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	begin := make([]byte, 200)
	n, err := f.Read(begin)
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(begin[:n]), "\n")
	if !strings.HasSuffix(line+"\n", want) {
		return 0, fmt.Errorf("segment %q is where %q belongs", line, want)
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Still implements pipeline.Films.
func (Films) Still(context.Context, string, int, int) ([]byte, error) {
	return []byte("a picture"), nil
}

// Converter stands in for inference.
type Converter struct {
	Output inference.Writer
	// Take, if set, returns how long a conversion takes; it is slept.
	Take func(inference.Request) time.Duration
	Size int64 // of an output, in bytes; at least as much as its name takes
}

var _ inference.Converter = Converter{}

// Convert implements inference.Converter.
func (c Converter) Convert(ctx context.Context, r inference.Request, _ func(int)) (inference.Result, error) {
	if c.Take != nil {
		if err := pause.For(ctx, c.Take(r)); err != nil {
			return inference.Result{}, err
		}
	}
	return Publish(ctx, c.Output, r, c.Size)
}

// Publish makes the output of a request.
func Publish(ctx context.Context, to inference.Writer, r inference.Request, size int64) (inference.Result, error) {
	name := []byte(r.Output + "\n")
	content := io.MultiReader(bytes.NewReader(name), io.LimitReader(zeros{}, max(0, size-int64(len(name)))))
	sum := sha256.Sum256(name)
	res := inference.Result{Frames: max(1, r.Window.Frames), Content: hex.EncodeToString(sum[:])}
	_, err := to.Put(ctx, r.Output, content, platform.PutOptions{
		ContentType: "video/mp4",
		Metadata: map[string]string{
			inference.MetaRequest: r.Hash(), inference.MetaFrames: strconv.Itoa(res.Frames), inference.MetaContent: res.Content,
		},
		Tags: map[string]string{"stereospot:expire": "segment"},
	})
	return res, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
