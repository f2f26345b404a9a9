//go:build cgo && linux

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/inference/inferencetest"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// Networks with the maps of the plain one that take a third of a second for a small picture, and much longer than a test waits.
var (
	slow  = onnxtest.Kind{Wide: 64, Deep: 30}
	weary = onnxtest.Kind{Wide: 64, Deep: 1500}
)

// little is more processor time than the end of what is stopped takes, and a fraction of what the weary network would
// still take. Processor time, because the machine may be busy with something else.
const little = 4 * time.Second

// computed is the processor time that a process has used.
func computed(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil { // proc(5): utime, stime
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100
}

// untilComputing waits until a process has computed for longer than anything but a network takes.
func untilComputing(t *testing.T, pid int) {
	t.Helper()
	begin := computed(t, pid)
	until(t, "the network computes", func() bool { return computed(t, pid)-begin > 300*time.Millisecond || !alive(pid) })
}

// stopWhileComputing runs a conversion until ready says so and its network computes, sends it Ctrl-C, and returns what it
// said and how much processor time its end took.
func stopWhileComputing(t *testing.T, ready func() bool, args ...string) (said string, took time.Duration) {
	t.Helper()
	cmd := command(args...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the conversion is that far", ready)
	untilComputing(t, cmd.Process.Pid)
	before := computed(t, cmd.Process.Pid)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := await(t, finished(cmd)); cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("it ended with %v", err)
	}
	return errOut.String(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() - before
}

// holds reports whether there is a file in a directory, or below it.
func holds(t *testing.T, dir string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		found = found || err == nil && e.Type().IsRegular()
		return nil // what isn't there yet, or any more, is looked for again
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCtrlCEndsAConversionWhoseNetworkComputes(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	film := smallFilm(t, 3)
	dir := filepath.Dir(film)
	out, work := filepath.Join(dir, "out.mp4"), filepath.Join(dir, ".out.stereospot")
	options := func(k onnxtest.Kind) []string {
		return append(onModel(onnxtest.Write(t, k)), "--crf", "0", "--segment-frames", "1", "--jobs", "1", "--encoder-preset", "ultrafast")
	}
	t.Run("InTheFirstSegmentNothingIsLeft", func(t *testing.T) {
		said, took := stopWhileComputing(t, func() bool { return holds(t, filepath.Join(work, "input")) }, append([]string{"convert", film, "-o", out}, options(weary)...)...)
		if took > little || !strings.Contains(said, "the same command begins anew") {
			t.Errorf("it took %v and said %q", took, said)
		}
		checkNothingLeft(t, dir, "film.mp4")
	})
	t.Run("LaterTheSameCommandContinues", func(t *testing.T) {
		flags := options(slow)
		converted := func() bool { return holds(t, filepath.Join(work, "output")) }
		said, took := stopWhileComputing(t, converted, append([]string{"convert", film, "-o", out}, flags...)...)
		if took > little || !strings.Contains(said, "the same command continues") {
			t.Errorf("it took %v and said %q", took, said)
		}
		if left := processesOf(t, dir); len(left) > 0 {
			t.Errorf("still running: %q", left)
		}
		checkNothingLeft(t, dir, "film.mp4", filepath.Base(work))
		if r := mustConvert(t, film, out, append(flags, "--json")...); !strings.Contains(r.out, `"kept":`) {
			t.Errorf("everything was converted again: %s", r.out)
		}
		plain := filepath.Join(t.TempDir(), "plain.mp4")
		mustConvert(t, film, plain, options(onnxtest.Kind{})...)
		sameFrames(t, decodedHash(t, out), decodedHash(t, plain), 3)
		checkNothingLeft(t, dir, "film.mp4", "out.mp4")
	})
}

// newExchange starts an inference service that has networks, by their names, of which it warms the first.
func newExchange(t *testing.T, networks map[string]onnxtest.Kind, args ...string) *exchange {
	t.Helper()
	files := map[string][]byte{}
	for name, k := range networks {
		files[name] = onnxtest.Bytes(k)
	}
	return newExchangeOf(t, files, args...)
}

// newExchangeOf is newExchange with the contents of the models' directories.
func newExchangeOf(t *testing.T, files map[string][]byte, args ...string) *exchange {
	t.Helper()
	x := &exchange{t: t, dir: t.TempDir(), segment: inferencetest.Film(t, 1)[0]}
	models := t.TempDir()
	for name, content := range files {
		path := filepath.Join(models, name, "model.onnx")
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	in := filepath.Join(x.dir, "in.mkv")
	if err := os.Rename(x.segment.Path, in); err != nil {
		t.Fatal(err)
	}
	x.segment.Path = in
	x.service, x.address = startInference(t, []string{"TMPDIR=" + t.TempDir(), "ORT_LIB=" + onnxtest.Library(t)},
		append([]string{"--allow-files", x.dir, "--models-dir", models}, args...)...)
	until(t, "the model is warm", x.well)
	return x
}

func (x *exchange) well() bool {
	status, _ := x.ping()
	return status == http.StatusOK
}

// invoke asks for the segment with depth of a small picture by a network, into a file, until ctx ends.
func (x *exchange) invoke(ctx context.Context, network, name string) (status int, err error) {
	r := x.segment.Request("job")
	r.Depth.Model, r.Depth.Size = network, 56
	body, err := json.Marshal(inference.Invoke(r, inference.FileURI(x.segment.Path), inference.FileURI(filepath.Join(x.dir, name))))
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.address+"/invocations", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func TestClientThatGoesAwayStopsItsNetwork(t *testing.T) {
	x := newExchange(t, map[string]onnxtest.Kind{"tiny": {}, "weary": weary}, "--jobs", "1")
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { _, err := x.invoke(ctx, "weary", "never.mp4"); gone <- err }()
	until(t, "its place is taken", func() bool { return !x.well() })
	networks := childOf(t, x.cmd.Process.Pid)
	untilComputing(t, networks)
	before := computed(t, networks)
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the client that left: %v", err)
	}
	until(t, "its place is free", x.well)
	if status, err := x.invoke(t.Context(), "tiny", "next.mp4"); err != nil || status != http.StatusOK {
		t.Errorf("the next invocation: %d, %v", status, err)
	}
	if took := computed(t, networks) - before; took > little {
		t.Errorf("the networks have computed for %v since, as if the weary one still did", took)
	}
	if left, err := filepath.Glob(filepath.Join(x.dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
}

func TestInferenceSurvivesTheDeathOfItsNetworks(t *testing.T) {
	x := newExchange(t, map[string]onnxtest.Kind{"tiny": {}})
	convert := func(name string) []byte {
		if status, err := x.invoke(t.Context(), "tiny", name); err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
		return readFile(t, filepath.Join(x.dir, name))
	}
	before := convert("before.mp4")
	killed := childOf(t, x.cmd.Process.Pid)
	if killed == 0 {
		t.Fatal("the service has no process for its networks")
	}
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "another is in its place", func() bool {
		pid := childOf(t, x.cmd.Process.Pid)
		return pid != 0 && pid != killed && x.well()
	})
	if !bytes.Equal(convert("after.mp4"), before) {
		t.Error("the second process's depth is another")
	}
	last := childOf(t, x.cmd.Process.Pid)
	x.stop(t)
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", last)); err == nil && len(line) > 0 {
		t.Errorf("process %d is left: %s", last, line)
	}
}
