//go:build cgo

package cli

import (
	"os"
	"path/filepath"
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

func TestEveryKindOfPictureOnAModelInPiecesIsTheWhole(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	model := onnxtest.Write(t, onnxtest.Kind{})
	for _, c := range []struct {
		name          string
		made          []string // by ffmpeg; the last is film.mp4
		width, height int
		pixels        string
		options       []string
	}{
		{"8-bit", []string{picture + "25 -frames:v 20" + x264 + "-bf 2 film.mp4"}, 256, 72, "yuv420p", nil},
		{"10-bit, HDR", []string{picture + "24 -frames:v 20 -pix_fmt yuv420p10le" + x264 + "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc film.mp4"}, 256, 72, "yuv420p10le", nil},
		{"rotated", []string{picture + "25 -frames:v 20" + x264 + "lying.mp4", "-i lying.mp4 -c copy -metadata:s:v rotate=90 film.mp4"}, 144, 128, "yuv420p", nil},
		{"tiny", []string{"-f lavfi -i testsrc2=s=18x10:r=25 -frames:v 20" + x264 + "film.mp4"}, 36, 10, "yuv420p", nil},
		{"seen now and then, from both sides, enlarged", []string{picture + "25 -frames:v 20" + x264 + "film.mp4"}, 384, 108, "yuv420p",
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
				mustConvert(t, film, out, append(append(onModel(model), "--crf", "0", "--codec", "h264", "--segment-frames", frames), c.options...)...)
				got := decodedHash(t, out)
				if whole == nil {
					whole = got
				}
				sameFrames(t, got, whole, 20)
				p := probeFile(t, out)
				if v := p.Streams[p.video()]; v.Width != c.width || v.Height != c.height || v.PixelFormat != c.pixels {
					t.Errorf("%d×%d, %s", v.Width, v.Height, v.PixelFormat)
				}
			}
		})
	}
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
