//go:build linux

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stereospot/stereospot/internal/models/modelstest"
)

// terminal returns the two ends of a new terminal: the keyboard's and the program's.
func terminal(t *testing.T) (keyboard, program *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return keyboard, program
}

func TestLicenceThatForbidsCommerceIsAgreedToByAPerson(t *testing.T) {
	m, file := hubModel(t)
	for typed, agreed := range map[string]bool{"y\n": true, "Yes\n": true, "n\n": false, "\n": false, "\x04": false} {
		hub := modelstest.New(t, file)
		t.Setenv("HF_ENDPOINT", hub.URL)
		t.Setenv("HF_TOKEN", "")
		keyboard, program := terminal(t)
		if _, err := keyboard.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		var out, said bytes.Buffer
		code := run(t.Context(), []string{"models", "pull", m.Name, "--models-dir", t.TempDir()}, streams{program, &out, &said})
		if !strings.Contains(said.String(), m.Name+" is licensed "+m.License+", which forbids commercial use. Agree? [y/N] ") {
			t.Errorf("%q: it says %s", typed, &said)
		}
		if agreed && (code != exitDone || !strings.HasSuffix(out.String(), "/model.onnx\n")) {
			t.Errorf("%q: exit %d: %s%s", typed, code, &out, &said)
		}
		if !agreed && (code != exitFailed || hub.Asked() != 0 || !strings.Contains(said.String(), "nothing was fetched")) {
			t.Errorf("%q: exit %d after %d requests: %s%s", typed, code, hub.Asked(), &out, &said)
		}
	}
}
