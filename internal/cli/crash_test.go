package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stereospot/stereospot/internal/inference/child/childtest"
)

// runAsCommand makes the test binary act as stereospot itself, so that tests can kill a real process.
const runAsCommand = "STEREOSPOT_TEST_RUN_AS_COMMAND"

// killAtEvent makes it kill itself after so many of the events that --json prints, notes not counted.
const killAtEvent = "STEREOSPOT_TEST_KILL_AT_EVENT"

// deadlyNetworks makes it hold the networks of childtest instead of those that are installed.
const deadlyNetworks = "STEREOSPOT_TEST_DEADLY_NETWORKS"

func TestMain(m *testing.M) {
	if os.Getenv(deadlyNetworks) != "" && len(os.Args) > 1 && os.Args[1] == "inference-worker" {
		childtest.Serve()
	}
	if os.Getenv(runAsCommand) == "" {
		os.Exit(alone(m.Run))
	}
	var out io.Writer = os.Stdout
	if n, err := strconv.Atoi(os.Getenv(killAtEvent)); err == nil {
		out = &fuse{out, n}
	}
	os.Exit(Main(os.Args[1:], os.Stdin, out, os.Stderr))
}

// fuse ends its process as kill -9 does, while it writes the event that none are left for.
type fuse struct {
	io.Writer
	left int
}

func (f *fuse) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	if !bytes.Contains(b, []byte(`"event":"note"`)) {
		if f.left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // a process may always signal itself
		}
		f.left--
	}
	return n, err
}

// alone keeps the models and the GPU of whoever runs the tests out of them.
func alone(run func() int) int {
	dir, err := os.MkdirTemp("", "models-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv("STEREOSPOT_MODELS_DIR", dir)
	os.Setenv("STEREOSPOT_DECODER", "software")
	return run()
}

// command prepares stereospot as a process of its own.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), runAsCommand+"=1")
	return cmd
}

// crashSource is long enough that its conversion can be interrupted at many points.
func crashSource(t *testing.T) string {
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=160x90:d=4:r=25 -f lavfi -i sine=d=4 -c:v libx264 -preset veryfast -g 12 -bf 2 -c:a aac film.mp4")
	return filepath.Join(dir, "film.mp4")
}

// killed runs the command until it has told of n events, notes not counted; it reports whether there were that many.
func killed(t *testing.T, n int, args ...string) bool {
	t.Helper()
	cmd := command(append(args, "--json")...)
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", killAtEvent, n))
	return cmd.Run() != nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// interrupt runs a conversion, one segment at a time, and sends the signal when a segment is done: the third one's encoder
// waits, and two segments are under way at most.
func interrupt(t *testing.T, signal syscall.Signal, args ...string) {
	t.Helper()
	g := holdEncoders(t, 2)
	defer g.open(t)
	cmd := command(append(args, "--jobs", "1")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := finished(cmd)
	until(t, "a segment is done", g.reached)
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := await(t, ended); err == nil {
		t.Error("it went on to its end")
	}
}

func TestKilledConversionContinuesAndEndsWithTheSameBytes(t *testing.T) {
	in := crashSource(t)
	dir := filepath.Dir(in)
	undisturbed := filepath.Join(dir, "undisturbed.mp4")
	options := []string{"--segment-frames", "10", "--encoder-preset", "ultrafast"}
	mustConvert(t, in, undisturbed, options...)
	want, err := os.ReadFile(undisturbed)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.mp4")
	args := append([]string{"convert", in, "-o", out}, options...)
	kills := 0
	for n := range 12 {
		if killed(t, n, args...) {
			kills++
		}
		if _, err := os.Stat(out); err == nil {
			break // it was done before the kill
		}
	}
	if kills < 3 {
		t.Fatalf("only %d kills hit a running conversion", kills)
	}
	if _, err := os.Stat(out); err != nil {
		if r := stereospot(t, args...); r.code != exitDone {
			t.Fatalf("after %d kills: %s", kills, r.err)
		}
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("after %d kills the output differs from an undisturbed run's", kills)
	}
	checkNothingLeft(t, dir, "film.mp4", "out.mp4", "undisturbed.mp4")
}

func TestInterruptedConversionKeepsFinishedSegments(t *testing.T) {
	in := crashSource(t)
	out := filepath.Join(filepath.Dir(in), "out.mp4")
	args := []string{"convert", in, "-o", out, "--segment-frames", "10", "--encoder-preset", "ultrafast"}
	interrupt(t, syscall.SIGINT, args...)
	if _, err := os.Stat(out); err == nil {
		t.Fatal("an interrupted conversion left an output")
	}
	r := stereospot(t, append(args, "--json")...)
	if r.code != exitDone {
		t.Fatal(r.err)
	}
	kept := 0
	for line := range strings.Lines(r.out) {
		var e jsonEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not JSON: %q", line)
		}
		kept = max(kept, e.Kept)
	}
	if kept < 10 {
		t.Errorf("%d frames kept from the interrupted run, want at least one segment of 10", kept)
	}
}

func TestDamagedSegmentIsMadeAgain(t *testing.T) {
	in := crashSource(t)
	dir := filepath.Dir(in)
	out, work := filepath.Join(dir, "out.mp4"), filepath.Join(dir, "work")
	args := []string{"convert", in, "-o", out, "--segment-frames", "10", "--encoder-preset", "ultrafast", "--work-dir", work}
	interrupt(t, syscall.SIGKILL, args...)
	damaged := 0
	_ = filepath.WalkDir(filepath.Join(work, "output"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, _ := d.Info(); info.Size() > 1000 {
				if err := os.Truncate(path, info.Size()-100); err != nil {
					t.Fatal(err)
				}
				damaged++
			}
		}
		return nil
	})
	if damaged == 0 {
		t.Fatal("no converted segment to damage")
	}
	if r := stereospot(t, args...); r.code != exitDone {
		t.Fatal(r.err)
	}
	sameTimes(t, frameTimes(t, out), frameTimes(t, in), 1e-4)
}

func TestOtherOptionsStartOver(t *testing.T) {
	in := crashSource(t)
	out := filepath.Join(filepath.Dir(in), "out.mp4")
	args := []string{"convert", in, "-o", out, "--segment-frames", "10", "--encoder-preset", "ultrafast"}
	interrupt(t, syscall.SIGKILL, args...)
	r := stereospot(t, append(args, "--json", "--divergence", "3")...)
	if r.code != exitDone || strings.Contains(r.out, `"kept"`) {
		t.Errorf("exit %d; segments of other options were kept: %s%s", r.code, r.out, r.err)
	}
}

func TestKilledConversionLeavesNoProcessAndNoTemporaryFile(t *testing.T) {
	in := crashSource(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	killed(t, 4, "convert", in, "-o", filepath.Join(filepath.Dir(in), "out.mp4"), "--segment-frames", "10")
	until(t, "no process of it runs", func() bool { return len(processesOf(t, filepath.Dir(in))) == 0 })
	checkNothingLeft(t, tmp)
}

// processesOf returns the command lines of running processes that name dir.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		line, _ := os.ReadFile(e) // it may have ended meanwhile
		if text := strings.ReplaceAll(string(line), "\x00", " "); strings.Contains(text, dir) {
			found = append(found, text)
		}
	}
	return found
}

// checkNothingLeft fails when dir holds anything else than the named files.
func checkNothingLeft(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}
