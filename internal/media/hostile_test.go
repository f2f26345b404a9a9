package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// secret is planted in a file beside hostile ones: nothing of it may show up anywhere.
const secret = "planted-4f1c-line"

// measure runs everything that looks at a source before it is split.
func measure(t *testing.T, path string) (*Timeline, error) {
	src, err := Probe(t.Context(), path)
	if err != nil {
		return nil, err
	}
	return ReadTimeline(t.Context(), src)
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPlaylistsUnderAMediaNameAreRefused(t *testing.T) {
	dir := t.TempDir()
	// A real video too, so that a demuxer that did follow the reference would succeed.
	video := caseNamed("cfr25.mp4").source(t)
	planted := write(t, dir, "secret.txt", secret)
	for name, content := range map[string]string{
		"hls":      "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n%s\n#EXT-X-ENDLIST\n",
		"ffconcat": "ffconcat version 1.0\nfile '%s'\n",
		"sdp":      "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=%s\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
		"dash": `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4">` +
			`<Representation id="1" bandwidth="1"><BaseURL>%s</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"srt": "1\n00:00:00,000 --> 00:00:01,000\n%s\n",
		"ass": "[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,%s\n",
		"txt": "see %s\n",
		"url": "http://127.0.0.1:9/%s",
	} {
		for kind, target := range map[string]string{"secret": planted, "video": video} {
			t.Run(name+"_"+kind, func(t *testing.T) {
				t.Parallel()
				path := write(t, t.TempDir(), "film.mp4", fmt.Sprintf(content, target))
				_, err := Probe(t.Context(), path)
				oneLine(t, err, secret)
				if err != nil && !strings.Contains(err.Error(), "not a video that StereoSpot can read") {
					t.Errorf("says %q", err)
				}
			})
		}
	}
}

// TestMovieReferencesAreNotFollowed gives a QuickTime file a data reference to another file of the
// same shape: FFmpeg shows the other one's frames when it is allowed to, StereoSpot never.
func TestMovieReferencesAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	for name, color := range map[string]string{"own.mov": "black", "other.mov": "white"} {
		if err := ffmpeg("-f", "lavfi", "-i", "color="+color+":s=32x32", "-frames:v", "2", "-c:v", "rawvideo", "-pix_fmt", "uyvy422", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := write(t, dir, "film.mov", redirect(t, readAll(t, filepath.Join(dir, "own.mov")), "other.mov"))
	followed, err := exec.Command("ffmpeg", "-v", "error", "-enable_drefs", "1", "-i", path, "-pix_fmt", "gray", "-f", "rawvideo", "-").Output()
	if err != nil || len(followed) == 0 || followed[0] < 200 {
		t.Fatalf("FFmpeg doesn't follow the reference either: the test shows nothing (%v)", err)
	}
	_, err = measure(t, path)
	oneLine(t, err, "")
	if err != nil && !strings.Contains(err.Error(), "film.mov holds no frame") {
		t.Errorf("says %q", err)
	}
}

// redirect turns the data reference of a QuickTime file, whose moov box comes last, into an alias of a file beside it.
func redirect(t *testing.T, movie []byte, name string) string {
	t.Helper()
	self := []byte("\x00\x00\x00\x0curl \x00\x00\x00\x01")
	at := bytes.Index(movie, self)
	if at < 0 {
		t.Fatal("no data reference")
	}
	path := "/" + name
	alias := make([]byte, 12+10+1+27+12+1+63+16)
	copy(alias[4:], "alis")
	alias = append(alias, 0, 1, 0, 1) // one level up, one level down
	alias = append(alias, make([]byte, 16)...)
	alias = append(alias, 0, 2, 0, byte(len(path)))
	alias = append(alias, path...)
	alias = append(alias, make([]byte, len(path)%2)...)
	alias = append(alias, 0xFF, 0xFF, 0, 0)
	binary.BigEndian.PutUint32(alias, uint32(len(alias)))
	grown := len(alias) - len(self)
	changed := slices.Concat(movie[:at], alias, movie[at+len(self):])
	for _, box := range []string{"moov", "trak", "mdia", "minf", "dinf", "dref"} {
		i := bytes.LastIndex(changed[:at], []byte(box)) - 4
		binary.BigEndian.PutUint32(changed[i:], binary.BigEndian.Uint32(changed[i:])+uint32(grown))
	}
	return string(changed)
}

func TestFilesThatAreNoVideoAreRefusedWithAReason(t *testing.T) {
	dir := t.TempDir()
	sound := sources.file(t, "sound.mp4", func(p string) error { return ffmpeg(cat(tone(25), []string{"-c:a", "aac", p})...) })
	wav := sources.file(t, "sound.wav", func(p string) error { return ffmpeg(cat(tone(25), []string{p})...) })
	png := sources.file(t, "picture.png", func(p string) error { return ffmpeg(append(scene("64x64", "1", 1), p)...) })
	jpg := sources.file(t, "picture.jpg", func(p string) error { return ffmpeg(append(scene("64x64", "1", 1), p)...) })
	cover := sources.file(t, "cover.mp4", func(p string) error {
		return ffmpeg("-i", sound, "-i", jpg, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic", p)
	})
	wide := sources.file(t, "wide.mkv", func(p string) error {
		return ffmpeg("-f", "lavfi", "-i", "color=s=16400x16", "-frames:v", "1", "-c:v", "ffv1", "-pix_fmt", "yuv420p", p)
	})
	large := sources.file(t, "large.mkv", func(p string) error {
		return ffmpeg("-f", "lavfi", "-i", "color=s=10000x7000", "-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", p)
	})
	unreadable := write(t, dir, "locked.mp4", "x")
	if err := os.Chmod(unreadable, 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, says string }{
		{filepath.Join(dir, "missing.mp4"), "missing.mp4 does not exist"},
		{dir, "is a directory"},
		{write(t, dir, "empty.mp4", ""), "empty.mp4 is empty"},
		{write(t, dir, "zeros.mp4", strings.Repeat("\x00", 4096)), "not a video that StereoSpot can read"},
		{write(t, dir, "text.mp4", "This is a letter.\n"), "not a video that StereoSpot can read"},
		{"/dev/null", "not a regular file"},
		{sound, "sound.mp4 holds sound but no video"},
		{wav, "sound.wav holds sound but no video"},
		{cover, "cover.mp4 holds sound but no video"},
		{png, "not a video that StereoSpot can read"},
		{jpg, "not a video that StereoSpot can read"},
		{wide, "too large: 16400×16"},
		{large, "too large: 10000×7000, at most 64 megapixels"},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			_, err := Probe(t.Context(), c.path)
			oneLine(t, err, "")
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("says %q, want %q", err, c.says)
			}
		})
	}
	if os.Geteuid() != 0 { // root reads what is locked
		_, err := Probe(t.Context(), unreadable)
		oneLine(t, err, "")
	}
}

func TestTruncatedSourcesAreRefusedWhereverTheyEnd(t *testing.T) {
	for _, name := range []string{"opengop.mp4", "faststart.mp4", "fragmented.mp4", "opengop.mkv", "live.mkv", "vp9.webm", "opengop.ts", "mjpeg.avi", "packed.avi", "h264.flv", "theora.ogv"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := readAll(t, truncatable(t, name))
			for percent := 10; percent < 100; percent += 10 {
				n := len(data) * percent / 100
				if n%188 == 0 {
					n++ // between two packets of a transport stream nothing tells that it ends too early
				}
				path := write(t, t.TempDir(), "cut_"+name, string(data[:n]))
				_, err := measure(t, path)
				oneLine(t, err, "")
				if err == nil {
					t.Errorf("nothing is wrong at %d %%", percent)
				} else if !strings.Contains(err.Error(), "cut off") && !strings.Contains(err.Error(), "truncated") {
					t.Errorf("at %d %%: says %q", percent, err)
				}
			}
		})
	}
}

func truncatable(t *testing.T, name string) string {
	var args []string
	opengop := caseNamed("opengop.mp4").source(t)
	switch name {
	case "faststart.mp4":
		args = []string{"-i", opengop, "-c", "copy", "-movflags", "+faststart"}
	case "fragmented.mp4":
		args = []string{"-i", opengop, "-c", "copy", "-movflags", "+frag_keyframe+empty_moov"}
	case "live.mkv":
		args = []string{"-i", opengop, "-c", "copy", "-live", "1"}
	case "theora.ogv":
		args = []string{"-i", opengop, "-c:v", "libtheora", "-an"}
	default:
		return caseNamed(name).source(t)
	}
	return sources.file(t, name, func(p string) error { return ffmpeg(append(args, p)...) })
}
