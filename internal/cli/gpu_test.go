package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/media/gputest"
)

// The GPU here is a stand-in: what it is handed, and what becomes of its frames, is real.
func TestGPUConvertsAsSoftwareDoes(t *testing.T) {
	film := smallFilm(t, 16)
	dir := t.TempDir()
	convert := func(name string, options ...string) (path string, said string) {
		path = filepath.Join(dir, name+".mp4")
		r := mustConvert(t, film, path, append([]string{"--crf", "0", "--segment-frames", "8"}, options...)...)
		return path, r.out + r.err
	}
	software, said := convert("software")
	if strings.Contains(said, "on the GPU") {
		t.Errorf("software speaks of a GPU: %s", said)
	}
	want := decodedHash(t, software)
	for _, c := range []struct {
		name    string
		kind    gputest.Kind
		options []string
		says    []string
		decodes int // segments
	}{
		{"decodes", gputest.Exact, []string{"--decoder", "cuda"}, []string{"decoding: h264, 8 bits, on the GPU"}, 2},
		{"encodes", gputest.Exact, []string{"--encoder", "gpu"}, []string{"encoding: h264_nvenc"}, 0},
		{"hasn't one", gputest.Absent, []string{"--decoder", "auto", "--encoder", "gpu"}, []string{"encoding: libx264"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			decoded := gputest.Use(t, c.kind)
			path, said := convert(c.name, c.options...)
			sameFrames(t, decodedHash(t, path), want, 16)
			checkTimes(t, film, path, timeBase(t, path))
			for _, text := range c.says {
				if !strings.Contains(said, text) {
					t.Errorf("it doesn't say %q: %s", text, said)
				}
			}
			if n := decoded(); n != c.decodes {
				t.Errorf("%d segments were decoded on the GPU, want %d", n, c.decodes)
			}
		})
	}
}

func TestGPUThatIsWantedAndIsNotThereIsOneLine(t *testing.T) {
	gputest.Use(t, gputest.Absent)
	film := smallFilm(t, 6)
	before := names(t, filepath.Dir(film))
	for _, options := range [][]string{{"--encoder", "h264_nvenc"}, {"--decoder", "cuda"}} {
		r := stereospot(t, append([]string{"convert", film}, options...)...)
		if line := lastLineOf(r.err); r.code != exitFailed || !strings.Contains(line, "no NVIDIA GPU") || strings.Count(r.err, "stereospot: ") != 1 {
			t.Errorf("%v: exit %d, %s", options, r.code, r.err)
		}
	}
	for name := range names(t, filepath.Dir(film)) {
		if !before[name] {
			t.Errorf("left behind: %s", name)
		}
	}
	if r := stereospot(t, "inference", "--addr", "127.0.0.1:0", "--decoder", "cuda"); r.code != exitFailed || !strings.Contains(r.err, "--decoder cuda") {
		t.Errorf("a service without its GPU: exit %d, %s", r.code, r.err)
	}
}
