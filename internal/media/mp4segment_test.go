package media

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// encodedFile returns the bytes of a small encoded segment with B-frames.
func encodedFile(t testing.TB) []byte {
	path := sources.file(t, "segment.mp4", func(path string) error {
		return ffmpeg(append(cat(scene("64x36", "25", 9), []string{"-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "5", "-fflags", "+bitexact"}), path)...)
	})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func indexBytes(data []byte) (*encodedSegment, error) {
	moov, err := readIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	return indexSegment(moov, int64(len(data)))
}

// TestSegmentIndexAgreesWithFFprobe compares sizes, keys and display order with what ffprobe reads.
func TestSegmentIndexAgreesWithFFprobe(t *testing.T) {
	data := encodedFile(t)
	e, err := indexBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "segment.mp4")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	const tick = 512 // FFmpeg times 25 frames per second on 12800 ticks
	var got []string
	for _, s := range e.samples {
		flag := "__"
		if s.key {
			flag = "K_"
		}
		got = append(got, fmt.Sprintf("%d,%d,%d,%s", int(s.rank)*tick, s.size, s.offset, flag))
	}
	want := strings.Fields(run(t, "ffprobe", "-v", "error", "-show_entries", "packet=pts,size,pos,flags", "-of", "csv=p=0", path))
	for i := range want {
		want[i] = strings.TrimRight(want[i], ",")
	}
	if !slices.Equal(got, want) {
		t.Errorf("index\n%s\nffprobe\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestLyingIndexesAreRefused changes one number of a good index at a time.
func TestLyingIndexesAreRefused(t *testing.T) {
	good := encodedFile(t)
	for _, c := range []struct {
		table string
		at    int // bytes after the box's name
		value byte
		says  string
	}{
		{"stsz", 8, 0x7f, "sizes"},
		{"stsz", 12, 0x7f, "beyond its end"},
		{"stco", 8, 0x7f, "beyond its end"},
		{"stsc", 8, 0x7f, "chunks"},
		{"stsc", 12, 0x7f, "chunks"},
		{"stts", 8, 0x7f, "stts"},
		{"ctts", 12, 0x10, "constant frame rate"},
		{"ctts", 4, 0x7f, "ctts"},
		{"stss", 8, 0x7f, "key frame"},
		{"stsd", 4, 0x01, "sample description"},
		{"trak", 0, 'x', "damaged"},
		{"moov", -4, 'x', "no index"},
	} {
		bad := slices.Clone(good)
		at := bytes.Index(bad, []byte(c.table))
		if at < 0 {
			t.Fatalf("no %s", c.table)
		}
		bad[at+4+c.at] = c.value
		if _, err := indexBytes(bad); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s at %d: %v", c.table, c.at, err)
		}
	}
	for n := range len(good) {
		if _, err := indexBytes(good[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes pass as a segment", n, len(good))
		}
	}
}

// TestSegmentsOfOtherSettingsAreNotJoined joins segments of two sizes.
func TestSegmentsOfOtherSettingsAreNotJoined(t *testing.T) {
	plan := planned(t, caseNamed("cfr25.mp4").source(t), PlanOptions{SegmentFrames: 22, Support: 3})
	var outputs []SegmentOutput
	for i, size := range []string{"64x36", "72x36"} {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i, ".mp4"))
		if err := ffmpeg(append(cat(scene(size, "25", 22), x264), path)...); err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, SegmentOutput{Path: path, Frames: 22})
	}
	_, err := Assemble(t.Context(), AssembleRequest{Plan: plan, Segments: outputs, Container: "mp4", Output: filepath.Join(t.TempDir(), "final.mp4")})
	if person := new(Error); !errors.As(err, &person) || !strings.Contains(err.Error(), "different settings") {
		t.Errorf("%v", err)
	}
}

func FuzzSegmentIndex(f *testing.F) {
	data := encodedFile(f)
	f.Add(data)
	moov := bytes.Index(data, []byte("moov")) - 4
	f.Add(data[moov:])
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := indexBytes(data)
		if err != nil {
			return
		}
		var total int64
		seen := make([]bool, len(e.samples))
		for _, s := range e.samples {
			total += int64(s.size)
			if s.offset < 0 || s.offset+int64(s.size) > int64(len(data)) || seen[s.rank] {
				t.Fatalf("sample %+v of a file of %d bytes", s, len(data))
			}
			seen[s.rank] = true
		}
		if total > int64(len(data)) {
			t.Fatalf("samples of %d bytes in a file of %d", total, len(data))
		}
	})
}
