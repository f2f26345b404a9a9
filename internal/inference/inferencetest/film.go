// Package inferencetest makes small segments for tests of what converts them, and looks into the results.
package inferencetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// The film's size in pixels, and the frames of each of its segments.
const (
	width, height = 64, 36
	SegmentFrames = 12
)

// Segment is one segment file of a small film.
type Segment struct {
	Path    string
	Index   int
	Window  media.Window
	Content string // SHA-256, hexadecimal
}

// Film renders a film and splits it into segments of SegmentFrames frames.
func Film(t testing.TB, segments int) []Segment {
	t.Helper()
	dir := t.TempDir()
	film := filepath.Join(dir, "film.mp4")
	s, err := scene.New(scene.Layers, width, height)
	must(t, err)
	must(t, media.WriteFilm(t.Context(), media.FilmRequest{
		Path: film, Width: width, Height: height, FrameRate: s.FPS, Frames: segments * SegmentFrames,
		Draw: func(i int, buf []byte) error { scene.Render(s, i, 0, yuv.Wrap(buf, width, height, 8), nil); return nil },
	}))
	src, err := media.Probe(t.Context(), film)
	must(t, err)
	timeline, err := media.ReadTimeline(t.Context(), src)
	must(t, err)
	plan, err := media.NewPlan(src, timeline, media.PlanOptions{SegmentFrames: SegmentFrames, Support: 4})
	must(t, err)
	var list []Segment
	must(t, media.Split(t.Context(), film, plan, func(s media.Segment, path string) error {
		kept := filepath.Join(dir, "segment"+filepath.Base(path))
		if err := os.Rename(path, kept); err != nil {
			return err
		}
		sum, err := platform.HashFile(kept)
		list = append(list, Segment{Path: kept, Index: s.Index, Window: s.Window(), Content: sum})
		return err
	}, dir))
	return list
}

// Metadata is what chunking says of the segment's object.
func (s Segment) Metadata() map[string]string {
	return map[string]string{inference.MetaContent: s.Content, inference.MetaWindow: inference.FormatWindow(s.Window)}
}

// Request asks for the segment's conversion, quickly and without loss.
func (s Segment) Request(jobID string) inference.Request {
	o := job.DefaultOptions()
	return inference.Request{
		JobID: jobID, Index: s.Index, Input: job.SegmentKey(jobID, s.Index, s.Index+1, job.HalfSBS), Output: job.OutputKey(jobID, s.Index),
		Window: s.Window, Content: s.Content, Format: job.HalfSBS, Stereo: o.Stereo, Depth: o.Depth,
		Encode: job.EncodeOptions{Codec: "h264", Encoder: "libx264", Preset: "ultrafast", CRF: 0},
	}
}

// Store publishes the segment as the input of r.
func (s Segment) Store(t testing.TB, into platform.Putter, r inference.Request) {
	t.Helper()
	f, err := os.Open(s.Path)
	must(t, err)
	defer f.Close()
	_, err = into.Put(t.Context(), r.Input, f, platform.PutOptions{Metadata: s.Metadata()})
	must(t, err)
}

// Frames decodes the output of r and returns the hash of every frame's pixels.
func Frames(t testing.TB, from platform.Getter, r inference.Request) []string {
	t.Helper()
	path, err := platform.Fetch(t.Context(), from, r.Output, t.TempDir())
	must(t, err)
	return FramesOf(t, path)
}

// FramesOf decodes a file and returns the hash of every frame's pixels.
func FramesOf(t testing.TB, path string) []string {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "framemd5", "-").Output()
	must(t, err)
	var sums []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			sums = append(sums, strings.TrimSpace(line[strings.LastIndexByte(line, ',')+1:]))
		}
	}
	return sums
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
