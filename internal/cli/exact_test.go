package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// source is a kind of file that people have.
type source struct {
	name string
	file string
	make []string // ffmpeg runs, the last of which writes file
	mkv  bool     // is tried in Matroska too, where its clock or its sound could matter
}

const (
	picture = "-f lavfi -i testsrc2=s=128x72:d=1.2:r="
	tone    = " -f lavfi -i sine=f=440:r=48000:d=1.2 "
	x264    = " -c:v libx264 -preset veryfast -g 12 -threads 2 "
)

// sources are the kinds of files whose frames, timestamps and sound must survive exactly.
func sources() []source {
	list := []source{
		{mkv: true, name: "open GOP with B-frames, H.264", file: "a.mp4", make: []string{picture + "25" + tone + x264 + "-bf 3 -x264-params open-gop=1 -c:a aac a.mp4"}},
		{name: "open GOP with B-frames, HEVC", file: "a.mkv", make: []string{picture + "25" + tone + "-c:v libx265 -preset ultrafast -x265-params log-level=error:open-gop=1:keyint=10:min-keyint=10:bframes=3 -c:a aac a.mkv"}},
		{mkv: true, name: "variable frame rate with jitter and gaps", file: "a.mp4", make: []string{picture + "30" + tone + "-vf 'select=not(between(n\\,9\\,14)),setpts=PTS+mod(N*7\\,5)*37/TB/10000' -vsync vfr -video_track_timescale 90000" + x264 + "-c:a aac a.mp4"}},
		{name: "sound longer than the picture", file: "a.mkv", make: []string{picture + "25 -f lavfi -i sine=d=3" + x264 + "-c:a ac3 a.mkv"}},
		{name: "sound shorter than the picture", file: "a.mp4", make: []string{picture + "25 -f lavfi -i sine=d=0.4" + x264 + "-c:a libmp3lame a.mp4"}},
		{mkv: true, name: "sound that starts later", file: "a.mkv", make: []string{picture + "25 -itsoffset 0.37" + tone + x264 + "-c:a flac a.mkv"}},
		{name: "picture that starts later", file: "a.mp4", make: []string{"-itsoffset 0.3 " + picture + "25" + tone + x264 + "-c:a aac a.mp4"}},
		{name: "no sound", file: "a.mp4", make: []string{picture + "25" + x264 + "a.mp4"}},
		{mkv: true, name: "several sound tracks", file: "a.mkv", make: []string{picture + "25" + tone + "-f lavfi -i sine=f=880:d=1.2 -map 0 -map 1 -map 2" + x264 + "-c:a:0 aac -c:a:1 ac3 -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu a.mkv"}},
		{name: "non-square pixels", file: "a.mp4", make: []string{picture + "25" + x264 + "-vf setsar=16/11 a.mp4"}},
		{name: "odd dimensions", file: "a.mkv", make: []string{"-f lavfi -i testsrc2=s=128x72:d=1:r=25 -vf crop=127:71:0:0:exact=1,format=yuv444p -c:v libx264 -preset veryfast -g 12 a.mkv"}},
		{name: "MPEG-TS", file: "a.ts", make: []string{picture + "25" + tone + x264 + "-bf 2 -c:a ac3 -f mpegts a.ts"}},
		{mkv: true, name: "MOV with PCM", file: "a.mov", make: []string{picture + "24" + tone + x264 + "-c:a pcm_s16le a.mov"}},
		{mkv: true, name: "WebM", file: "a.webm", make: []string{picture + "30" + tone + "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 12 -c:a libopus a.webm"}},
		{name: "AVI with packed B-frames' codec", file: "a.avi", make: []string{picture + "25" + tone + "-c:v mpeg4 -bf 2 -g 12 -c:a mp3 a.avi"}},
		{name: "AVI with MJPEG and PCM", file: "a.avi", make: []string{picture + "25" + tone + "-c:v mjpeg -c:a pcm_s16le a.avi"}},
		{name: "one frame", file: "a.mp4", make: []string{"-f lavfi -i testsrc2=s=128x72:d=0.04:r=25" + x264 + "a.mp4"}},
		{mkv: true, name: "start trimmed by an edit list", file: "a.mp4", make: []string{
			picture + "25" + tone + x264 + "-bf 2 -c:a aac whole.mp4",
			// Its sound begins 0.6 s before the film.
			"-ss 0.61 -i whole.mp4 -c copy a.mp4"}},
		{mkv: true, name: "10-bit HEVC with HDR10", file: "a.mp4", make: []string{picture + "24" + tone + "-pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params 'log-level=error:keyint=12:hdr10=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400' -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -tag:v hvc1 -c:a aac a.mp4"}},
	}
	for _, rate := range []string{"24000/1001", "24", "25", "30000/1001", "50", "60000/1001"} {
		list = append(list, source{name: "constant " + rate, file: "a.mp4", make: []string{picture + rate + tone + x264 + "-bf 2 -c:a aac a.mp4"}})
	}
	for _, angle := range []string{"90", "180", "270"} {
		list = append(list, source{name: "rotated by " + angle, file: "a.mp4", make: []string{
			picture + "25" + tone + x264 + "-c:a aac upright.mp4",
			"-i upright.mp4 -c copy -metadata:s:v rotate=" + angle + " a.mp4"}})
	}
	return list
}

func (s source) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, args := range s.make {
		ffmpeg(t, dir, args)
	}
	return filepath.Join(dir, s.file)
}

// origin is the time in the source that is 0 in the output: MPEG-TS begins anywhere.
func origin(t *testing.T, path string) float64 {
	if !strings.HasSuffix(path, ".ts") {
		return 0
	}
	return seconds(t, probeFile(t, path).Format.Start)
}

func TestEveryKindOfSourceKeepsItsFramesTimesAndSound(t *testing.T) {
	for _, s := range sources() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			in := s.write(t)
			containers := []string{"mp4"}
			if s.mkv {
				containers = append(containers, "mkv")
			}
			for _, container := range containers {
				out := filepath.Join(t.TempDir(), "out."+container)
				r := mustConvert(t, in, out, "--segment-frames", "16", "--format", "half-sbs")
				tick := 0.001
				if container == "mp4" {
					tick = timeBase(t, out)
				}
				checkTimes(t, in, out, tick)
				checkSound(t, in, out, container, r)
			}
		})
	}
}

func timeBase(t *testing.T, path string) float64 {
	p := probeFile(t, path)
	num, den, _ := strings.Cut(p.Streams[p.video()].TimeBase, "/")
	return seconds(t, num) / seconds(t, den)
}

func checkTimes(t *testing.T, in, out string, tick float64) {
	t.Helper()
	want, zero := frameTimes(t, in), origin(t, in)
	for i := range want {
		want[i] -= zero
	}
	sameTimes(t, frameTimes(t, out), want, tick+1e-6)
}

// checkSound holds every track of the output against the source's. A track that MP4 can't carry must
// have been named in a warning.
func checkSound(t *testing.T, in, out, container string, r result) {
	t.Helper()
	want, got, zero := soundPackets(t, in), soundPackets(t, out), origin(t, in)
	if container == "mp4" && len(got) < len(want) && strings.Contains(r.err, "warning: ") && strings.Contains(r.err, "pcm_s16le") {
		return
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d sound tracks, want %d", container, len(got), len(want))
	}
	for track := range want {
		checkTrack(t, got[track], want[track], zero)
	}
}

func checkTrack(t *testing.T, got, want []packet, zero float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d sound packets, want %d", len(got), len(want))
		return
	}
	for i := range want {
		if got[i].hash != want[i].hash {
			t.Errorf("sound packet %d differs from the source's", i)
			return
		}
		if d := got[i].at - (want[i].at - zero); d > 0.00101 || d < -0.00101 {
			t.Errorf("sound packet %d at %.6f s, want %.6f s", i, got[i].at, want[i].at-zero)
			return
		}
	}
}

func TestConvertedWholeAndInPiecesGivesTheSameFrames(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in.mkv")
	// Motion, a hard cut, open GOPs: everything that could look across a seam.
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=160x90:d=1.4:r=30 -f lavfi -i mandelbrot=s=160x90:r=30 -filter_complex '[1]trim=end_frame=42,setpts=PTS-STARTPTS[b];[0][b]concat=n=2:v=1[v]' -map '[v]' -pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 3 -g 15 -x264-params open-gop=1 in.mkv")
	frames := len(decodedHash(t, in))
	inPieces(t, in, frames, []int{1, 2, 3, 7})
	t.Run("with settings that follow the film", func(t *testing.T) {
		inPieces(t, in, frames, []int{1, 4}, "--convergence", "auto", "--floating-window", "--divergence", "6", "--max-parallax", "2",
			"--edge-dilation", "1", "--height", "108")
	})
}

// inPieces converts a film in so many pieces each and compares all with the first: every frame, and what is said of them.
func inPieces(t *testing.T, in string, frames int, counts []int, options ...string) {
	t.Helper()
	var whole []string
	var report []byte
	for _, pieces := range counts {
		dir := t.TempDir()
		out, figures, scenes := filepath.Join(dir, "out.mp4"), filepath.Join(dir, "report.json"), filepath.Join(dir, "scenes.csv")
		args := append([]string{"--crf", "0", "--segment-frames", strconv.Itoa((frames + pieces - 1) / pieces), "--report", figures, "--scenes", scenes}, options...)
		mustConvert(t, in, out, args...)
		got, said := decodedHash(t, out), readFile(t, figures)
		if whole == nil {
			whole, report = got, said
		}
		sameFrames(t, got, whole, frames)
		if !bytes.Equal(said, report) {
			t.Errorf("the report of %d pieces differs from the whole's", pieces)
		}
		if cut := string(readFile(t, scenes)); !strings.Contains(cut, "\n2,42,") {
			t.Errorf("the cut at frame 42 is not in the list of scenes:\n%s", cut)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func sameFrames(t *testing.T, got, want []string, frames int) {
	t.Helper()
	if len(got) != frames {
		t.Fatalf("%d frames of %d", len(got), frames)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("frame %d of %d differs from the whole's", i, frames)
		}
	}
}
