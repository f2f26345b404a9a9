package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// noCgoVariable asks for TestProgramWithoutCgo, which `make nocgo-test` does: nearly everything is compiled for it.
const noCgoVariable = "STEREOSPOT_TEST_NOCGO"

// TestProgramWithoutCgo builds the program as the images of services that compute no depth do.
func TestProgramWithoutCgo(t *testing.T) {
	if os.Getenv(noCgoVariable) == "" {
		t.Skip("set " + noCgoVariable + "=1, or run make nocgo-test")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "stereospot")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "github.com/stereospot/stereospot")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	film := smallFilm(t, 1)
	cmd := exec.Command(program, "convert", film, "--depth", onnxtest.Write(t, onnxtest.Kind{}))
	said, err := cmd.CombinedOutput()
	if line := string(said); cmd.ProcessState.ExitCode() != exitFailed || strings.Count(line, "\n") != 1 || !strings.Contains(line, "built without cgo") {
		t.Errorf("%v: %s", err, line)
	}
	checkNothingLeft(t, filepath.Dir(film), "film.mp4")
	out := filepath.Join(dir, "out.mp4")
	if said, err := exec.Command(program, "convert", film, "--depth", "classic", "-o", out).CombinedOutput(); err != nil || len(decodedHash(t, out)) != 1 {
		t.Errorf("classic: %v: %s", err, said)
	}
}
