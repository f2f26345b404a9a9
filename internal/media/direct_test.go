package media

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// splitBytes returns the segment files.
func splitBytes(t *testing.T, path string, plan *Plan) (files [][]byte) {
	t.Helper()
	err := Split(t.Context(), path, plan, func(_ Segment, tmp string) error {
		files = append(files, readAll(t, tmp))
		return nil
	}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func planReadBack(t *testing.T, plan *Plan) *Plan {
	t.Helper()
	data, err := EncodePlan(plan)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodePlan(data)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// TestPacketsReadDirectlyAreThoseOfFFmpeg splits by a fresh plan, which knows where packets lie, and by one that was
// read back, for which FFmpeg gives them.
func TestPacketsReadDirectlyAreThoseOfFFmpeg(t *testing.T) {
	for name, direct := range map[string]bool{
		"cfr25.mp4": true, "opengop.mp4": true, "opengop.mkv": true, "opengop.mov": true, "hevc.mp4": true, "hdr10.mkv": true, "vp9.webm": true, "mpeg4.mp4": true,
		"vfr.mp4": true, "trimmed.mp4": true, "priming.mp4": true, "odd.mkv": true, "one.mp4": true,
		"prores.mov": false, // Matroska leaves a part of each packet's header out
		"opengop.ts": false, "mjpeg.avi": false,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := caseNamed(name).source(t)
			plan := planned(t, path, PlanOptions{SegmentFrames: 10, Support: 3})
			d, err := openDirect(t.Context(), path, plan)
			if err != nil || (d != nil) != direct {
				t.Errorf("packets are read directly: %v (%v), want %v", d != nil, err, direct)
			}
			if d != nil {
				d.close()
			}
			got, want := splitBytes(t, path, plan), splitBytes(t, path, planReadBack(t, plan))
			if len(got) != len(want) {
				t.Fatalf("%d segments, want %d", len(got), len(want))
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Errorf("segment %d differs", i)
				}
			}
		})
	}
}

func TestSourceThatIsReplacedWhileItIsSplitIsRefused(t *testing.T) {
	data := readAll(t, caseNamed("opengop.mp4").source(t))
	path := write(t, t.TempDir(), "film.mp4", string(data))
	plan := planned(t, path, PlanOptions{SegmentFrames: 5, Support: 3})
	err := Split(t.Context(), path, plan, func(s Segment, _ string) error {
		if s.Index == 0 { // the same file is overwritten: its packets lie elsewhere now
			return os.WriteFile(path, bytes.Repeat([]byte{0xA5}, len(data)), 0o644)
		}
		return nil
	}, t.TempDir())
	oneLine(t, err, "")
	if _, err := Probe(t.Context(), filepath.Clean(path)); err == nil {
		t.Error("the source was not replaced")
	}
}
