package cli

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"testing"
)

// server is a role of StereoSpot, serve or web-ui, in a process that can be killed and started again at the same
// address.
type server struct {
	t    *testing.T
	role string
	dir  string // data directory
	addr string
	cmd  *exec.Cmd
	log  *bytes.Buffer // of the process under way
}

// startServer starts a role on a data directory. It ends with the test.
func startServer(t *testing.T, role, dir string) *server {
	t.Helper()
	s := &server{t: t, role: role, dir: dir, addr: "127.0.0.1:0"}
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", role, s.log)
		}
	})
	return s
}

// newServer starts everything on a fresh data directory.
func newServer(t *testing.T) *server {
	t.Helper()
	return startServer(t, "serve", t.TempDir())
}

// announced finds the address in what a server says first.
var announced = regexp.MustCompile(`http://([0-9.:]+)`)

// start runs the server until it listens.
func (s *server) start() {
	s.t.Helper()
	args := []string{s.role, "--addr", s.addr, "--data-dir", s.dir, "--min-free", "10MB", "--visibility", "3s", "--lease", "3s",
		"--pulse", "200ms", "--retry", "200ms", "--reconcile-every", "500ms", "--resend-after", "2s"}
	if s.role == "serve" {
		args = append(args, "--convert-jobs", "1")
	}
	s.cmd, s.log = command(args...), &bytes.Buffer{}
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	m := announced.FindStringSubmatch(line)
	if m == nil {
		s.kill()
		s.t.Fatalf("%s says %q, %v: %s", s.role, line, err, s.log)
	}
	s.addr = m[1]
	go func() { _, _ = io.Copy(io.Discard, lines) }() // until the process ends
}

func (s *server) url(path string) string { return "http://" + s.addr + path }

// kill ends the process as a power cut would.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill() // it may be dead already
		_ = s.cmd.Wait()         // killed: an error by nature
	}
}

// stereospot runs a command against the server.
func (s *server) stereospot(args ...string) result {
	s.t.Helper()
	return stereospot(s.t, append(args, "--server", s.url(""))...)
}
