package media

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rawFrames returns n frames of noise that drifts, as Encoder takes them.
func rawFrames(w, h, bits, n int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	still := make([]uint16, w*h*3/2)
	for i := range still {
		still[i] = uint16(random.IntN(1 << bits))
	}
	frames := make([][]byte, n)
	for f := range frames {
		for i := range still {
			v := still[(i+f*7)%len(still)]
			if bits == 8 {
				frames[f] = append(frames[f], byte(v))
			} else {
				frames[f] = binary.LittleEndian.AppendUint16(frames[f], v)
			}
		}
	}
	return frames
}

func encodeFrames(t *testing.T, r EncodeRequest, frames [][]byte) string {
	t.Helper()
	if r.Path == "" {
		r.Path = filepath.Join(t.TempDir(), "encoded.mp4")
	}
	e, err := NewEncoder(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := e.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := e.Close(); err != nil || n != len(frames) {
		t.Fatalf("%d frames, %v", n, err)
	}
	return r.Path
}

// small is a request for frames of 64×36.
func small(codec string, bits int) EncodeRequest {
	encoder := map[string]string{"h264": "libx264", "hevc": "libx265"}[codec]
	return EncodeRequest{
		Width: 64, Height: 36, Bits: bits, FrameRate: Rational{30000, 1001}, SAR: Rational{1, 1},
		Codec: codec, Encoder: encoder, Preset: "ultrafast", CRF: 23,
	}
}

// TestQualityZeroIsLossless decodes with FFmpeg what was encoded at CRF 0. Ranges and tags must not touch a sample.
func TestQualityZeroIsLossless(t *testing.T) {
	for _, codec := range []string{"h264", "hevc"} {
		for _, bits := range []int{8, 10} {
			for _, levels := range []string{"tv", "pc"} {
				t.Run(fmt.Sprint(codec, bits, levels), func(t *testing.T) {
					t.Parallel()
					r := small(codec, bits)
					r.CRF, r.Color = 0, Color{Range: levels, Primaries: "bt709", Transfer: "bt709", Matrix: "bt709", ChromaLocation: "topleft"}
					frames := rawFrames(r.Width, r.Height, bits, 7)
					path := encodeFrames(t, r, frames)
					got := run(t, "ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-")
					if md5.Sum([]byte(got)) != md5.Sum(bytes.Join(frames, nil)) {
						t.Error("frames differ from what was encoded")
					}
					said := run(t, "ffprobe", "-v", "error", "-show_streams", path)
					for _, tag := range []string{"color_range=" + levels, "color_space=bt709", "color_transfer=bt709", "color_primaries=bt709", "chroma_location=topleft"} {
						if !strings.Contains(said, tag) {
							t.Errorf("ffprobe says no %s", tag)
						}
					}
				})
			}
		}
	}
}

// TestEncodedFramesStandOnAConstantClock reads timestamps of streams with B-frames.
func TestEncodedFramesStandOnAConstantClock(t *testing.T) {
	for _, codec := range []string{"h264", "hevc"} {
		for _, n := range []int{1, 2, 40} {
			r := small(codec, 8)
			r.Preset = "veryfast"
			path := encodeFrames(t, r, rawFrames(r.Width, r.Height, 8, n))
			e, err := readEncodedSegment(SegmentOutput{Path: path, Frames: n})
			if err != nil {
				t.Fatal(err)
			}
			reordered := false
			for i, s := range e.samples {
				reordered = reordered || int(s.rank) != i
			}
			if n == 40 && !reordered {
				t.Errorf("%s: no B-frames, so nothing is tested", codec)
			}
			times := strings.Fields(run(t, "ffprobe", "-v", "error", "-show_entries", "frame=pts", "-of", "csv=p=0", path))
			for i, s := range times {
				if pts, _ := strconv.Atoi(strings.TrimRight(s, ",")); pts != i*1001 {
					t.Fatalf("%s: frame %d of %d at tick %s", codec, i, n, s)
				}
			}
			if len(times) != n {
				t.Errorf("%s: %d frames shown of %d", codec, len(times), n)
			}
		}
	}
}

// TestKeyframesCloseTheirGroups looks for clean random access pictures, which open groups have (ITU-T H.265, table 7-1).
func TestKeyframesCloseTheirGroups(t *testing.T) {
	r := small("hevc", 8)
	r.FrameRate, r.Preset = Rational{5, 1}, "veryfast" // a keyframe every ten frames
	path := encodeFrames(t, r, rawFrames(r.Width, r.Height, 8, 35))
	stream := run(t, "ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-f", "hevc", "-")
	kinds := map[byte]int{}
	for rest := stream; ; {
		at := strings.Index(rest, "\x00\x00\x01")
		if at < 0 || at+3 >= len(rest) {
			break
		}
		kinds[rest[at+3]>>1&0x3f]++
		rest = rest[at+3:]
	}
	const idrWithLeading, idr, cra = 19, 20, 21
	if kinds[cra] != 0 || kinds[idr]+kinds[idrWithLeading] < 3 {
		t.Errorf("NAL units by type: %v", kinds)
	}
}

func TestSameFramesEncodeToTheSameBytes(t *testing.T) {
	for _, codec := range []string{"h264", "hevc"} {
		r := small(codec, 8)
		r.Preset = "medium"
		frames := rawFrames(r.Width, r.Height, 8, 30)
		a, b := readAll(t, encodeFrames(t, r, frames)), readAll(t, encodeFrames(t, r, frames))
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two runs differ", codec)
		}
	}
}

func TestYieldingEncodersGiveTheSameBytes(t *testing.T) {
	for _, r := range []EncodeRequest{small("h264", 8), small("h264", 10)} {
		for _, n := range []int{1, 75} { // fewer frames than are held back, and more
			frames := rawFrames(r.Width, r.Height, r.Bits, n)
			r.Preset, r.CRF, r.Yields = "medium", 18, false
			want := readAll(t, encodeFrames(t, r, frames))
			r.Yields = true
			if !bytes.Equal(readAll(t, encodeFrames(t, r, frames)), want) {
				t.Errorf("%s, %d bits, %d frames: the bytes differ", r.Codec, r.Bits, n)
			}
		}
	}
}

func TestYieldingEncodersAreNicerThanThisProgram(t *testing.T) {
	own, err := nicenesses(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for yields, more := range map[bool]int{false: 0, true: yielding} {
		r := small("h264", 8)
		r.Path, r.Yields = filepath.Join(t.TempDir(), "encoded.mp4"), yields
		e, err := NewEncoder(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range rawFrames(r.Width, r.Height, 8, 8) {
			if err := e.WriteFrame(f); err != nil {
				t.Fatal(err)
			}
		}
		pid := e.process.cmd.Process.Pid
		deadline := time.Now().Add(time.Minute)
		all, err := nicenesses(pid)
		for ; err != nil || len(all) < 6; all, err = nicenesses(pid) { // x264's own
			if time.Now().After(deadline) {
				t.Fatalf("its threads: %v, %v", all, err)
			}
			time.Sleep(time.Millisecond)
		}
		for _, n := range all {
			if want := min(own[0]+more, 19); n != want {
				t.Errorf("yields %v: its threads have the priorities %v, want %d of all", yields, all, want)
			}
		}
		e.Abort()
	}
}

// nicenesses returns those of a process's threads (proc(5), /proc/pid/stat: the 19th field).
func nicenesses(pid int) (all []int, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return nil, err
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		_, after, _ := bytes.Cut(text, []byte(") "))
		n, err := strconv.Atoi(strings.Fields(string(after))[16])
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

func TestFrameShapeAndHDRSurvive(t *testing.T) {
	hdr := &HDR10{
		Red: [2]int64{34000, 16000}, Green: [2]int64{13250, 34500}, Blue: [2]int64{7500, 3000}, White: [2]int64{15635, 16450},
		MinLuminance: 50, MaxLuminance: 10_000_000, HasMastering: true, MaxCLL: 1000, MaxFALL: 400,
	}
	r := small("hevc", 10)
	r.SAR, r.HDR10 = Rational{16, 11}, hdr
	r.Color = Color{Range: "tv", Primaries: "bt2020", Transfer: "smpte2084", Matrix: "bt2020nc"}
	said := run(t, "ffprobe", "-v", "error", "-show_streams", "-show_frames", "-read_intervals", "%+#1", encodeFrames(t, r, rawFrames(r.Width, r.Height, 10, 3)))
	for _, want := range []string{
		"sample_aspect_ratio=16:11", "color_transfer=smpte2084", "red_x=34000/50000", "green_y=34500/50000", "blue_x=7500/50000",
		"white_point_y=16450/50000", "min_luminance=50/10000", "max_luminance=10000000/10000", "max_content=1000", "max_average=400", "codec_tag_string=hvc1",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("ffprobe says no %s in\n%s", want, said)
		}
	}
}

func TestAbortedEncodersLeaveNothing(t *testing.T) {
	r := small("h264", 8)
	r.Path = filepath.Join(t.TempDir(), "aborted.mp4")
	e, err := NewEncoder(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.WriteFrame(rawFrames(r.Width, r.Height, 8, 1)[0]); err != nil {
		t.Fatal(err)
	}
	e.Abort()
	if _, err := os.Stat(r.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestEncodersSayWhyTheyCannot(t *testing.T) {
	huge := small("h264", 8)
	huge.Width = 16386
	_, err := NewEncoder(t.Context(), huge)
	oneLine(t, err, "")
	if !strings.Contains(err.Error(), "half-sbs") {
		t.Errorf("%v", err)
	}

	nowhere := small("h264", 8)
	nowhere.Path = filepath.Join(t.TempDir(), "no", "such", "place.mp4")
	e, err := NewEncoder(t.Context(), nowhere)
	if err == nil {
		_, err = e.Close()
	}
	oneLine(t, err, "")

	wrong := small("h264", 8)
	wrong.Path = filepath.Join(t.TempDir(), "wrong.mp4")
	if e, err = NewEncoder(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	defer e.Abort()
	if err := e.WriteFrame(make([]byte, 5)); err == nil {
		t.Error("a frame of 5 bytes passes")
	}
}

func TestEncodersAreChosen(t *testing.T) {
	for _, c := range []struct {
		codec, encoder string
		bits           int
		want, says     string
	}{
		{"", "auto", 8, "h264 libx264", ""},
		{"", "", 10, "hevc libx265", ""},
		{"hevc", "auto", 8, "hevc libx265", ""},
		{"", "libx265", 8, "hevc libx265", ""},
		{"h264", "libx265", 8, "", "can't be used for h264"},
		{"", "libtheora", 8, "", "can't be used for h264 or hevc"},
		{"", "h264_nonsense", 8, "", "lacks the encoder h264_nonsense"},
	} {
		codec, encoder, err := ChooseEncoder(t.Context(), c.codec, c.encoder, c.bits)
		if c.says != "" {
			oneLine(t, err, "")
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if got := codec + " " + encoder; err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
}

func TestHardwareEncodersGetTheirOwnOptions(t *testing.T) {
	for encoder, want := range map[string]string{
		"h264_nvenc": "-cq 23", "hevc_qsv": "-global_quality 23", "h264_vaapi": "-qp 23", "hevc_videotoolbox": "-q:v 55",
	} {
		r := small(codecOf(encoder), 10)
		r.Encoder, r.Preset = encoder, ""
		if got := strings.Join(encoderArgs(r), " "); !strings.Contains(got, want) {
			t.Errorf("%s: %s", encoder, got)
		}
		if got := encoderFilters(r, "yuv420p10le"); !strings.Contains(got, "format=p010le") {
			t.Errorf("%s: %s", encoder, got)
		}
	}
}
