package cli

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// cloud is a deployment in an emulator, and what its services' environment says of it.
type cloud struct {
	cfg       aws.Config
	name      string // that of every resource begins with it
	resources platformaws.Resources
	hubToken  string // address of the secret that holds it, empty where there is none
	platform  platform.Platform
	env       []string
}

// newCloud lays out a deployment of its own. Its queues hide messages for visibility.
func newCloud(t *testing.T, cfg aws.Config, visibility time.Duration) *cloud {
	t.Helper()
	name := "spot-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	r, err := awstest.Provision(t.Context(), cfg, name, visibility)
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{cfg: cfg, name: name, resources: r, platform: platformaws.Connect(cfg, r)}
	c.env = append(os.Environ(), runAsCommand+"=1",
		"STEREOSPOT_PLATFORM=aws", anyKey, "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION="+awstest.Region,
		"INPUT_BUCKET_NAME="+r.InputBucket, "OUTPUT_BUCKET_NAME="+r.OutputBucket, "JOBS_TABLE_NAME="+r.JobsTable,
		"SEGMENT_COMPLETIONS_TABLE_NAME="+r.CompletionsTable, "REASSEMBLY_TRIGGERED_TABLE_NAME="+r.TriggeredTable,
		"STEREOSPOT_SCRATCH_DIR="+t.TempDir(), "STEREOSPOT_MIN_FREE=10MB", "STEREOSPOT_LEASE=3s", "STEREOSPOT_PULSE=200ms",
		"STEREOSPOT_RETRY=200ms", "STEREOSPOT_GATHER=100ms", "STEREOSPOT_RECONCILE_EVERY=500ms",
		"STEREOSPOT_RESEND_AFTER=10m", "STEREOSPOT_DRAIN=5m", // that a busy machine needs neither is seen by counts and by ends
	)
	c.env = append(c.env, "AWS_ENDPOINT_URL="+*cfg.BaseEndpoint)
	for q, url := range r.QueueURLs {
		c.env = append(c.env, strings.ToUpper(strings.ReplaceAll(string(q), "-", "_"))+"_QUEUE_URL="+url)
	}
	return c
}

// with returns the environment with more variables, which win.
func (c *cloud) with(more ...string) []string { return append(append([]string{}, c.env...), more...) }

// word is what the documentation of permissions calls a resource.
func (c *cloud) word(resource string) string {
	table, index, _ := strings.Cut(resource, "/")
	words := map[string]string{
		c.resources.InputBucket: "input bucket", c.resources.OutputBucket: "output bucket", c.resources.JobsTable: "jobs table",
		c.resources.CompletionsTable: "segment completions table", c.resources.TriggeredTable: "reassembly triggered table",
		c.resources.SessionKeySecret: "session key secret", c.hubToken: "hub token secret",
	}
	for q, url := range c.resources.QueueURLs {
		name := url[strings.LastIndexByte(url, '/')+1:]
		words[name], words[name+"-dlq"] = string(q)+" queue", string(q)+" dead-letter queue"
	}
	if index != "" {
		return words[table] + " indexes"
	}
	return words[table]
}

// repeatEvents sends the events of all objects that speak of themselves again, in random order.
func (c *cloud) repeatEvents(t *testing.T) {
	t.Helper()
	for _, n := range platform.Notifications() {
		store, name := c.platform.Input, c.resources.InputBucket
		if n.Bucket == platform.OutputBucket {
			store, name = c.platform.Output, c.resources.OutputBucket
		}
		list, _, err := store.List(t.Context(), n.Prefix, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range rand.Perm(len(list)) {
			if !strings.HasSuffix(list[i].Key, n.Suffix) {
				continue
			}
			event := job.EncodeObjectCreated(job.ObjectCreated{Bucket: name, Key: list[i].Key, Size: list[i].Size, Time: list[i].Modified})
			if err := c.platform.Queues[n.Queue].Send(t.Context(), 0, event); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// segmentOf names a segment as "{job_id}/{index}".
func segmentOf(jobID string, index int) string { return jobID + "/" + strconv.Itoa(index) }

// checkPermissions holds the calls that the emulator has seen against those that the documentation permits, of each
// service by the access key that is its name.
func (c *cloud) checkPermissions(t *testing.T, calls *awstest.Calls) {
	t.Helper()
	permitted, err := platformaws.Permissions()
	if err != nil {
		t.Fatal(err)
	}
	for service := range permitted {
		if !slices.Contains(calls.Callers(), service) {
			t.Errorf("%s has called nothing", service)
		}
	}
	for call, n := range calls.Seen() {
		if !strings.Contains(call.Resource, c.name) {
			continue // of another deployment
		}
		if of, isService := permitted[call.Caller]; isService && !slices.Contains(of[c.word(call.Resource)], call.Action) {
			t.Errorf("%s has called %s on %s (%s) %d times: its permissions don't say so", call.Caller, call.Action, c.word(call.Resource), call.Resource, n)
		}
	}
}

// submitted is how a submission has ended.
type submitted struct {
	result
	film string // path of what was fetched
}

// submit uploads a film and fetches its result when that is there; what it returns hears of the end.
func (c *cloud) submit(t *testing.T, server, film string, options ...string) <-chan submitted {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out"+filepath.Ext(film))
	ended := make(chan submitted, 1)
	go func() {
		args := append([]string{"submit", film, "-o", out, "--encoder-preset", "ultrafast", "--server", server}, options...)
		ended <- submitted{stereospot(t, args...), out}
	}()
	return ended
}

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

// anyKey is the access key of a process whose calls nobody tells from others'.
const anyKey = "AWS_ACCESS_KEY_ID=test"

// run starts a service, which ends with the test. Its access key is its name, so that its calls can be told from
// others'.
func (c *cloud) run(t *testing.T, env []string, args ...string) *service {
	t.Helper()
	s := &service{cmd: exec.Command(os.Args[0], args...), log: newLogFile(t, args[0])}
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = slices.Clone(env), s.log, s.log
	if i := slices.Index(s.cmd.Env, anyKey); i >= 0 {
		s.cmd.Env[i] = "AWS_ACCESS_KEY_ID=" + args[0]
	}
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

// address waits until a server says where it is.
func (s *service) address(t *testing.T) string {
	t.Helper()
	var found []string
	until(t, "the server listens", func() bool {
		found = announced.FindStringSubmatch(s.log.text())
		return found != nil
	})
	return "http://" + found[1]
}
