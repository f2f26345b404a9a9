//go:build cgo

package clip

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// oneModel opens the same model whatever is asked for.
type oneModel struct{ *onnx.Model }

func (m oneModel) Open(context.Context, job.DepthOptions) (depth.Net, error) { return m.Model, nil }

func testModel(t *testing.T) Models {
	t.Helper()
	spec := depth.Spec{Side: 56, Multiple: 14, Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}
	m, err := onnx.Open(onnxtest.Write(t, onnxtest.Kind{}), spec, onnx.Config{Library: onnxtest.Library(t), Provider: onnx.CPU})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return oneModel{m}
}

// cutFilm is a film with a cut, in an inter-frame codec with B-frames.
func cutFilm(t *testing.T, frames string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.mkv")
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=112x64:r=25:d=1.2",
		"-f", "lavfi", "-i", "mandelbrot=s=112x64:r=25", "-filter_complex", "[0][1]concat=n=2:v=1", "-frames:v", frames, "-pix_fmt", "yuv420p",
		"-c:v", "libx264", "-preset", "medium", "-g", "12", "-bf", "3", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// pieces converts a film in segments of at most n frames and returns the hashes of all frames.
func pieces(t *testing.T, film string, n int, d job.DepthOptions, models Models) []string {
	t.Helper()
	support, err := Support(d, job.DefaultOptions().Stereo)
	if err != nil {
		t.Fatal(err)
	}
	src, err := media.Probe(t.Context(), film)
	if err != nil {
		t.Fatal(err)
	}
	timeline, err := media.ReadTimeline(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := media.NewPlan(src, timeline, media.PlanOptions{SegmentFrames: n, Support: support})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	all := make([]string, 0, plan.Frames())
	err = media.Split(t.Context(), film, plan, func(s media.Segment, file string) error {
		r := request(t, file)
		r.Format, r.Depth, r.Models = job.RGBD, d, models
		if _, err := Convert(t.Context(), r); err != nil {
			return err
		}
		all = append(all, frames(t, r.Output)...)
		return os.Remove(r.Output)
	}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSegmentsOnAModelHaveTheFramesOfTheWhole(t *testing.T) {
	models := testModel(t)
	film := cutFilm(t, "60")
	neural := job.DepthOptions{Model: "test", Content: "test"}
	for _, c := range []struct {
		change  func(*job.DepthOptions)
		lengths []int
	}{
		{func(*job.DepthOptions) {}, []int{9, 25}},
		{func(d *job.DepthOptions) { d.Every, d.Flip = 4, true }, []int{22}},
	} {
		d := neural
		c.change(&d)
		whole := pieces(t, film, 1000, d, models)
		if len(whole) != 60 {
			t.Fatalf("%+v: %d frames", d, len(whole))
		}
		for _, n := range c.lengths {
			if got := pieces(t, film, n, d, models); !slices.Equal(got, whole) {
				t.Errorf("%+v: segments of %d frames differ from the whole", d, n)
			}
		}
	}
}

func TestModelThatIsNotHereIsNamed(t *testing.T) {
	in, _ := segmentFile(t)
	r := request(t, in)
	r.Depth = job.DepthOptions{Model: "depth-anything-v2-small", Content: "00"}
	if _, err := Convert(t.Context(), r); err == nil {
		t.Error("a conversion without the model has a result")
	}
	checkAbsent(t, r.Output)
}
