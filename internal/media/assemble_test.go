package media

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reencode splits a source and encodes every segment's own frames without loss, unchanged.
func reencode(t *testing.T, path string, plan *Plan, layout Layout) []SegmentOutput {
	t.Helper()
	dir := t.TempDir()
	var outputs []SegmentOutput
	err := Split(t.Context(), path, plan, func(s Segment, file string) error {
		out := filepath.Join(dir, "out"+string(rune('a'+s.Index))+".mp4")
		outputs = append(outputs, SegmentOutput{Path: out, Frames: s.Frames})
		return reencodeSegment(t, plan, file, out, layout)
	}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

func reencodeSegment(t *testing.T, plan *Plan, file, out string, layout Layout) error {
	v := plan.Video
	codec, encoder, err := ChooseEncoder(t.Context(), "", "auto", v.Bits)
	if err != nil {
		return err
	}
	e, err := NewEncoder(t.Context(), EncodeRequest{
		Path: out, Width: v.Width, Height: v.Height, Bits: v.Bits, FrameRate: v.FrameRate, SAR: v.SAR, Color: v.Color,
		HDR10: v.HDR10, Codec: codec, Encoder: encoder, Preset: "ultrafast", CRF: 0, Layout: layout,
	})
	if err != nil {
		return err
	}
	s, err := OpenSegment(t.Context(), file)
	if err != nil {
		return err
	}
	r, err := s.Decode(t.Context(), s.Info().Window.First, s.Info().Window.Frames)
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, r.FrameBytes())
	for {
		err := r.ReadFrame(buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = e.WriteFrame(buf)
		}
		if err != nil {
			return err
		}
	}
	_, err = e.Close()
	return err
}

func assemble(t *testing.T, path string, plan *Plan, outputs []SegmentOutput, container string, layout Layout) string {
	t.Helper()
	final := filepath.Join(t.TempDir(), "final."+container)
	report, err := Assemble(t.Context(), AssembleRequest{
		Plan: plan, SourcePath: path, Segments: outputs, Container: container, Layout: layout, Output: final,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Frames != plan.Frames() {
		t.Errorf("report says %d frames, the plan %d", report.Frames, plan.Frames())
	}
	return final
}

// TestAssembledFilmHasTheSourcesFramesAndTimes takes each kind of source apart and puts it together again without
// changing a pixel: what FFmpeg decodes from the result is what it decodes from the source.
func TestAssembledFilmHasTheSourcesFramesAndTimes(t *testing.T) {
	for _, name := range []string{
		"cfr30000_1001.mp4", "opengop.mp4", "opengop.ts", "hevc.mp4", "hdr10.mkv", "vfr.mp4", "priming.mp4", "trimmed.mp4",
		"rotated90.mp4", "anamorphic.mp4", "odd.mkv", "vp9.webm", "packed.avi", "one.mp4",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := caseNamed(name).source(t)
			plan := planned(t, path, PlanOptions{SegmentFrames: 16, Support: 3})
			final := assemble(t, path, plan, reencode(t, path, plan, SideBySide), "mp4", SideBySide)
			want := reference(t, path, plan.Video)
			got := planned(t, final, PlanOptions{SegmentFrames: 1000})
			sums := reference(t, final, got.Video).sums
			if !slices.Equal(sums, want.sums) {
				t.Errorf("%d frames differ from the source's %d", len(sums), len(want.sums))
			}
			for i := range min(got.Frames(), plan.Frames()) {
				is := float64(got.Times.At(i)) * got.TimeBase.Float()
				should := float64(plan.Times.At(i)-plan.Origin) * plan.TimeBase.Float()
				if d := is - should; d > 1e-5 || d < -1e-5 {
					t.Fatalf("frame %d is at %.6f s, want %.6f s", i, is, should)
				}
			}
		})
	}
}

func TestSameSegmentsGiveTheSameBytes(t *testing.T) {
	path := caseNamed("opengop.mp4").source(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 16, Support: 3})
	outputs := reencode(t, path, plan, TopBottom)
	for _, container := range []string{"mp4", "mkv"} {
		a, err := os.ReadFile(assemble(t, path, plan, outputs, container, TopBottom))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(assemble(t, path, plan, outputs, container, TopBottom))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two runs differ", container)
		}
	}
}

func TestIndexComesFirst(t *testing.T) {
	path := caseNamed("opengop.mp4").source(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 16, Support: 3})
	final, err := os.ReadFile(assemble(t, path, plan, reencode(t, path, plan, Mono), "mp4", Mono))
	if err != nil {
		t.Fatal(err)
	}
	moov, mdat := bytes.Index(final, []byte("moov")), bytes.Index(final, []byte("mdat"))
	if moov < 0 || mdat < moov {
		t.Errorf("moov at %d, mdat at %d", moov, mdat)
	}
}

// TestPlayersSeeTheStereoTag reads MP4's st3d and the half formats' frame packing message with ffprobe, and Matroska's
// StereoMode with mkvinfo, which shares no code with FFmpeg.
func TestPlayersSeeTheStereoTag(t *testing.T) {
	plan := clocks(3)["constant"]
	plan.Video = Video{Width: 64, Height: 36, SAR: Rational{1, 1}}
	frames := rawFrames(64, 36, 8, 3)
	for _, c := range []struct {
		layout                    Layout
		ffprobe, message, mkvinfo string
	}{
		{SideBySide, "side by side", "", "Stereo mode: 1"},
		{SideBySideHalf, "side by side", "TAG:stereo_mode=left_right", "Stereo mode: 1"},
		{TopBottom, "top and bottom", "", "Stereo mode: 3"},
		{TopBottomHalf, "top and bottom", "TAG:stereo_mode=top_bottom", "Stereo mode: 3"},
		{RightLeft, "", "", "Stereo mode: 11"},
		{Equirect180, "tiled equirectangular", "", "Stereo mode: 1"},
		{Mono, "", "", ""},
	} {
		r := small("h264", 8)
		r.Layout = c.layout
		outputs := []SegmentOutput{{Path: encodeFrames(t, r, frames), Frames: len(frames)}}
		mp4 := assemble(t, "", plan, outputs, "mp4", c.layout)
		said := run(t, "ffprobe", "-v", "error", "-show_streams", mp4)
		if !strings.Contains(said, c.ffprobe) || c.ffprobe == "" && strings.Contains(said, "Stereo 3D") {
			t.Errorf("%q in MP4: ffprobe says\n%s", c.layout, said)
		}
		// A segment has no stereo tag in its container: what ffprobe finds there is the message in the video itself.
		said = run(t, "ffprobe", "-v", "error", "-show_frames", "-read_intervals", "%+#1", outputs[0].Path)
		if !strings.Contains(said, c.message) || c.message == "" && strings.Contains(said, "Stereo 3D") {
			t.Errorf("%q in the video: ffprobe says\n%s", c.layout, said)
		}
		said = run(t, "mkvinfo", "--ui-language", "en_US", assemble(t, "", plan, outputs, "mkv", c.layout))
		if c.mkvinfo == "" && strings.Contains(said, "Stereo mode") || !strings.Contains(said, c.mkvinfo) {
			t.Errorf("%q in Matroska: mkvinfo says\n%s", c.layout, said)
		}
	}
}

func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return string(out)
}

func TestDamagedSegmentsAreNotJoined(t *testing.T) {
	path := caseNamed("opengop.mp4").source(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 16, Support: 3})
	outputs := reencode(t, path, plan, Mono)
	good, err := os.ReadFile(outputs[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"cut off":      good[:len(good)*2/3],
		"empty":        {},
		"no MP4":       []byte("this is no MP4, whatever its name says"),
		"other film's": readFile(t, outputs[0].Path),
	} {
		if err := os.WriteFile(outputs[1].Path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		final := filepath.Join(t.TempDir(), "final.mp4")
		spoiled := slices.Clone(outputs)
		if name == "other film's" {
			spoiled[1].Frames++
		}
		_, err := Assemble(t.Context(), AssembleRequest{Plan: plan, SourcePath: path, Segments: spoiled, Container: "mp4", Output: final})
		if person := new(Error); !errors.As(err, &person) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(final); err == nil {
			t.Errorf("%s: there is a final file", name)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
