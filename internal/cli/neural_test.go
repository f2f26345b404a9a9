//go:build cgo

package cli

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
	"github.com/stereospot/stereospot/internal/web"
)

// onModel are the flags that have a small network, a file, give depth on the CPU.
func onModel(model string) []string {
	return []string{"--depth", model, "--depth-size", "56", "--depth-provider", "cpu"}
}

// hdr10 are FFmpeg's options for a film with all that HDR10 says of itself.
const hdr10 = " -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -x265-params 'log-level=error:keyint=12:hdr10=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400' -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -tag:v hvc1 "

func TestEveryKindOfPictureOnAModelInPiecesIsTheWhole(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	luminance := onnxtest.Write(t, onnxtest.Kind{})
	for _, c := range []struct {
		name          string
		model         string   // empty: luminance
		made          []string // by ffmpeg; the last is film.mp4
		width, height int
		pixels        string
		options       []string
	}{
		{"8-bit", "", []string{picture + "25 -frames:v 20" + x264 + "-bf 2 film.mp4"}, 256, 72, "yuv420p", nil},
		{"10-bit", "", []string{picture + "24 -frames:v 20 -pix_fmt yuv420p10le" + x264 + "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc film.mp4"}, 256, 72, "yuv420p10le", []string{"--codec", "h264"}},
		{"HDR10", "", []string{picture + "24000/1001 -frames:v 20" + hdr10 + "film.mp4"}, 256, 72, "yuv420p10le", nil},
		{"HDR10, enlarged", "", []string{picture + "30 -vf 'select=not(between(n\\,5\\,7))' -vsync vfr -frames:v 20" + hdr10 + "film.mp4"}, 384, 108, "yuv420p10le", []string{"--height", "108"}},
		{"rotated", "", []string{picture + "25 -frames:v 20" + x264 + "lying.mp4", "-i lying.mp4 -c copy -metadata:s:v rotate=90 film.mp4"}, 144, 128, "yuv420p", nil},
		{"tiny, distances of single views", onnxtest.Write(t, onnxtest.Kind{Views: true, Metric: true}),
			[]string{"-f lavfi -i testsrc2=s=18x10:r=25 -frames:v 20" + x264 + "film.mp4"}, 36, 10, "yuv420p", []string{"--depth-orientation", "far"}},
		{"seen now and then, from both sides, enlarged", "", []string{picture + "25 -frames:v 20" + x264 + "film.mp4"}, 384, 108, "yuv420p",
			[]string{"--depth-every", "3", "--tta", "--height", "108"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, made := range c.made {
				ffmpeg(t, dir, made)
			}
			film := filepath.Join(dir, "film.mp4")
			var whole []string
			for _, frames := range []string{"20", "7"} {
				out := filepath.Join(dir, frames+".mp4")
				mustConvert(t, film, out, append(append(onModel(cmp.Or(c.model, luminance)), "--crf", "0", "--segment-frames", frames), c.options...)...)
				got := decodedHash(t, out)
				if whole == nil {
					whole = got
				}
				sameFrames(t, got, whole, 20)
				p := probeFile(t, out)
				if v := p.Streams[p.video()]; v.Width != c.width || v.Height != c.height || v.PixelFormat != c.pixels {
					t.Errorf("%d×%d, %s", v.Width, v.Height, v.PixelFormat)
				}
				checkTimes(t, film, out, timeBase(t, out))
				if got, want := colours(t, out), colours(t, film); got != want || strings.Contains(c.name, "HDR10") != strings.Contains(got, "max_content:1000") {
					t.Errorf("colours are said to be\n%s, the film's\n%s", got, want)
				}
			}
		})
	}
}

// TestNearThingsComeForwardWhateverTheModelsNumbersMean shows a box with a line on it to networks that take what is bright for
// near, and say so as nearness or as distance. The line must lie further right in the left view than in the right one.
func TestNearThingsComeForwardWhateverTheModelsNumbersMean(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i color=c=0x303030:s=320x180:r=25,drawbox=x=110:y=40:w=100:h=100:c=0xa0a0a0:t=fill,drawbox=x=156:y=60:w=8:h=60:c=0xf0f0f0:t=fill -frames:v 3"+x264+"film.mp4")
	relative, metric, said := onnxtest.Write(t, onnxtest.Kind{}), onnxtest.Write(t, onnxtest.Kind{Metric: true}), onnxtest.Write(t, onnxtest.Kind{Metric: true})
	if err := os.WriteFile(filepath.Join(filepath.Dir(said), "config.json"), []byte(`{"depth_estimation_type": "metric"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, model, orientation string
		near                     bool
	}{
		{"relative", relative, "auto", true}, {"metric, which its configuration says", said, "auto", true}, {"metric, as told", metric, "far", true},
		{"metric, not told", metric, "auto", false}, {"relative, told wrongly", relative, "far", false},
	} {
		out := filepath.Join(t.TempDir(), "out.mp4")
		mustConvert(t, filepath.Join(dir, "film.mp4"), out, append(onModel(c.model), "--depth-size", "112", "--depth-orientation", c.orientation, "--divergence", "4")...)
		left, right := brightColumns(t, out, 320)
		// Half of 4% of 320 pixels lies in front of the screen plane, or behind it.
		if d := left - right; c.near && (d < 4 || d > 7) || !c.near && (d > -4 || d < -7) {
			t.Errorf("%s: the line is at column %.1f in the left view and %.1f in the right one", c.name, left, right)
		}
	}
}

// brightColumns returns the mean column of what is brightest in each view of the first frame.
func brightColumns(t *testing.T, path string, width int) (left, right float64) {
	t.Helper()
	grey, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	var sum, n [2]float64
	for i, v := range grey {
		if v > 200 {
			x := i % (2 * width)
			sum[x/width] += float64(x % width)
			n[x/width]++
		}
	}
	return sum[0] / n[0], sum[1] / n[1]
}

// colours returns what a film's stream says of colour and its first frame of HDR10.
func colours(t *testing.T, path string) string {
	t.Helper()
	var said struct {
		Streams []map[string]any
		Frames  []struct {
			SideData []map[string]any `json:"side_data_list"`
		}
	}
	probeJSON(t, path, &said, "-select_streams", "v:0", "-read_intervals", "%+#1", "-show_entries",
		"stream=color_range,color_space,color_transfer,color_primaries:frame=pict_type:frame_side_data")
	delete(said.Streams[0], "side_data_list") // of whatever ffprobe was not asked for
	lines := []string{fmt.Sprint(said.Streams[0])}
	for _, d := range said.Frames[0].SideData {
		if slices.Contains([]any{"Mastering display metadata", "Content light level metadata"}, d["side_data_type"]) {
			lines = append(lines, fmt.Sprint(d))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestThingsOfHDRFilmsMoveAsTheirDepthSays looks for a mark on a bright thing and for one on a dark thing in both eyes: on
// this network, what is bright is near, and so further right in the left eye than in the right one.
func TestThingsOfHDRFilmsMoveAsTheirDepthSays(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	model := onnxtest.Write(t, onnxtest.Kind{})
	const things = "-f lavfi -i 'color=0x606060:s=320x180:r=25,drawbox=60:0:80:180:0x101010:fill,drawbox=98:0:4:180:0x282828:fill," +
		"drawbox=180:30:80:120:0xf0f0f0:fill,drawbox=218:30:4:120:0xd8d8d8:fill' -frames:v 3"
	for _, c := range []struct {
		name    string
		made    string
		times   int // as large as the film
		options []string
	}{
		{"HDR10", things + hdr10, 1, nil},
		{"HDR10, enlarged", things + hdr10, 2, []string{"--height", "360"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			ffmpeg(t, dir, c.made+"film.mp4")
			out := filepath.Join(dir, "out.mp4")
			mustConvert(t, filepath.Join(dir, "film.mp4"), out, append(append(onModel(model), "--depth-size", "168", "--crf", "0", "--divergence", "5"), c.options...)...)
			width := 320 * c.times
			row := middleRow(t, out, 2*width)
			nearest := 0.05 * float64(width) / 2 // disparity at convergence 0.5; that of what is farthest is its opposite
			for name, mark := range map[string]struct {
				at   int // in the film
				want float64
			}{"near": {220, nearest}, "far": {100, -nearest}} {
				from, to := (mark.at-20)*c.times, (mark.at+20)*c.times
				if got := markOf(row[from:to]) - markOf(row[width+from:width+to]); math.Abs(got-mark.want) > 0.15*nearest {
					t.Errorf("%s: %.1f pixels between the eyes, want %.1f", name, got, mark.want)
				}
			}
		})
	}
}

// middleRow returns the luminance of the middle row of a film's first frame, width pixels across.
func middleRow(t *testing.T, path string, width int) []byte {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-frames:v", "1", "-vf", "format=gray", "-f", "rawvideo", "-").Output()
	if err != nil || len(out)%width != 0 {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
	from := len(out) / width / 2 * width
	return out[from : from+width]
}

// markOf is where a mark lies in a row that is even elsewhere, but for noise.
func markOf(row []byte) float64 {
	differs := func(v byte) float64 { return math.Abs(float64(v) - float64(row[0])) }
	var most, sum, weight float64
	for _, v := range row {
		most = max(most, differs(v))
	}
	for x, v := range row {
		if d := differs(v); d > most/2 {
			sum, weight = sum+float64(x)*d, weight+d
		}
	}
	return sum / weight
}

func TestNetworkThatFailsLeavesNothing(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	dir := t.TempDir()
	ffmpeg(t, dir, picture+"25 -frames:v 20"+x264+"film.mkv")
	r := stereospot(t, append([]string{"convert", filepath.Join(dir, "film.mkv")}, onModel(onnxtest.Write(t, onnxtest.Kind{Failing: true}))...)...)
	if r.code != exitFailed || !strings.Contains(lastLineOf(r.err), "depth network predicted_depth") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	checkNothingLeft(t, dir, "film.mkv")
}

func TestServerConvertsOnAModelAsConvertDoes(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	t.Setenv("STEREOSPOT_DEPTH_PROVIDER", "cpu")
	models, dir := t.TempDir(), t.TempDir()
	t.Setenv("STEREOSPOT_MODELS_DIR", models)
	if err := os.WriteFile(filepath.Join(models, "mine.onnx"), onnxtest.Bytes(onnxtest.Kind{}), 0o644); err != nil {
		t.Fatal(err)
	}
	s, film := newServer(t), smallFilm(t, 30)
	options := []string{"--depth", "mine", "--depth-size", "56", "--encoder-preset", "ultrafast", "--segment-frames", "12"}
	want, got := filepath.Join(dir, "want.mp4"), filepath.Join(dir, "got.mp4")
	mustConvert(t, film, want, options...)
	r := s.stereospot(append([]string{"submit", film, "-o", got, "--json"}, options...)...)
	if r.code != exitDone {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	checkSameFilm(t, got, want)
	var j web.Job
	s.fetchJSON("/api/v1/jobs/"+jobID(t, r.out), &j)
	if d := j.Options.Depth; d.Model != "mine" || len(d.Content) != 64 || d.Model == job.Classic {
		t.Errorf("the job's depth is %+v", d)
	}
	if r := s.stereospot("submit", film, "--depth", "tarot"); r.code == exitDone || !strings.Contains(r.err, "tarot") {
		t.Errorf("a model that isn't there: exit %d, %s", r.code, r.err)
	}
}
