package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// patience is a time that only a broken program needs, however busy the machine is.
const patience = 5 * time.Minute

// until polls a condition; it fails the test when that doesn't come true.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !met(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
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
	figures := filepath.Join(filepath.Dir(in), "report.json")
	mustConvert(t, in, want, append(options, "--report", figures)...)
	s := newServer(t)
	r := stereospot(t, append([]string{"submit", in, "--server", s.url(""), "--wait", "--json", "-o", out}, options...)...)
	if r.code != exitDone {
		t.Fatalf("%s%s", r.out, r.err)
	}
	a, errA := os.ReadFile(want)
	b, errB := os.ReadFile(out)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the films differ (%v, %v)", errA, errB)
	}
	sameReport(t, s.url(""), jobID(t, r.out), figures)
	checkMetrics(t, s, `stereospot_message_seconds_count{outcome="handled",queue="reassembly"}`)
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

// happened is the line of a metric that counts something that has happened: twice, perhaps, where the machine was so busy
// that a message came again.
func happened(metric string) *regexp.Regexp {
	return regexp.MustCompile("(?m)^" + regexp.QuoteMeta(metric) + " [1-9]")
}

// checkMetrics wants a server to tell that something has happened. A message counts a moment after its job is seen to be
// done.
func checkMetrics(t *testing.T, s *server, metric string) {
	t.Helper()
	until(t, metric+" is counted", func() bool { return happened(metric).Match(answerOf(t, s.url("/metrics"))) })
}

// converting starts a job of one segment in a new server, which stands still in the middle of its conversion until the gate
// is opened.
func converting(t *testing.T) (s *server, store *local.Store, id string, g gate) {
	t.Helper()
	film, err := os.ReadFile(smallFilm(t, 10))
	if err != nil {
		t.Fatal(err)
	}
	g = holdEncoders(t, 0)
	t.Setenv("STEREOSPOT_DRAIN", patience.String())
	s = newServer(t)
	store = openShared(t, s.dir)
	id = submitFilm(t, store, film, func(o *job.Options) { o.SegmentFrames = 1000 })
	until(t, "the segment is being converted", g.reached)
	return s, store, id, g
}

// signalled sends a process the first signal, after which the work under way must go on, and returns where its end is heard
// of.
func signalled(t *testing.T, cmd *exec.Cmd) (ended <-chan error) {
	t.Helper()
	ended = finished(cmd)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("it ended with work under way: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	return ended
}

func TestFirstSignalLetsWorkEndAndSecondStopsIt(t *testing.T) {
	s, store, id, g := converting(t)
	ended := signalled(t, s.cmd)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := await(t, ended); err != nil {
		t.Errorf("after two signals: %v", err)
	}
	d, err := store.Queues()[platform.VideoWorkerQueue].Depth(t.Context())
	if err != nil || d.Visible != 1 {
		t.Errorf("the segment's message was not handed back at once: %+v, %v", d, err)
	}
	g.open(t)
	s.start()
	until(t, "the job is done", func() bool {
		j, err := store.Jobs().Get(t.Context(), id)
		return err == nil && j.Status == job.Completed
	})
}

func TestWorkUnderWayEndsAfterOneSignal(t *testing.T) {
	s, store, id, g := converting(t)
	ended := signalled(t, s.cmd)
	g.open(t)
	if err := await(t, ended); err != nil {
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
	w := &service{cmd: command("media-worker", "--data-dir", dir, "--min-free", "1000000TiB", "--log-format", "json"), log: newLogFile(t, "media-worker")}
	w.cmd.Stderr = w.log
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.kill)
	until(t, "it says that the disk is full", func() bool { return strings.Contains(w.log.text(), `"msg":"the disk is full`) })
	time.Sleep(200 * time.Millisecond) // in which it would take the message; a stop ends the wait for room
	w.stop(t)
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
