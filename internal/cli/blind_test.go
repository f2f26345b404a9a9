//go:build cgo && linux

package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// blind is a network whose maps are the same everywhere, but for less than anybody could see.
var blind = onnxtest.Kind{Gain: 1e-12}

func TestConvertTellsOfAModelThatSawNoDepthInAWholeFilm(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	dir := t.TempDir()
	ffmpeg(t, dir, picture+"25 -frames:v 12"+x264+"film.mp4")
	ffmpeg(t, dir, "-f lavfi -i color=gray:s=128x72:r=25 -frames:v 12"+x264+"grey.mp4")
	ffmpeg(t, dir, "-f lavfi -i color=black:s=128x72:r=25 -f lavfi -i testsrc2=s=128x72:r=25 -filter_complex [0]trim=end_frame=9[a];[1]trim=end_frame=3[b];[a][b]concat"+x264+"dark.mp4")
	sighted := onnxtest.Write(t, onnxtest.Kind{})
	for _, c := range []struct {
		film, model string
		options     []string
		flat        bool
	}{
		{"film.mp4", onnxtest.Write(t, blind), nil, true},
		{"film.mp4", onnxtest.Write(t, blind), []string{"--convergence", "auto", "--depth-every", "3"}, true},
		{"film.mp4", onnxtest.Write(t, blind), []string{"--divergence", "0"}, false}, // as asked
		{"film.mp4", sighted, nil, false},
		{"grey.mp4", sighted, nil, true},
		{"grey.mp4", job.Classic, nil, false},
		{"dark.mp4", sighted, nil, false},
	} {
		out := filepath.Join(t.TempDir(), "out.mp4")
		flags := append([]string{"--depth", c.model, "--depth-provider", "cpu", "--segment-frames", "5", "--encoder-preset", "ultrafast"}, c.options...)
		if c.model != job.Classic {
			flags = append(flags, "--depth-size", "56")
		}
		r := mustConvert(t, filepath.Join(dir, c.film), out, flags...)
		want := fmt.Sprintf("the depth model %s saw no depth in 12 of 12 frames", c.model)
		if got := strings.Count(r.err+r.out, want); got != 1 && c.flat || strings.Contains(r.err+r.out, "no depth") != c.flat {
			t.Errorf("%s on %s, %q: %s%s", c.film, c.model, c.options, r.err, r.out)
		}
	}
}

func TestJobOnAModelThatSawNoDepthIsWarnedOf(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	withModels(t, map[string][]byte{"blind": onnxtest.Bytes(blind)})
	s := newServer(t)
	id := s.submitted(smallFilm(t, 10), "blind", "--depth-size", "56")
	j := s.become(id, job.Completed)
	if !slices.Equal(j.Warnings, []string{"the depth model blind saw no depth in 10 of 10 frames: the film is flat, choose another model"}) {
		t.Errorf("warnings %q", j.Warnings)
	}
}
