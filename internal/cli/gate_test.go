package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// gatekeeper is an ffmpeg for the shell that keeps encoders of segments waiting: %[1]s is the true one, %[2]s the gate's
// directory, in which each of %[3]s lets one encoder pass.
const gatekeeper = `#!/bin/sh
raw= piped=
for arg; do
  case $arg in rawvideo) raw=yes ;; pipe:0) piped=yes ;; esac
done
if [ "$raw$piped" = yesyes ]; then
  for pass in %[3]s; do
    mkdir '%[2]s/'$pass 2>/dev/null && exec '%[1]s' "$@"
  done
  : >'%[2]s/reached'
  while [ -e '%[2]s/closed' ]; do sleep 0.02; done
fi
exec '%[1]s' "$@"
`

// gate is where encoders wait, so that a conversion stands still for as long as a test likes.
type gate struct{ dir string }

// holdEncoders lets some encoders of segments pass, and has all later ones wait until the gate is opened.
func holdEncoders(t *testing.T, pass int) gate {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	bin, g := t.TempDir(), gate{t.TempDir()}
	passes := ""
	for n := range pass {
		passes += fmt.Sprint(" ", n)
	}
	script := fmt.Sprintf(gatekeeper, ffmpeg, g.dir, passes)
	for path, content := range map[string]string{filepath.Join(bin, "ffmpeg"): script, g.closed(): ""} {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return g
}

func (g gate) closed() string { return filepath.Join(g.dir, "closed") }

// reached reports whether an encoder waits: all that may pass have passed.
func (g gate) reached() bool {
	_, err := os.Stat(filepath.Join(g.dir, "reached"))
	return err == nil
}

// open lets all encoders pass.
func (g gate) open(t *testing.T) {
	t.Helper()
	if err := os.Remove(g.closed()); err != nil {
		t.Fatal(err)
	}
}
