package cli

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

// openShared opens a data directory beside the processes that work on it.
func openShared(t *testing.T, dir string) *local.Store {
	t.Helper()
	store, err := local.Open(t.Context(), dir, local.Options{Notifications: platform.Notifications()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// until polls a condition; it fails the test when that doesn't come true.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// finished reports whether a process has ended, and keeps its error.
func finished(cmd *exec.Cmd) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended
}

func TestServeMakesTheFilmThatConvertMakes(t *testing.T) {
	in := crashSource(t)
	want, out := filepath.Join(filepath.Dir(in), "convert.mp4"), filepath.Join(filepath.Dir(in), "serve.mp4")
	options := []string{"--segment-frames", "30", "--encoder-preset", "ultrafast"}
	mustConvert(t, in, want, options...)
	s := newServer(t)
	r := stereospot(t, append([]string{"submit", in, "--server", s.url(""), "--wait", "-o", out}, options...)...)
	if r.code != exitDone {
		t.Fatalf("%s%s", r.out, r.err)
	}
	a, errA := os.ReadFile(want)
	b, errB := os.ReadFile(out)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the films differ (%v, %v)", errA, errB)
	}
	checkMetrics(t, s, `stereospot_message_seconds_count{outcome="handled",queue="reassembly"} 1`)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "scratch")); err != nil || len(left) > 0 {
		t.Errorf("left in scratch: %v, %v", left, err)
	}
}

// checkMetrics wants a line among what the server tells of itself.
func checkMetrics(t *testing.T, s *server, line string) {
	t.Helper()
	resp, err := http.Get(s.url("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), line) {
		t.Errorf("%s is not among the metrics: %s (%v)", line, text, err)
	}
}

// converting starts a job of one segment in a new server, and waits until that is being converted.
func converting(t *testing.T) (s *server, store *local.Store, id string) {
	t.Helper()
	film, err := os.ReadFile(crashSource(t))
	if err != nil {
		t.Fatal(err)
	}
	s = newServer(t)
	store = openShared(t, s.dir)
	id = submitFilm(t, store, film, func(o *job.Options) { o.SegmentFrames = 1000 })
	until(t, "the segment is being converted", func() bool {
		list, err := store.Platform().Progress.Of(t.Context(), id)
		return err == nil && len(list) > 0 && list[0].Frames > 0
	})
	return s, store, id
}

func TestFirstSignalLetsWorkEndAndSecondStopsIt(t *testing.T) {
	s, store, id := converting(t)
	ended := finished(s.cmd)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if _, missing := store.Output().Head(t.Context(), job.OutputKey(id, 0)); missing != nil {
			t.Fatalf("it ended (%v) without the segment that was under way", err)
		}
		t.Skip("the segment was done before the second signal")
	case <-time.After(100 * time.Millisecond):
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after two signals: %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the second signal didn't stop it")
	}
	d, err := store.Queues()[platform.VideoWorkerQueue].Depth(t.Context())
	if err != nil || d.Visible != 1 {
		t.Errorf("the segment's message was not handed back at once: %+v, %v", d, err)
	}
	s.start()
	until(t, "the job is done", func() bool {
		j, err := store.Jobs().Get(t.Context(), id)
		return err == nil && j.Status == job.Completed
	})
}

func TestWorkUnderWayEndsAfterOneSignal(t *testing.T) {
	s, store, id := converting(t)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if _, err := store.Output().Head(t.Context(), job.OutputKey(id, 0)); err != nil {
		t.Errorf("the segment that was under way: %v", err)
	}
}

func TestRolesListEveryWrongSettingAtOnce(t *testing.T) {
	for _, role := range []string{"serve", "web-ui", "media-worker", "video-worker"} {
		r := stereospot(t, role, "--pulse", "1ms", "--visibility", "1ms", "--data-dir", t.TempDir())
		if r.code != exitUsage || !strings.Contains(r.err, "--pulse") || !strings.Contains(r.err, "--visibility") {
			t.Errorf("%s: exit %d: %s", role, r.code, r.err)
		}
	}
}

func TestRolesSettingsComeFromTheEnvironmentToo(t *testing.T) {
	t.Setenv("STEREOSPOT_CONVERT_JOBS", "999")
	if r := stereospot(t, "video-worker", "--data-dir", t.TempDir()); r.code != exitUsage || !strings.Contains(r.err, "999") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

func TestNoWorkIsTakenOnWhileTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	store := openShared(t, dir)
	film, err := os.ReadFile(crashSource(t))
	if err != nil {
		t.Fatal(err)
	}
	id := submitFilm(t, store, film)
	var log bytes.Buffer
	cmd := command("media-worker", "--data-dir", dir, "--min-free", "1000000TiB", "--log-format", "json")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It would have taken the message within this time; a stop ends the wait for room.
	time.Sleep(time.Second)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, log.String())
	}
	if !strings.Contains(log.String(), `"msg":"the disk is full`) {
		t.Errorf("it doesn't say that the disk is full: %s", log.String())
	}
	d, err := store.Queues()[platform.ChunkingQueue].Depth(t.Context())
	if j, jobErr := store.Jobs().Get(t.Context(), id); err != nil || jobErr != nil || d.Visible != 1 || j.Status != job.Created {
		t.Errorf("it took work: %+v, job is %s (%v, %v)", d, j.Status, err, jobErr)
	}
}

func TestScratchOfTheDeadIsSweptAndOfTheLivingIsNot(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "scratch")
	dead := filepath.Join(parent, "process-dead", "convert-1")
	if err := os.MkdirAll(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := openScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	second, err := openScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{dead: false, first.dir: true, second.dir: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", dir, err == nil, want)
		}
	}
	if err := second.close(); err != nil {
		t.Error(err)
	}
	if err := first.close(); err != nil {
		t.Error(err)
	}
}

func TestServerOpenToTheNetworkNeedsAPassword(t *testing.T) {
	for _, role := range []string{"serve", "web-ui"} {
		r := stereospot(t, role, "--addr", "0.0.0.0:0", "--data-dir", t.TempDir(), "--pulse=-1s")
		if r.code != exitUsage || !strings.Contains(r.err, "STEREOSPOT_PASSWORD") || !strings.Contains(r.err, "--pulse") {
			t.Errorf("%s: exit %d: %s", role, r.code, r.err)
		}
	}
	t.Setenv("STEREOSPOT_PASSWORD", "short")
	if r := stereospot(t, "serve", "--data-dir", t.TempDir()); r.code != exitUsage || !strings.Contains(r.err, "password") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}
