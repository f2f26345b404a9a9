package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// secret is planted beside hostile media; it must turn up nowhere.
const secret = "PLANTED-SECRET-CONTENT"

// checkRefused converts and wants exit 1, one line that has all of want, no output, and nothing left but before.
func checkRefused(t *testing.T, in string, want ...string) {
	t.Helper()
	dir := filepath.Dir(in)
	before := names(t, dir)
	out := filepath.Join(dir, "out.mp4")
	r := stereospot(t, "convert", in, "-o", out, "--encoder-preset", "ultrafast")
	if r.code != exitFailed {
		t.Errorf("exit %d, want %d: %s", r.code, exitFailed, r.err)
	}
	message := lastLineOf(r.err)
	for _, w := range want {
		if !strings.Contains(message, w) {
			t.Errorf("message %q doesn't say %q", message, w)
		}
	}
	if !strings.HasPrefix(message, "stereospot: ") || len(message) > 400 {
		t.Errorf("not one clear line: %q", message)
	}
	if strings.Contains(r.err+r.out, secret) {
		t.Errorf("the planted file leaked: %s", r.err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("there is an output")
	}
	for name := range names(t, dir) {
		if !before[name] {
			t.Errorf("left behind: %s", name)
		}
	}
	if running := processesOf(t, dir); len(running) > 0 {
		t.Errorf("still running: %q", running)
	}
}

func lastLineOf(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func names(t *testing.T, dir string) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	for _, e := range entries {
		set[e.Name()] = true
	}
	return set
}

func TestWhatIsNoVideoIsRefusedInOneLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("secret.txt", secret)
	ffmpeg(t, dir, "-f lavfi -i sine=d=1 -c:a aac sound.m4a")
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=64x64:d=1 -frames:v 1 picture.png")
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=64x64:d=1 -frames:v 1 picture.jpg")
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=64x64:d=1 -c:v libx264 -f mpegts part.ts")
	for name, in := range map[string]string{
		"missing file":  filepath.Join(dir, "nothing.mp4"),
		"directory":     dir,
		"text":          write("text.mp4", "This is no film.\n"),
		"zero bytes":    write("empty.mp4", ""),
		"sound only":    filepath.Join(dir, "sound.m4a"),
		"picture":       filepath.Join(dir, "picture.png"),
		"photo":         filepath.Join(dir, "picture.jpg"),
		"HLS playlist":  write("hls.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\npart.ts\n#EXT-X-ENDLIST\n"),
		"HLS over file": write("hls2.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://"+dir+"/secret.txt\n#EXT-X-ENDLIST\n"),
		"HLS over http": write("hls3.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"),
		"ffconcat":      write("concat.mp4", "ffconcat version 1.0\nfile part.ts\nfile secret.txt\n"),
		"SDP":           write("sdp.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
		"DASH":          write("dash.mp4", `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>part.ts</BaseURL></Representation></AdaptationSet></Period></MPD>`),
		"subtitles":     write("subs.mp4", "1\n00:00:00,000 --> 00:00:01,000\nhello\n"),
	} {
		t.Run(name, func(t *testing.T) { checkRefused(t, in) })
	}
}

func TestTruncatedFileIsRefusedWhereverItEnds(t *testing.T) {
	for _, kind := range []struct{ name, args string }{
		{"index.mp4", "-movflags +faststart"},
		{"plain.mp4", ""},
		{"film.mkv", ""},
		{"film.avi", "-c:v mpeg4"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ffmpeg(t, dir, "-f lavfi -i testsrc2=s=128x72:d=2:r=25 -f lavfi -i sine=d=2 -g 12 "+kind.args+" "+kind.name)
			whole, err := os.ReadFile(filepath.Join(dir, kind.name))
			if err != nil {
				t.Fatal(err)
			}
			for tenth := 1; tenth < 10; tenth++ {
				cut := filepath.Join(dir, fmt.Sprintf("cut%d%s", tenth, filepath.Ext(kind.name)))
				if err := os.WriteFile(cut, whole[:len(whole)*tenth/10], 0o644); err != nil {
					t.Fatal(err)
				}
				checkRefused(t, cut)
			}
		})
	}
}

func TestCorruptIndexIsRefused(t *testing.T) {
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=128x72:d=1:r=25 -c:v libx264 -preset ultrafast good.mp4")
	good, err := os.ReadFile(filepath.Join(dir, "good.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		table  string // a box of the index (ISO/IEC 14496-12, 8.6 and 8.7)
		offset int    // of what is overwritten, from the box's name
		bytes  []byte
	}{
		{"moov", -4, []byte{0, 0, 0, 9}},
		{"stsd", 8, []byte{0, 0, 0, 0}},
		{"stts", 8, []byte{0, 0, 0, 0}},
		{"stsz", 8, []byte{0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}},
		{"stsc", 8, []byte{0xff, 0xff, 0xff, 0xff}},
		{"stco", 12, []byte{0xff, 0xff, 0xff, 0xff}},
		{"avcC", 4, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
	} {
		t.Run(c.table, func(t *testing.T) {
			bad := slices.Clone(good)
			copy(bad[bytes.Index(bad, []byte(c.table))+c.offset:], c.bytes)
			path := filepath.Join(dir, c.table+".mp4")
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			checkRefused(t, path)
		})
	}
}

// TestNamesInsideAFileAreOnlyText converts a film whose tags, subtitles and attachment name other files and hosts.
func TestNamesInsideAFileAreOnlyText(t *testing.T) {
	dir := t.TempDir()
	beside := filepath.Join(dir, "secret.txt")
	text := "1\n00:00:00,000 --> 00:00:00,400\nfile:" + beside + " http://127.0.0.1:9/x\n"
	for name, content := range map[string]string{"secret.txt": secret, "s.srt": text, "font.ttf": "file:" + beside} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=64x64:d=0.4:r=25 -i s.srt -map 0 -map 1 -c:v libx264 -preset ultrafast -c:s srt "+
		"-attach font.ttf -metadata:s:t:0 mimetype=font/ttf -metadata:s:t:0 filename=../../escape.ttf -metadata title=file:secret.txt in.mkv")
	in, before := filepath.Join(dir, "in.mkv"), names(t, dir)
	for _, container := range []string{"mp4", "mkv"} {
		name := "out." + container
		before[name] = true
		mustConvert(t, in, filepath.Join(dir, name))
		out, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(out, []byte(secret)) || !bytes.Contains(out, []byte("file:secret.txt")) {
			t.Errorf("%s holds the planted file, or lacks the title", name)
		}
	}
	for name := range names(t, dir) {
		if !before[name] {
			t.Errorf("left behind: %s", name)
		}
	}
}

func TestReadOnlyDirectoryIsRefusedBeforeAnyWork(t *testing.T) {
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=64x64:d=0.2:r=25 -c:v libx264 in.mp4")
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", closed, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("no read-only disk can be mounted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(closed, 0); err != nil {
			t.Error(err)
		}
	}()
	r := stereospot(t, "convert", filepath.Join(dir, "in.mp4"), "-o", filepath.Join(closed, "out.mp4"), "--work-dir", filepath.Join(dir, "work"))
	if r.code != exitFailed || !strings.HasPrefix(r.err, "stereospot: can't write into "+closed) || strings.Contains(r.err, "measuring") {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	checkNothingLeft(t, dir, "in.mp4", "closed")
}

func TestOutputThatCannotBeIsRefused(t *testing.T) {
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=64x64:d=0.2:r=25 -c:v libx264 in.mp4")
	in := filepath.Join(dir, "in.mp4")
	taken := filepath.Join(dir, "taken.mp4")
	if err := os.WriteFile(taken, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, out, want string }{
		{"existing file", taken, "-y"},
		{"the input itself", in, "is the input"},
		{"missing directory", filepath.Join(dir, "no", "out.mp4"), "is no directory"},
	} {
		r := stereospot(t, "convert", in, "-o", c.out)
		if r.code != exitFailed || !strings.Contains(r.err, c.want) {
			t.Errorf("%s: exit %d, %q", c.name, r.code, r.err)
		}
	}
	if content, _ := os.ReadFile(taken); string(content) != "mine" {
		t.Error("an existing file was touched")
	}
	checkNothingLeft(t, dir, "in.mp4", "taken.mp4")
}

func TestFrameTooLargeForTheEncoderIsRefusedWithAWayOut(t *testing.T) {
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=16384x16:d=0.12:r=25 -c:v libx264 -preset ultrafast wide.mp4")
	in := filepath.Join(dir, "wide.mp4")
	checkRefused(t, in, "32768×16", "--format half-sbs")
	out := filepath.Join(dir, "half.mp4")
	mustConvert(t, in, out, "--format", "half-sbs")
	if v := probeFile(t, out).Streams[0]; v.Width != 16384 || v.Height != 16 {
		t.Errorf("half side by side is %d×%d", v.Width, v.Height)
	}
}

func TestTinyFramesAndAbsurdRatesKeepEveryFrame(t *testing.T) {
	for name, args := range map[string]string{
		"16×16":            "-f lavfi -i testsrc2=s=16x16:d=0.4:r=25 -c:v libx264 -preset ultrafast in.mp4",
		"1000 a second":    "-f lavfi -i testsrc2=s=64x64:d=0.02:r=1000 -c:v libx264 -preset ultrafast in.mp4",
		"one in 3 seconds": "-f lavfi -i testsrc2=s=64x64:d=9:r=1/3 -c:v libx264 -preset ultrafast in.mp4",
		"two in an hour":   "-f lavfi -i testsrc2=s=64x64:d=2:r=1 -vf setpts=N*3600/TB -vsync passthrough -c:v libx264 -preset ultrafast in.mkv",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ffmpeg(t, dir, args)
			fields := strings.Fields(args)
			in, out := filepath.Join(dir, fields[len(fields)-1]), filepath.Join(dir, "out.mp4")
			mustConvert(t, in, out)
			checkTimes(t, in, out, timeBase(t, out))
		})
	}
}

func TestFullDiskIsOneLineAndTheWorkContinuesAfterwards(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=320x180:d=2:r=25 -c:v libx264 -preset ultrafast in.mp4")
	fill := filepath.Join(dir, "fill")
	if err := os.WriteFile(fill, make([]byte, 7<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"convert", filepath.Join(dir, "in.mp4"), "-o", filepath.Join(dir, "out.mp4"), "--encoder-preset", "ultrafast", "--crf", "4", "--segment-frames", "10"}
	r := stereospot(t, args...)
	if r.code != exitFailed || !strings.HasSuffix(strings.TrimSpace(r.err), "stereospot: the disk is full: make room and start again") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out.mp4")); err == nil {
		t.Error("there is an output")
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if r := stereospot(t, args...); r.code != exitDone {
		t.Errorf("with room again: exit %d: %s", r.code, r.err)
	}
	checkNothingLeft(t, dir, "in.mp4", "out.mp4")
}

func TestUnknownPresetIsSaid(t *testing.T) {
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=64x64:d=0.2:r=25 -c:v libx264 in.mp4")
	for _, codec := range []string{"h264", "hevc"} {
		r := stereospot(t, "convert", filepath.Join(dir, "in.mp4"), "--codec", codec, "--encoder-preset", "lightning")
		if want := "stereospot: the encoder has no such preset"; r.code != exitFailed || !strings.HasPrefix(lastLineOf(r.err), want) || !strings.HasSuffix(lastLineOf(r.err), " --encoder-preset") {
			t.Errorf("%s: exit %d, %q", codec, r.code, r.err)
		}
	}
	checkNothingLeft(t, dir, "in.mp4")
}

func TestWrongUsageExitsWithTwo(t *testing.T) {
	for _, args := range [][]string{
		{"convert"},
		{"convert", "x.mp4", "--format", "4d"},
		{"convert", "x.mp4", "--divergence", "99"},
		{"convert", "x.mp4", "--convergence", "NaN"},
		{"convert", "x.mp4", "--start", "yesterday"},
		{"convert", "x.mp4", "--crf", "77"},
		{"convert", "x.mp4", "--segment-frames", "0"},
		{"convert", "x.mp4", "--depth", "tarot"},
		{"convert", "x.mp4", "--json", "-q"},
		{"frobnicate"},
	} {
		if r := stereospot(t, args...); r.code != exitUsage || r.err == "" {
			t.Errorf("%v: exit %d, %q", args, r.code, r.err)
		}
	}
}

func TestHelpExitsWithZeroAndShowsExamples(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"convert", "--help"}, {"probe", "--help"}, {"preview", "--help"}} {
		r := stereospot(t, args...)
		if r.code != exitDone || !strings.Contains(r.out, "stereospot") {
			t.Errorf("%v: exit %d\n%s%s", args, r.code, r.out, r.err)
		}
		if len(args) == 2 && !strings.Contains(r.out, "Examples:") {
			t.Errorf("%v has no examples", args)
		}
	}
}

func TestWhatIsStoppedPromisesToContinueOnlyWhereItDoes(t *testing.T) {
	film := smallFilm(t, 3)
	dir := filepath.Dir(film)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range []string{"probe film.mp4 --scenes", "preview film.mp4 -o sheet.png", "scene -o scene.mp4"} {
		t.Chdir(dir)
		var out bytes.Buffer
		if code := run(ctx, strings.Fields(args), streams{nil, &out, &out}); code != exitFailed || out.String() != "stereospot: stopped\n" {
			t.Errorf("%s: exit %d: %s", args, code, &out)
		}
	}
	checkNothingLeft(t, dir, "film.mp4")
	stopped := fmt.Errorf("sending the film: %w", context.Canceled)
	if got := oneLine(continuing(stopped)); got != "stopped; the same command continues where it was" {
		t.Errorf("where work is kept: %s", got)
	}
	if got := oneLine(continuing(errors.New("no room"))); got != "no room" {
		t.Errorf("of another error: %s", got)
	}
}

func TestAFileThatIsntThereIsSaidInOneLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.mp4")
	for _, command := range []string{"convert", "probe", "preview", "submit"} {
		if r := stereospot(t, command, missing); r.code != exitFailed || r.out+r.err != "stereospot: missing.mp4 does not exist\n" {
			t.Errorf("%s: exit %d: %s%s", command, r.code, r.out, r.err)
		}
	}
}

func TestAReportThatCannotBeWrittenIsRefusedByItsOwnFlag(t *testing.T) {
	film := smallFilm(t, 3)
	nowhere := filepath.Join(filepath.Dir(film), "nowhere")
	for flag, name := range map[string]string{"--report": "report.json", "--scenes": "scenes.csv"} {
		r := stereospot(t, "convert", film, flag, filepath.Join(nowhere, name))
		if want := "stereospot: " + nowhere + " is no directory: create it or choose another output with " + flag + "\n"; r.code != exitFailed || r.err != want {
			t.Errorf("%s: exit %d: %s", flag, r.code, r.err)
		}
	}
	checkNothingLeft(t, filepath.Dir(film), "film.mp4")
}
