package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// cloud is a deployment in an emulator, and what its services' environment says of it.
type cloud struct {
	cfg       aws.Config
	resources platformaws.Resources
	platform  platform.Platform
	env       []string
}

// newCloud lays out a deployment of its own. Its queues hide messages for visibility.
func newCloud(t *testing.T, cfg aws.Config, visibility time.Duration) *cloud {
	t.Helper()
	r, err := awstest.Provision(t.Context(), cfg, fmt.Sprintf("stereospot-%d", time.Now().UnixNano()), visibility)
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{cfg: cfg, resources: r, platform: platformaws.Connect(cfg, r)}
	c.env = append(os.Environ(), runAsCommand+"=1",
		"STEREOSPOT_PLATFORM=aws", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION="+awstest.Region,
		"INPUT_BUCKET_NAME="+r.InputBucket, "OUTPUT_BUCKET_NAME="+r.OutputBucket, "JOBS_TABLE_NAME="+r.JobsTable,
		"SEGMENT_COMPLETIONS_TABLE_NAME="+r.CompletionsTable, "REASSEMBLY_TRIGGERED_TABLE_NAME="+r.TriggeredTable,
		"STEREOSPOT_SCRATCH_DIR="+t.TempDir(), "STEREOSPOT_MIN_FREE=10MB", "STEREOSPOT_LEASE=3s", "STEREOSPOT_PULSE=200ms",
		"STEREOSPOT_RETRY=200ms", "STEREOSPOT_RECONCILE_EVERY=500ms", "STEREOSPOT_RESEND_AFTER=5s",
	)
	if cfg.BaseEndpoint != nil {
		c.env = append(c.env, "AWS_ENDPOINT_URL="+*cfg.BaseEndpoint)
	}
	for q, url := range r.QueueURLs {
		c.env = append(c.env, strings.ToUpper(strings.ReplaceAll(string(q), "-", "_"))+"_QUEUE_URL="+url)
	}
	return c
}

// with returns the environment with more variables, which win.
func (c *cloud) with(more ...string) []string { return append(append([]string{}, c.env...), more...) }

// service is a process of a deployment.
type service struct {
	cmd *exec.Cmd
	log *logFile
}

// logFile is what a process has said, for a test that fails.
type logFile struct{ *os.File }

func newLogFile(t *testing.T, name string) *logFile {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(f.Name())
			t.Logf("log of %s:\n%s", name, text[max(0, len(text)-10_000):])
		}
		_ = f.Close()
	})
	return &logFile{f}
}

func (l *logFile) text() string {
	text, _ := os.ReadFile(l.Name())
	return string(text)
}

// run starts a service, which ends with the test.
func (c *cloud) run(t *testing.T, env []string, args ...string) *service {
	t.Helper()
	s := &service{cmd: exec.Command(os.Args[0], args...), log: newLogFile(t, args[0])}
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = env, s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

// kill ends the process as a power cut would.
func (s *service) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill() // it may be dead already
		_ = s.cmd.Wait()         // killed: an error by nature
	}
}

// stop ends the process as ECS does, and returns how long it took.
func (s *service) stop(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v: %v", s.cmd.Args[1:], err)
	}
	return time.Since(begin)
}

// address waits until the web server says where it is.
func (s *service) address(t *testing.T) string {
	t.Helper()
	var found []string
	until(t, "the web server listens", func() bool {
		found = announced.FindStringSubmatch(s.log.text())
		return found != nil
	})
	return "http://" + found[1]
}
