package clip

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
)

// segmentFile splits a small film of 30 frames into three and returns the middle one.
func segmentFile(t *testing.T) (path string, s media.Segment) {
	t.Helper()
	dir := t.TempDir()
	film := filepath.Join(dir, "film.mp4")
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=25", "-frames:v", "30",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "5", film).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	src, err := media.Probe(t.Context(), film)
	if err != nil {
		t.Fatal(err)
	}
	timeline, err := media.ReadTimeline(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := media.NewPlan(src, timeline, media.PlanOptions{SegmentFrames: 10, Support: 4})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "segment.mkv")
	err = media.Split(t.Context(), film, plan, func(s media.Segment, file string) error {
		if s.Index != 1 {
			return nil
		}
		return os.Rename(file, path)
	}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return path, plan.Segments[1]
}

func request(t *testing.T, in string) Request {
	o := job.DefaultOptions()
	return Request{
		Input: in, Output: filepath.Join(t.TempDir(), "out.mp4"), Format: job.HalfSBS, Stereo: o.Stereo, Depth: o.Depth, Workers: 2,
		Encode: job.EncodeOptions{Codec: "h264", Encoder: "libx264", Preset: "ultrafast", CRF: 0},
	}
}

// frames returns the hash of every frame of a file.
func frames(t *testing.T, path string) []string {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "framemd5", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			sums = append(sums, line[strings.LastIndexByte(line, ',')+1:])
		}
	}
	return sums
}

func TestConvertWritesTheWindowsOwnFrames(t *testing.T) {
	in, s := segmentFile(t)
	whole := request(t, in)
	var heard []int
	whole.Progress = func(n int) { heard = append(heard, n) }
	res, err := Convert(t.Context(), whole)
	if err != nil || res.Frames != 10 {
		t.Fatalf("%d frames, %v", res.Frames, err)
	}
	all := frames(t, whole.Output)
	if len(all) != 10 || len(heard) != 10 || heard[9] != 10 {
		t.Errorf("%d frames in the file, progress %v", len(all), heard)
	}
	part := request(t, in)
	part.Window = media.Window{First: s.Window().First + 4, Frames: 3}
	if res, err = Convert(t.Context(), part); err != nil || res.Frames != 3 {
		t.Fatalf("a part: %d frames, %v", res.Frames, err)
	}
	if got := frames(t, part.Output); len(got) != 3 {
		t.Errorf("a part of 3 has %d frames", len(got))
	}
}

func TestWindowOutsideOfTheSegmentIsRefused(t *testing.T) {
	in, _ := segmentFile(t)
	for _, w := range []media.Window{{First: -1, Frames: 1}, {First: 0, Frames: 1000}, {First: 1 << 20, Frames: 1}} {
		r := request(t, in)
		r.Window = w
		_, err := Convert(t.Context(), r)
		if person := new(media.Error); !errors.As(err, &person) {
			t.Errorf("window %+v: %v", w, err)
		}
		checkAbsent(t, r.Output)
	}
}

func TestDamagedSegmentLeavesNoOutput(t *testing.T) {
	in, _ := segmentFile(t)
	whole, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	for tenth := range 10 {
		if err := os.WriteFile(in, whole[:len(whole)*tenth/10], 0o644); err != nil {
			t.Fatal(err)
		}
		r := request(t, in)
		if res, err := Convert(t.Context(), r); err == nil {
			t.Errorf("cut at %d0 %%: %d frames and no error", tenth, res.Frames)
		}
		checkAbsent(t, r.Output)
	}
}

func TestCancelledConversionLeavesNoOutput(t *testing.T) {
	in, _ := segmentFile(t)
	r := request(t, in)
	ctx, cancel := context.WithCancel(t.Context())
	r.Progress = func(n int) {
		if n == 2 {
			cancel()
		}
	}
	if _, err := Convert(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	checkAbsent(t, r.Output)
}

func checkAbsent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		t.Error("there is an output")
	}
}
