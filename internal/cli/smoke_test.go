package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSmokeTestLeavesNothingBehind(t *testing.T) {
	t.Setenv("STEREOSPOT_PASSWORD", "correct horse")
	s := newServer(t)
	env := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(env, []byte("# written by hand\nALB_URL='"+s.url("")+"'\nSTEREOSPOT_PASSWORD=\"correct horse\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Unsetenv("STEREOSPOT_PASSWORD"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	r := stereospot(t, "smoke-test", "--env-file", env)
	for _, step := range []string{"render", "sign in", "create", "upload", "convert", "download", "compare", "remove", "sign out"} {
		if !strings.Contains(r.out, "\n"+step+" ") {
			t.Errorf("no line for %q", step)
		}
	}
	if r.code != exitDone || !strings.Contains(r.out, "48 frames at their instants") || strings.ContainsAny(r.out, "[]") || strings.Contains(r.out, "FAILED") {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	if left, err := os.ReadDir(os.TempDir()); len(left) != 0 || err != nil {
		t.Errorf("%v is left, %v", left, err)
	}
	s.emptyAgain(t)
}

// emptyAgain checks that the server holds no jobs, no objects and no tokens.
func (s *server) emptyAgain(t *testing.T) {
	t.Helper()
	for _, bucket := range []string{"input", "output"} {
		err := filepath.WalkDir(filepath.Join(s.dir, bucket), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				t.Errorf("%s is left", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestSmokeTestNamesTheStepThatFailed(t *testing.T) {
	s := startServer(t, "web-ui", t.TempDir()) // nobody converts
	if r := smoke(t, s, func(id string, _ *exec.Cmd) { s.stereospot("jobs", "cancel", id) }); r.code != exitFailed ||
		!strings.Contains(r.err, "convert failed: StereoSpot smoke test.mp4 was cancelled") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := smoke(t, s, func(_ string, cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGINT) }); r.code != exitFailed ||
		!strings.HasSuffix(r.err, "stereospot: convert failed: stopped\n") {
		t.Errorf("after Ctrl-C, exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := stereospot(t, "smoke-test", "--server", "http://"+nobody); r.code != exitFailed || !strings.Contains(r.err, "sign in failed: no answer from") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := stereospot(t, "smoke-test", "--within", "1ms"); r.code != exitFailed || !strings.Contains(r.err, "render failed: ") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := stereospot(t, "smoke-test", "--env-file", filepath.Join(t.TempDir(), "none")); r.code != exitUsage {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
}

// smoke runs the smoke test as a process of its own and disturbs it while its film waits for somebody to convert it. The
// table must tell of the failure and of the removal, and the server mustn't keep the job.
func smoke(t *testing.T, s *server, disturb func(id string, cmd *exec.Cmd)) result {
	t.Helper()
	p := newProxy(t, s.url(""))
	cmd := command("smoke-test", "--server", p.URL)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := finished(cmd)
	until(t, "it follows its film", func() bool { return p.delivered() > 0 })
	disturb(s.listed()[0].ID, cmd)
	_ = await(t, ended) // the exit code says it
	r := result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	if !strings.Contains(r.out, "convert   FAILED") && !strings.Contains(r.out, "convert  FAILED") || !strings.Contains(r.out, "remove") || strings.Contains(r.out, "\nremove   FAILED") {
		t.Errorf("the table says: %s", r.out)
	}
	if left := s.listed(); len(left) != 0 {
		t.Errorf("%+v is left", left)
	}
	return r
}
