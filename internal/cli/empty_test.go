package cli

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stereospot/stereospot/internal/models"
)

// Container files and scripts set variables to nothing where nobody says what they are.
func TestVariablesSetToNothingAreNotSet(t *testing.T) {
	for _, name := range []string{"STEREOSPOT_MODELS_DIR", "ORT_LIB", "STEREOSPOT_DEPTH_THREADS", "STEREOSPOT_DEPTH_MEMORY", "STEREOSPOT_DECODER"} {
		t.Setenv(name, "")
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	mine := filepath.Join(models.DefaultDir(), "mine.onnx")
	if err := os.MkdirAll(filepath.Dir(mine), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("a network"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := stereospot(t, "models", "path", "mine"); r.code != exitDone || r.out != mine+"\n" {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	film := filepath.Join(t.TempDir(), "film.mp4")
	ffmpeg(t, filepath.Dir(film), "-f lavfi -i testsrc2=s=64x36:r=25 -frames:v 3 -c:v libx264 -preset ultrafast film.mp4")
	if r := stereospot(t, "preview", film, "-o", film+".png"); r.code != exitDone {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

// An empty text may mean something: no metrics are written under no name.
func TestTextsMayBeSetToNothing(t *testing.T) {
	t.Setenv("STEREOSPOT_METRICS_NAMESPACE", "")
	parser, err := newParser(streams{nil, io.Discard, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse([]string{"web-ui"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parsed.Flags() {
		if f.Name == "metrics-namespace" {
			if name := parsed.FlagValue(f); name != "" {
				t.Errorf("metrics are written under the name %q", name)
			}
			return
		}
	}
	t.Error("web-ui has no --metrics-namespace")
}
