package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oneSegment splits a source into a single file and opens it.
func oneSegment(t *testing.T, name string) *SegmentFile {
	t.Helper()
	path := caseNamed(name).source(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000})
	kept := filepath.Join(t.TempDir(), "segment.mkv")
	if err := Split(t.Context(), path, plan, func(_ Segment, tmp string) error { return os.Rename(tmp, kept) }, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	file, err := OpenSegment(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDecoderThatGivesAnotherNumberOfFramesIsAnError(t *testing.T) {
	file := oneSegment(t, "opengop.mp4")
	end := len(file.times)
	for name, times := range map[string][]int64{
		"more":  append(append([]int64(nil), file.times[:20]...), file.times[22:]...),
		"fewer": append(append(append([]int64(nil), file.times[:20]...), file.times[20]+5, file.times[20]+10), file.times[21:]...),
	} {
		t.Run(name, func(t *testing.T) {
			wrong := &SegmentFile{path: file.path, info: file.info, times: times}
			wrong.info.Frames = len(times)
			err := decodeFrames(t.Context(), wrong, 10, len(times)-20, func(int, [16]byte) {})
			if !errors.Is(err, ErrFrameCount) {
				t.Errorf("%d times where the file has %d: %v", len(times), end, err)
			}
			oneLine(t, err, "")
		})
	}
}

func TestAnyRunOfFramesCanBeDecoded(t *testing.T) {
	file := oneSegment(t, "hevc.mp4")
	var all [][16]byte
	if err := decodeFrames(t.Context(), file, 0, testFrames, func(_ int, sum [16]byte) { all = append(all, sum) }); err != nil {
		t.Fatal(err)
	}
	for _, run := range [][2]int{{0, 1}, {11, 1}, {12, 1}, {5, 20}, {43, 1}} {
		var got [][16]byte
		if err := decodeFrames(t.Context(), file, run[0], run[1], func(_ int, sum [16]byte) { got = append(got, sum) }); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != all[run[0]+i] {
				t.Errorf("frame %d differs in the run of %d from %d", run[0]+i, run[1], run[0])
			}
		}
		if len(got) != run[1] {
			t.Errorf("%d frames from %d, want %d", len(got), run[0], run[1])
		}
	}
	for _, run := range [][2]int{{-1, 2}, {0, 0}, {40, 5}} {
		if _, err := file.Decode(t.Context(), run[0], run[1]); err == nil {
			t.Errorf("decodes %d frames from %d", run[1], run[0])
		}
	}
}

func TestReaderMayBeClosedEarlyAndTwice(t *testing.T) {
	file := oneSegment(t, "opengop.mp4")
	r, err := file.Decode(t.Context(), 0, testFrames)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ReadFrame(make([]byte, r.FrameBytes())); err != nil {
		t.Error(err)
	}
	if err := r.ReadFrame(make([]byte, 7)); err == nil {
		t.Error("takes a buffer of another size")
	}
	r.Close()
	r.Close()
	if running(r.p.cmd.Process.Pid) {
		t.Error("the decoder still runs")
	}
}

func TestCutSegmentFilesAreRefused(t *testing.T) {
	data := readAll(t, oneSegment(t, "opengop.mp4").path)
	for percent := 0; percent < 100; percent += 7 {
		path := write(t, t.TempDir(), "segment.mkv", string(data[:len(data)*percent/100]))
		_, err := OpenSegment(t.Context(), path)
		oneLine(t, err, "")
	}
}

func TestOtherMatroskaFilesAreNoSegments(t *testing.T) {
	_, err := OpenSegment(t.Context(), caseNamed("opengop.mkv").source(t))
	oneLine(t, err, "")
	if err != nil && !strings.Contains(err.Error(), "is not a whole segment file") {
		t.Errorf("says %q", err)
	}
}

func TestSameSourceGivesTheSameSegmentBytes(t *testing.T) {
	for _, name := range []string{"opengop.mp4", "packed.avi"} {
		path := caseNamed(name).source(t)
		var first [][]byte
		for round := range 2 {
			plan := planned(t, path, PlanOptions{SegmentFrames: 15, Support: 2})
			err := Split(t.Context(), path, plan, func(s Segment, tmp string) error {
				if round == 0 {
					first = append(first, readAll(t, tmp))
				} else if !bytes.Equal(first[s.Index], readAll(t, tmp)) {
					t.Errorf("%s: segment %d differs the second time", name, s.Index)
				}
				return nil
			}, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func FuzzReadSegment(f *testing.F) {
	info, err := json.Marshal(SegmentInfo{Total: 1, Frames: 2, Window: Window{0, 2}, Video: Video{CodedWidth: 16, CodedHeight: 16, Bits: 8}})
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "seed.mkv")
	w, err := createSegment(path, appendElement(nil, idEBML, []byte("\x42\x86\x81\x01")), info)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if err := w.add(block{time: int64(40 * i), key: i == 0, data: []byte{1, 2, 3}}); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := readSegment(f.Context(), bytes.NewReader(data)); err != nil {
		f.Fatal("the seed is no segment: ", err)
	}
	f.Add(data)
	f.Add([]byte("\x1a\x45\xdf\xa3\x08\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := readSegment(t.Context(), bytes.NewReader(data))
		if err != nil {
			return
		}
		i := file.Info()
		for _, run := range [][2]int{{0, i.Frames}, {i.Window.First - i.LeadIn, i.LeadIn + i.Window.Frames + i.LeadOut}} {
			_ = file.decodeArgs(run[0], run[1], bySoftware(i.Video))
		}
		r := newFrameReader(nil, io.NopCloser(nil), Video{CodedWidth: 3, CodedHeight: 3, Bits: 8, Rotation: i.Video.Rotation}, 1)
		_ = r.FrameBytes()
	})
}

func TestLookThatIsCutOffSaysNothingOfTheFile(t *testing.T) {
	file := oneSegment(t, "opengop.mp4")
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the person changed their mind")
	cancel(why)
	_, err := OpenSegment(ctx, file.path)
	if bad := new(Error); !errors.Is(err, why) || errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
}

func TestFrameTooManyIsAnErrorAlsoWhenItsDecoderHasEndedWell(t *testing.T) {
	file := oneSegment(t, "opengop.mp4")
	r, err := file.Decode(t.Context(), 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.expected = 2
	<-r.p.done // all of its frames wait in the pipe
	buf := make([]byte, r.FrameBytes())
	for range 2 {
		if err := r.ReadFrame(buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.ReadFrame(buf); !errors.Is(err, ErrFrameCount) {
		t.Errorf("three frames of two: %v", err)
	}
}

func TestOutputBeyondItsLimitIsAnErrorAlsoWhenAllOfItIsThere(t *testing.T) {
	p := ffmpegCommand("film.mp4", "-version")
	out, err := p.stdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-p.done
	why := errors.New("it says too much")
	if err := p.fail(why); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}
