package media

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// shared holds the sources that tests have in common: each is made once, when it is first asked for.
type shared struct {
	dir  string
	mu   sync.Mutex
	made map[string]func() error
}

var sources = &shared{made: map[string]func() error{}}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "stereospot-media-test-")
	if err != nil {
		panic(err)
	}
	sources.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// file returns the path of a shared file, which make writes when it is asked for first.
func (s *shared) file(t testing.TB, name string, make func(path string) error) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	s.mu.Lock()
	once, ok := s.made[name]
	if !ok {
		once = sync.OnceValue(func() error { return make(path) })
		s.made[name] = once
	}
	s.mu.Unlock()
	if err := once(); err != nil {
		t.Fatal(err)
	}
	return path
}

// ffmpeg runs FFmpeg outside of the code under test.
func ffmpeg(args ...string) error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	out, err := exec.CommandContext(ctx, "ffmpeg", append([]string{"-nostdin", "-hide_banner", "-v", "error", "-y", "-threads", "1"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ffmpeg %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// scene is a moving picture in which every frame differs.
func scene(size, rate string, frames int) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%s:r=%s,noise=alls=6:allf=t", size, rate), "-frames:v", strconv.Itoa(frames)}
}

// tone is sound as long as n frames at 25 frames per second.
func tone(frames int) []string {
	return []string{"-f", "lavfi", "-t", fmt.Sprintf("%.2f", float64(frames)/25), "-i", "sine"}
}

// sourceCase is a kind of file that people bring.
type sourceCase struct {
	name     string
	args     []string // FFmpeg's, without the output; SRC:name stands for another case's file
	lossless bool     // segments can't be copies
	beheaded bool     // a transport stream from its second keyframe on, so that leading pictures lack their references
}

const testFrames = 44

var x264 = []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1"}

func cat(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func with(list []string, more ...string) []string { return cat(list, more) }

// openGOP makes libx264 write open GOPs of 12 frames with B-frames that other B-frames refer to.
var openGOP = []string{"-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-pix_fmt", "yuv420p", "-x264-params", "keyint=12:min-keyint=12:open-gop=1:bframes=3:b-adapt=0:b-pyramid=normal:scenecut=0"}

var openHEVC = []string{"-pix_fmt", "yuv420p", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12:min-keyint=12:open-gop=1:bframes=3:scenecut=0:pools=1"}

func sourceCases() []sourceCase {
	cases := []sourceCase{}
	for _, rate := range []string{"24000/1001", "24", "25", "30000/1001", "50", "60000/1001"} {
		name := "cfr" + strings.ReplaceAll(rate, "/", "_") + ".mp4"
		cases = append(cases, sourceCase{name: name, args: cat(scene("160x90", rate, testFrames), x264, []string{"-g", "12", "-bf", "2"})})
	}
	return append(cases,
		sourceCase{name: "opengop.mp4", args: cat(tone(testFrames), scene("160x90", "25", testFrames), openGOP, []string{"-c:a", "aac"})},
		sourceCase{name: "opengop.mkv", args: []string{"-i", "SRC:opengop.mp4", "-c", "copy"}},
		sourceCase{name: "opengop.mov", args: []string{"-i", "SRC:opengop.mp4", "-c", "copy"}},
		sourceCase{name: "opengop.ts", args: []string{"-i", "SRC:opengop.mp4", "-c", "copy", "-muxdelay", "0", "-output_ts_offset", "3723.5"}},
		sourceCase{name: "opengop.m2ts", args: []string{"-i", "SRC:opengop.mp4", "-c", "copy", "-mpegts_m2ts_mode", "1"}},
		sourceCase{name: "beheaded.ts", beheaded: true, args: cat(tone(testFrames), scene("160x90", "25", testFrames), openGOP, []string{"-c:a", "mp2"})},
		sourceCase{name: "beheadedhevc.ts", beheaded: true, args: cat(scene("160x90", "25", testFrames), openHEVC)},
		sourceCase{name: "hevc.mp4", args: cat(scene("160x90", "25", testFrames), openHEVC)},
		sourceCase{name: "hevc.ts", args: []string{"-i", "SRC:hevc.mp4", "-c", "copy"}},
		sourceCase{name: "hdr10.mkv", args: cat(scene("160x90", "24", testFrames), []string{"-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc",
			"-x265-params", "log-level=none:keyint=12:pools=1:hdr10=1:repeat-headers=1:colorprim=9:transfer=16:colormatrix=9:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"})},
		sourceCase{name: "refresh.mp4", args: cat(scene("160x90", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-x264-params", "keyint=12:intra-refresh=1:bframes=0"})},
		sourceCase{name: "vfr.mp4", args: cat(scene("160x90", "60", 3*testFrames), []string{"-vf", "select='not(mod(n,3))*not(between(n,40,70))+eq(mod(n,17),4)',setpts='PTS+0.004*mod(N*7,5)/TB'", "-fps_mode", "passthrough", "-enc_time_base", "1:90000"}, x264, []string{"-g", "12", "-bf", "2"})},
		sourceCase{name: "priming.mp4", args: []string{"-itsoffset", "-0.02", "-i", "SRC:opengop.mp4", "-map", "0:a", "-map", "0:v", "-c", "copy"}},
		sourceCase{name: "rotated90.mp4", args: []string{"-i", "SRC:opengop.mp4", "-c", "copy", "-metadata:s:v", "rotate=270"}},
		sourceCase{name: "rotated180.mp4", args: []string{"-i", "SRC:opengop.mp4", "-c", "copy", "-metadata:s:v", "rotate=180"}},
		sourceCase{name: "rotated270.mp4", args: []string{"-i", "SRC:opengop.mp4", "-c", "copy", "-metadata:s:v", "rotate=90"}},
		sourceCase{name: "anamorphic.mp4", args: cat(scene("144x80", "25", testFrames), []string{"-vf", "setsar=64/45"}, x264, []string{"-g", "12"})},
		sourceCase{name: "odd.mkv", args: cat(scene("160x90", "25", testFrames), []string{"-vf", "scale=161:91", "-pix_fmt", "yuv420p", "-c:v", "ffv1", "-g", "1"})},
		sourceCase{name: "oddturned.mov", args: cat(scene("160x90", "25", testFrames), []string{"-vf", "scale=161:90", "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-metadata:s:v", "rotate=270"})},
		sourceCase{name: "vp9.webm", args: cat(tone(testFrames), scene("160x90", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "libvpx-vp9", "-b:v", "150k", "-g", "12", "-auto-alt-ref", "1", "-lag-in-frames", "12", "-cpu-used", "8", "-c:a", "libopus"})},
		sourceCase{name: "vp8.webm", args: cat(scene("160x90", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "libvpx", "-b:v", "150k", "-g", "12", "-auto-alt-ref", "1", "-lag-in-frames", "12", "-cpu-used", "8"}), lossless: true},
		sourceCase{name: "av1.mp4", args: cat(scene("160x90", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "libsvtav1", "-preset", "12", "-g", "12"})},
		sourceCase{name: "packed.avi", args: cat(scene("160x90", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "libxvid", "-bf", "2", "-g", "12", "-b:v", "300k"}), lossless: true},
		sourceCase{name: "mpeg4.mp4", args: cat(scene("160x90", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "mpeg4", "-bf", "2", "-g", "12"})},
		sourceCase{name: "mjpeg.avi", args: cat(scene("160x90", "25", testFrames), []string{"-c:v", "mjpeg", "-pix_fmt", "yuvj420p"})},
		sourceCase{name: "prores.mov", args: cat(scene("160x90", "25", testFrames), []string{"-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"})},
		sourceCase{name: "rgb.mkv", args: cat(scene("160x90", "25", testFrames), []string{"-c:v", "ffv1", "-pix_fmt", "bgr0"})},
		sourceCase{name: "mpeg2.ts", args: cat(scene("160x90", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "mpeg2video", "-bf", "2", "-g", "12"})},
		sourceCase{name: "mpeg2.mpg", args: cat(scene("160x90", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "mpeg2video", "-bf", "2", "-g", "12"}), lossless: true},
		sourceCase{name: "interlaced.ts", args: cat(scene("160x96", "25", testFrames), []string{"-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ilme+ildct", "-x264-params", "tff=1"}), lossless: true},
		sourceCase{name: "h264.flv", args: []string{"-i", "SRC:cfr25.mp4", "-c", "copy"}},
		sourceCase{name: "trimmed.mp4", args: []string{"-ss", "0.7", "-i", "SRC:opengop.mp4", "-c", "copy"}},
		sourceCase{name: "full.mp4", args: cat(scene("160x90", "25", testFrames), []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuvj420p", "-threads", "1", "-g", "12"})},
		sourceCase{name: "one.mp4", args: cat(scene("160x90", "25", 1), x264)},
		sourceCase{name: "short.mp4", args: cat(scene("160x90", "25", 3), x264)},
	)
}

// lengths are the segment lengths that a case is tried with: decoding a segment costs a process, so
// the short ones are for the kinds of source where they could matter.
func (c sourceCase) lengths() []int {
	if slices.Contains([]string{"opengop.mp4", "hevc.mp4", "trimmed.mp4", "packed.avi"}, c.name) {
		return []int{1000, 16, 5}
	}
	return []int{16}
}

// source makes a case's file.
func (c sourceCase) source(t testing.TB) string {
	t.Helper()
	return sources.file(t, c.name, func(path string) error {
		args := append([]string(nil), c.args...)
		for i, a := range args {
			if name, ok := strings.CutPrefix(a, "SRC:"); ok {
				args[i] = caseNamed(name).source(t)
			}
		}
		err := ffmpeg(append(args, path)...)
		if err == nil && c.beheaded {
			return behead(path)
		}
		return err
	})
}

// behead removes everything between a transport stream's tables and its second keyframe.
func behead(path string) error {
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pos,flags", "-of", "csv=p=0", path).Output()
	if err != nil {
		return err
	}
	var keys []int
	for _, line := range strings.Fields(string(out)) {
		if pos, flags, _ := strings.Cut(line, ","); strings.HasPrefix(flags, "K") {
			n, err := strconv.Atoi(pos)
			if err != nil {
				return err
			}
			keys = append(keys, n)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || len(keys) < 2 {
		return fmt.Errorf("behead %s: %d keyframes, %v", path, len(keys), err)
	}
	return os.WriteFile(path, append(data[:keys[0]:keys[0]], data[keys[1]:]...), 0o644)
}

func caseNamed(name string) sourceCase {
	for _, c := range sourceCases() {
		if c.name == name {
			return c
		}
	}
	panic("no source " + name)
}

// decoded is what FFmpeg itself makes of a source.
type decoded struct {
	sums [][md5.Size]byte
	pts  []int64
}

// reference decodes a source in one piece: upright frames in the processed format, and their timestamps.
func reference(t testing.TB, path string, v Video) decoded {
	t.Helper()
	args := []string{"-nostdin", "-v", "quiet", "-threads", "1", "-copyts", "-i", path, "-map", "0:" + strconv.Itoa(v.Stream), "-fps_mode", "passthrough"}
	format := map[int]string{8: "yuv420p", 10: "yuv420p10le"}[v.Bits]
	switch v.PixelFormat {
	case "yuvj420p":
		format = "yuvj420p"
	case "bgr0":
		args = append(args, "-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int")
	case "yuv422p10le":
		args = append(args, "-vf", "scale=flags=bicubic+accurate_rnd+full_chroma_int")
	}
	raw, err := exec.Command("ffmpeg", append(args, "-pix_fmt", format, "-f", "rawvideo", "-")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	g := newFrameReader(nil, nil, v, 0)
	var d decoded
	buf := make([]byte, g.even.size())
	for ; len(raw) > 0; raw = raw[g.stored.size():] {
		d.sums = append(d.sums, md5.Sum(repeatEdges(buf, raw[:g.stored.size()], g.stored, g.even)))
	}
	out, err := exec.Command("ffprobe", "-v", "quiet", "-threads", "1", "-select_streams", strconv.Itoa(v.Stream), "-show_entries", "frame=best_effort_timestamp", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(out)) {
		pts, err := strconv.ParseInt(strings.TrimRight(line, ","), 10, 64)
		if err != nil {
			pts = unknownTime
		}
		d.pts = append(d.pts, pts)
	}
	return d
}

// repeatEdges makes a frame's size even, sample by sample.
func repeatEdges(to, from []byte, stored, even geometry) []byte {
	if stored == even {
		return from
	}
	n := 0
	for y := range even.height {
		for x := range even.width {
			at := (min(y, stored.height-1)*stored.width + min(x, stored.width-1)) * stored.bytes
			n += copy(to[n:], from[at:at+stored.bytes])
		}
	}
	copy(to[n:], from[stored.width*stored.height*stored.bytes:])
	return to
}

// planned probes, measures and plans a source.
func planned(t testing.TB, path string, o PlanOptions) *Plan {
	t.Helper()
	src, err := Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var tl *Timeline
	if o.Lossless {
		tl, err = ReadDecodedTimeline(t.Context(), src, "asked for")
	} else {
		tl, err = ReadTimeline(t.Context(), src)
	}
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(src, tl, o)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// splitAndDecode splits a source and returns what workers decode of it: each segment's own frames, in order. Lead frames
// are decoded too and must be what their own segments hold.
func splitAndDecode(t testing.TB, path string, plan *Plan) [][md5.Size]byte {
	t.Helper()
	sums := make([][md5.Size]byte, plan.Frames())
	type lead struct {
		frame int
		sum   [md5.Size]byte
	}
	var leads []lead
	err := Split(t.Context(), path, plan, func(s Segment, tmp string) error {
		file, err := OpenSegment(t.Context(), tmp)
		if err != nil {
			return err
		}
		info := file.Info()
		if info.Window != s.Window() || info.Total != len(plan.Segments) || info.Index != s.Index {
			return fmt.Errorf("segment %d says %+v", s.Index, info)
		}
		first, n := info.Window.First-info.LeadIn, info.LeadIn+info.Window.Frames+info.LeadOut
		return decodeFrames(t.Context(), file, first, n, func(i int, sum [md5.Size]byte) {
			frame := s.FileFirst + first + i
			if frame >= s.First && frame < s.First+s.Frames {
				sums[frame] = sum
			} else {
				leads = append(leads, lead{frame, sum})
			}
		})
	}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leads {
		if l.sum != sums[l.frame] {
			t.Errorf("frame %d differs between a segment's lead and its own segment", l.frame)
		}
	}
	return sums
}

func decodeFrames(ctx context.Context, file *SegmentFile, first, n int, each func(i int, sum [md5.Size]byte)) error {
	r, err := file.Decode(ctx, first, n)
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, r.FrameBytes())
	for i := 0; ; i++ {
		err := r.ReadFrame(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		each(i, md5.Sum(buf))
	}
}

func readAll(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// oneLine fails unless err is an *Error of one line that doesn't hold secret.
func oneLine(t testing.TB, err error, secret string) {
	t.Helper()
	var e *Error
	switch {
	case err == nil:
		t.Error("no error")
	case !errors.As(err, &e):
		t.Errorf("not an *Error: %v", err)
	case strings.ContainsAny(err.Error(), "\n\r"):
		t.Errorf("more than one line: %q", err)
	case secret != "" && bytes.Contains([]byte(fmt.Sprintf("%v %v", err, e.Err)), []byte(secret)):
		t.Errorf("tells the secret: %v", err)
	}
}

func readDirNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func writeFile(path, content string) error { return os.WriteFile(path, []byte(content), 0o644) }
