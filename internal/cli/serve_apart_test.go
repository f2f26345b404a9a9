//go:build cgo && linux

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference/child/childtest"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
	"github.com/stereospot/stereospot/internal/web"
)

// withModels has the commands of a test find these models, and no others.
func withModels(t *testing.T, models map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("STEREOSPOT_MODELS_DIR", dir)
	t.Setenv("STEREOSPOT_DEPTH_PROVIDER", "cpu")
	for name, content := range models {
		if err := os.WriteFile(filepath.Join(dir, name+".onnx"), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// submitted begins a job on a model, and returns its id.
func (s *server) submitted(film, model string, options ...string) string {
	s.t.Helper()
	r := s.stereospot(append([]string{"submit", film, "--json", "--depth", model, "--encoder-preset", "ultrafast", "--segment-frames", "5"}, options...)...)
	if r.code != exitDone {
		s.t.Fatalf("exit %d: %s", r.code, r.err)
	}
	return jobID(s.t, r.out)
}

// become waits until a job has a status.
func (s *server) become(id string, status job.Status) web.Job {
	s.t.Helper()
	var j web.Job
	s.until(id, "it is "+string(status), func(now web.Job) bool { j = now; return now.Status == status })
	return j
}

// networks is the process of the server's networks, 0 while there is none.
func (s *server) networks() int { s.t.Helper(); return childOf(s.t, s.cmd.Process.Pid) }

// final returns the frames of a job's film.
func (s *server) final(id string) []string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "final.mp4")
	if r := s.stereospot("jobs", "watch", id, "-o", path); r.code != exitDone {
		s.t.Fatalf("exit %d: %s", r.code, r.err)
	}
	return decodedHash(s.t, path)
}

// TestServerOutlivesNetworksThatEndTheirProcess has a film on a network that ends its process beside films on one that doesn't,
// and on none.
func TestServerOutlivesNetworksThatEndTheirProcess(t *testing.T) {
	t.Setenv(deadlyNetworks, "1")
	withModels(t, map[string][]byte{childtest.Luma: {1}, childtest.Fault: {2}})
	s, film := newServer(t), smallFilm(t, 10)
	s.become(s.submitted(film, "classic"), job.Completed)
	if pid := s.networks(); pid != 0 {
		t.Errorf("process %d is there for networks that nobody asked for", pid)
	}
	doomed, beside := s.submitted(film, childtest.Fault), s.submitted(film, childtest.Luma)
	j := s.become(doomed, job.Failed)
	want := "converting a segment failed 5 times, the last time with: the process that computes depth died of these pictures: exit status 2: SIGSEGV: segmentation violation"
	if j.Reason != want {
		t.Errorf("the reason is %q, want %q", j.Reason, want)
	}
	s.become(beside, job.Completed)
	after := s.submitted(film, childtest.Luma)
	s.become(after, job.Completed)
	sameFrames(t, s.final(beside), s.final(after), 10)
	if metrics := get(t, s.url("/metrics")); !strings.Contains(metrics, "\nstereospot_depth_process_deaths_total ") || strings.Contains(metrics, "\nstereospot_depth_process_deaths_total 0\n") {
		t.Errorf("no death was counted:\n%s", metrics)
	}
}

func TestServersNetworksComputeForNobodyWhoIsGone(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	withModels(t, map[string][]byte{"tiny": onnxtest.Bytes(onnxtest.Kind{}), "weary": onnxtest.Bytes(weary)})
	s, film := newServer(t), smallFilm(t, 10)
	computing := func() int {
		pid := 0
		until(t, "there is a process for the networks", func() bool { pid = s.networks(); return pid != 0 })
		untilComputing(t, pid)
		return pid
	}
	cancelled := s.submitted(film, "weary", "--depth-size", "56")
	pid := computing()
	before := computed(t, pid)
	if r := s.stereospot("jobs", "cancel", cancelled); r.code != exitDone {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	s.become(s.submitted(film, "tiny", "--depth-size", "56"), job.Completed)
	if now := s.networks(); now != pid {
		t.Errorf("process %d has become %d", pid, now)
	} else if took := computed(t, pid) - before; took > little {
		t.Errorf("the networks have computed for %v since the job was cancelled", took)
	}
	s.submitted(film, "weary", "--depth-size", "56")
	pid = computing()
	s.kill()
	until(t, "the networks' process has ended with a server that was killed", func() bool { return !alive(pid) })
	s.start()
	pid = computing()
	ended := finished(s.cmd)
	for range 2 { // a soft stop, then a hard one
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // signals of one kind that come at once are one
	}
	if err := await(t, ended); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if alive(pid) {
		t.Errorf("process %d is left", pid)
	}
}
