package cli

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stereospot/stereospot/internal/inference/sagemakertest"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// fleet is two of every process of a deployment, and who converts for them.
type fleet struct {
	t       *testing.T
	c       *cloud
	members []*member
	webs    []string // addresses
	wall    *wall
	runtime *sagemakertest.Runtime // nil where the inference service is asked itself

	mu      sync.Mutex
	failing map[string]int // invocations by segment that the runtime lets come to nothing
	unnoted map[string]int // invocations by segment whose worker may have died before it noted them down
	kills   int
	exits   int
}

// member is a process that is started again whenever it ends.
type member struct {
	args []string
	env  []string
	log  *logFile
	*service
}

func newFleet(t *testing.T, c *cloud, backend string) *fleet {
	t.Helper()
	f := &fleet{t: t, c: c, failing: map[string]int{}, unnoted: map[string]int{}}
	inference := f.add(c.env, "inference", "--jobs", "2")
	f.wall = newWall(t, inference.address(t))
	f.settle(inference)
	env := c.with("INFERENCE_BACKEND=http", "INFERENCE_HTTP_URL="+f.wall.URL)
	if backend == "sagemaker" {
		env = f.useEndpoint()
	}
	for range 2 {
		web := f.add(c.env, "web-ui")
		f.webs = append(f.webs, web.address(t))
		f.settle(web)
		f.add(c.env, "media-worker")
		f.add(env, "video-worker")
	}
	t.Cleanup(func() {
		for _, m := range f.members {
			m.kill()
		}
	})
	return f
}

// add starts a member.
func (f *fleet) add(env []string, args ...string) *member {
	f.t.Helper()
	if args[0] == "web-ui" || args[0] == "inference" {
		args = append(args, "--addr", "127.0.0.1:0")
	}
	m := &member{args: args, env: env, log: newLogFile(f.t, args[0])}
	f.members = append(f.members, m)
	f.start(m)
	return m
}

// settle keeps a member at the address that it has found.
func (f *fleet) settle(m *member) {
	m.args[len(m.args)-1] = strings.TrimPrefix(m.address(f.t), "http://")
}

func (f *fleet) start(m *member) {
	f.t.Helper()
	m.service = &service{cmd: command(m.args...), log: m.log}
	m.cmd.Env, m.cmd.Stdout, m.cmd.Stderr = slices.Clone(m.env), m.log, m.log
	if err := m.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
}

func (m *member) address(t *testing.T) string { return m.service.address(t) }

// replace kills a member and starts it again.
func (f *fleet) replace(i int) {
	m := f.members[i]
	m.kill()
	f.kills++
	if m.args[0] == "video-worker" {
		f.noteUnnoted()
	}
	f.start(m)
}

// restart starts members again that have ended by themselves, as ECS does.
func (f *fleet) restart() {
	for _, m := range f.members {
		if !alive(m.cmd.Process.Pid) {
			_ = m.cmd.Wait() // its log says why
			f.exits++
			f.start(m)
		}
	}
}

// alive reports whether a child runs: one that has ended and wasn't waited for is a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// useEndpoint has the fleet's segments converted by a SageMaker endpoint before the wall, and returns the environment
// of its video-workers. The first invocation of some segments fails, comes to nothing, is late, throttled, or answered
// without an output.
func (f *fleet) useEndpoint() []string {
	f.runtime = sagemakertest.New(f.t.Context(), sagemakertest.Config{
		S3: s3.NewFromConfig(f.c.cfg, func(o *s3.Options) { o.UsePathStyle = true }), Endpoint: "films", Container: f.wall.URL,
		Bucket: f.c.resources.OutputBucket, Jobs: 8, Behave: f.behave,
	})
	wire := httptest.NewServer(f.runtime)
	f.t.Cleanup(func() { f.runtime.Close(); wire.Close() })
	return f.c.with("INFERENCE_BACKEND=sagemaker", "SAGEMAKER_ENDPOINT_NAME=films", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME="+wire.URL, "PATH=/nonexistent")
}

func (f *fleet) behave(c sagemakertest.Call) sagemakertest.Behaviour {
	if c.Number > 1 || c.Request.Format == doomed {
		return sagemakertest.Behaviour{}
	}
	switch rand.IntN(12) {
	case 0:
		return f.comesToNothing(c, sagemakertest.Fail)
	case 1:
		return f.comesToNothing(c, sagemakertest.Empty)
	case 2:
		return f.comesToNothing(c, sagemakertest.Never)
	case 3:
		return sagemakertest.Behaviour{Mode: sagemakertest.Throttle}
	case 4, 5:
		late := make(chan struct{})
		time.AfterFunc(5*time.Second, func() { close(late) })
		return sagemakertest.Behaviour{After: late}
	}
	return sagemakertest.Behaviour{}
}

func (f *fleet) comesToNothing(c sagemakertest.Call, mode sagemakertest.Mode) sagemakertest.Behaviour {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing[segmentName(c.Request)]++
	return sagemakertest.Behaviour{Mode: mode}
}

// noteUnnoted looks, after a video-worker was killed, for invocations that nobody has noted down: they have no ticket.
// Those that ended before have none either, which makes the bound looser and never wrong.
func (f *fleet) noteUnnoted() {
	if f.runtime == nil {
		return
	}
	calls := f.runtime.Calls()
	latest := map[string]string{} // inference id by segment
	for _, c := range calls {
		latest[segmentName(c.Request)] = c.InferenceID
	}
	noted := f.tickets()
	for segment, id := range latest {
		if !strings.Contains(noted, id) && !f.hasOutput(segment) {
			f.unnoted[segment]++
		}
	}
}

// tickets returns the text of all tickets.
func (f *fleet) tickets() string {
	var all strings.Builder
	for _, o := range f.objects(f.c.platform.Output, "sagemaker-async-requests/") {
		if !strings.HasSuffix(o.Key, ".ticket") {
			continue
		}
		body, _, err := f.c.platform.Output.Get(f.t.Context(), o.Key, 0, -1)
		if err != nil {
			continue // it has just been settled
		}
		_, _ = fmt.Fprint(&all, readAll(f.t, body))
	}
	return all.String()
}

func (f *fleet) hasOutput(segment string) bool {
	id, index, _ := strings.Cut(segment, "/")
	var n int
	if _, err := fmt.Sscan(index, &n); err != nil {
		f.t.Fatal(err)
	}
	_, err := f.c.platform.Output.Head(f.t.Context(), job.OutputKey(id, n))
	return err == nil
}

// objects returns all objects under a prefix.
func (f *fleet) objects(store platform.Objects, prefix string) (all []platform.Object) {
	for token := ""; ; {
		page, next, err := store.List(f.t.Context(), prefix, token, 1000)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, page...)
		if token = next; token == "" {
			return all
		}
	}
}
