//go:build cgo

package cli

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// library compiles a shared library, as the build of this very test could compile its C.
func library(t *testing.T, dir, name, source string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	cmd := exec.Command(cmp.Or(os.Getenv("CC"), "cc"), "-shared", "-fPIC", "-x", "c", "-o", path, "-")
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// anOldRuntime has ONNX Runtime's one exported function, and knows no version of the interface that is asked for.
const anOldRuntime = `
struct base { const void *(*api)(unsigned); const char *(*version)(void); };
static const void *api(unsigned version) { return 0; }
static const char *version(void) { return "1.17.0"; }
static const struct base only = { api, version };
const struct base *OrtGetApiBase(void) { return &only; }
`

func TestLibraryThatIsNoRuntimeOrAnOldOneIsOneLine(t *testing.T) {
	dir := t.TempDir()
	text, folder := filepath.Join(dir, "text.so"), filepath.Join(dir, "folder.so")
	if err := os.WriteFile(text, []byte("no library at all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	film, model := smallFilm(t, 1), onnxtest.Write(t, onnxtest.Kind{})
	for _, c := range []struct{ name, library, says string }{
		{"older", library(t, dir, "old.so", anOldRuntime), "is older than ONNX Runtime 1.24"},
		{"another", library(t, dir, "other.so", "int nothing(void) { return 0; }"), "isn't an ONNX Runtime library for this machine"},
		{"text", text, "isn't an ONNX Runtime library for this machine"},
		{"folder", folder, "is no ONNX Runtime library"},
		{"nothing", filepath.Join(dir, "absent.so"), "is no ONNX Runtime library"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command("convert", film, "--depth", model, "--ort-lib", c.library) // this process may have its runtime already
			said, err := cmd.CombinedOutput()
			line := strings.TrimSuffix(string(said), "\n")
			if cmd.ProcessState.ExitCode() != exitFailed {
				t.Errorf("it ended with %v", err)
			}
			for _, want := range []string{"stereospot: ", c.library + " " + c.says, "pip install onnxruntime", "--ort-lib"} {
				if !strings.Contains(line, want) || strings.Contains(line, "\n") {
					t.Errorf("%q isn't one line that says %q", line, want)
				}
			}
			checkNothingLeft(t, filepath.Dir(film), "film.mp4")
		})
	}
}
