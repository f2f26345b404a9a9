package preview

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

const (
	filmW, filmH = 96, 54
	filmFrames   = 40
)

// film renders a film with a hard cut.
func film(t *testing.T) (path string, fps int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "film.mp4")
	s, err := scene.New(scene.Cut, filmW, filmH)
	if err != nil {
		t.Fatal(err)
	}
	err = media.WriteFilm(t.Context(), media.FilmRequest{
		Path: path, Width: filmW, Height: filmH, FrameRate: s.FPS, Frames: filmFrames,
		Draw: func(i int, buf []byte) error { scene.Render(s, i, 0, yuv.Wrap(buf, filmW, filmH, 8), nil); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return path, s.FPS
}

// brightness is a network to which what is bright is near.
type brightness struct{}

func (brightness) Open(context.Context, job.DepthOptions) (depth.Net, error) {
	return brightness{}, nil
}

func (brightness) Spec() depth.Spec {
	return depth.Spec{Side: 28, Multiple: 14, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{1, 1, 1}}
}

func (brightness) Batch() int { return 1 }

func (brightness) Infer(pictures []depth.Input) ([]depth.Map, error) {
	p := pictures[0]
	return []depth.Map{{W: p.W, H: p.H, D: slices.Clone(p.Y)}}, nil
}

// convert converts a film in one piece, without loss, and returns its frames as they are packed.
func convert(t *testing.T, path string, o job.Options) [][]byte {
	t.Helper()
	src, err := media.Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	timeline, err := media.ReadTimeline(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := media.NewPlan(src, timeline, media.PlanOptions{SegmentFrames: filmFrames})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.mp4")
	err = media.Split(t.Context(), path, plan, func(_ media.Segment, segment string) error {
		_, err := clip.Convert(t.Context(), clip.Request{
			Input: segment, Output: out, Format: o.Format, Stereo: o.Stereo, Depth: o.Depth, Models: brightness{},
			Encode: job.EncodeOptions{Codec: "h264", Encoder: "libx264", Preset: "ultrafast", CRF: 0},
		})
		return err
	}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", out, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-").Output()
	if err != nil || len(raw) != filmFrames*yuv.Size(2*filmW, filmH) {
		t.Fatalf("%d bytes of frames, %v", len(raw), err)
	}
	return slices.Collect(slices.Chunk(raw, yuv.Size(2*filmW, filmH)))
}

func TestPreviewIsTheFrameThatTheConvertedFilmHas(t *testing.T) {
	path, fps := film(t)
	comfort, neural := job.DefaultOptions(), job.DefaultOptions()
	comfort.Stereo.AutoConvergence, comfort.Stereo.FloatingWindow, comfort.Stereo.MaxNear = true, true, 0.75
	neural.Depth = job.DepthOptions{Model: "bright", Content: "of a test"}
	sparse := neural
	sparse.Depth.Every = 5
	for name, o := range map[string]job.Options{"classic": job.DefaultOptions(), "comfort": comfort, "neural": neural, "every fifth": sparse} {
		frames := convert(t, path, o)
		for _, i := range []int{7, 24, filmFrames - 1} { // the cut is at 24
			s, err := Find(t.Context(), path, (float64(i)+0.5)/float64(fps), o, brightness{})
			if err != nil {
				t.Fatalf("%s, frame %d: %v", name, i, err)
			}
			got, err := s.view(job.FullSBS, o.Stereo)
			if err != nil {
				t.Fatal(err)
			}
			frame := yuv.Wrap(frames[i], 2*filmW, filmH, 8)
			if want := stereo.Picture(frame, clip.RenderConfig(s.Video, job.FullSBS, o.Stereo)); !bytes.Equal(got.Pix, want.Pix) {
				t.Errorf("%s: frame %d of the film is another", name, i)
			}
		}
	}
}

func TestPreviewBeyondTheFilmSaysHowLongThatIs(t *testing.T) {
	path, fps := film(t)
	want := fmt.Sprintf("the film lasts %.3f", float64(filmFrames)/float64(fps))
	if _, err := Find(t.Context(), path, 3600, job.DefaultOptions(), nil); err == nil || !bytes.Contains([]byte(err.Error()), []byte(want)) {
		t.Errorf("%v, want: %s", err, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), path, 0, job.DefaultOptions(), nil); err == nil {
		t.Error("a film that isn't there has a frame")
	}
}
