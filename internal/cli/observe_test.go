package cli

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stereospot/stereospot/internal/job"
)

// seenSpan is what a collector of traces was told of one span.
type seenSpan struct {
	name, jobID string
	segment     int64
	failed      bool
}

// spanCollector is an OTLP collector that remembers.
type spanCollector struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[seenSpan]int
}

func newSpanCollector(t *testing.T) *spanCollector {
	t.Helper()
	c := &spanCollector{seen: map[seenSpan]int{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &in)
		}
		if err != nil {
			t.Error(err)
		}
		c.note(&in)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *spanCollector) note(in *collector.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range in.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				span := seenSpan{name: s.Name, segment: -1, failed: s.GetStatus().GetCode() == 2} // STATUS_CODE_ERROR
				for _, a := range s.Attributes {
					switch a.Key {
					case "job_id":
						span.jobID = a.Value.GetStringValue()
					case "segment_index":
						span.segment = a.Value.GetIntValue()
					}
				}
				c.seen[span]++
			}
		}
	}
}

func (c *spanCollector) has(s seenSpan) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[s] > 0
}

// workerProcess is a role without pages that shows its metrics.
type workerProcess struct {
	*exec.Cmd
	at string // http://host:port
}

func startWorker(t *testing.T, dir string, env []string, args ...string) workerProcess {
	t.Helper()
	cmd := command(append(append(args, "--data-dir", dir, "--metrics-addr", ":0"), quick...)...)
	cmd.Env = append(cmd.Env, env...)
	log := &bytes.Buffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // it may be dead already
			_ = cmd.Wait()         // killed: an error by nature
		}
		if t.Failed() {
			t.Logf("log of %v:\n%s", args, log)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	m := announced.FindStringSubmatch(line)
	if m == nil || !strings.HasPrefix(m[1], "127.0.0.1:") {
		t.Fatalf("%v says %q, %v", args, line, err)
	}
	return workerProcess{cmd, "http://" + m[1]}
}

// get returns the status and the text that the worker answers with; 0 when it doesn't.
func (w workerProcess) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(w.at + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestWorkersShowTheirHealthMetricsAndTraces(t *testing.T) {
	dir, traces := t.TempDir(), newSpanCollector(t)
	film, err := os.ReadFile(crashSource(t))
	if err != nil {
		t.Fatal(err)
	}
	store := openShared(t, dir)
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + traces.URL}
	media, video := startWorker(t, dir, env, "media-worker"), startWorker(t, dir, env, "video-worker", "--convert-jobs", "1")
	id := submitFilm(t, store, film, func(o *job.Options) { o.SegmentFrames = 100_000 })
	until(t, "the film is done", func() bool {
		j, err := store.Jobs().Get(t.Context(), id)
		return err == nil && j.Status == job.Completed
	})
	says := func(text string) *regexp.Regexp { return regexp.MustCompile(regexp.QuoteMeta(text)) }
	handled := func(queue string) *regexp.Regexp {
		return happened(`stereospot_message_seconds_count{outcome="handled",queue="` + queue + `"}`)
	}
	for _, c := range []struct {
		w     workerProcess
		path  string
		lines []*regexp.Regexp
	}{
		{media, "/healthz", []*regexp.Regexp{says("ok")}},
		{media, "/readyz", []*regexp.Regexp{says(`"name":"workers","ok":true`), says(`"ready":true`)}},
		{media, "/metrics", []*regexp.Regexp{handled("chunking"), handled("reassembly")}},
		{video, "/readyz", []*regexp.Regexp{says(`"name":"workers","ok":true`)}},
		{video, "/metrics", []*regexp.Regexp{happened("stereospot_segment_seconds_count"), happened("stereospot_frames_total"), says("go_goroutines "), handled("video-worker")}},
	} {
		// A message counts a moment after its job is seen to be done.
		until(t, c.path+" shows what happened", func() bool {
			status, text := c.w.get(t, c.path)
			for _, line := range c.lines {
				if status != http.StatusOK || !line.MatchString(text) {
					return false
				}
			}
			return true
		})
	}
	for _, w := range []workerProcess{media, video} {
		if err := w.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := w.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
	}
	for _, want := range []seenSpan{{"chunk", id, -1, false}, {"convert", id, 0, false}, {"complete", id, 0, false}, {"reassemble", id, -1, false}} {
		if !traces.has(want) {
			t.Errorf("no span %+v among %+v", want, traces.seen)
		}
	}
}

func TestReadinessOfTheServerTellsOfItsWorkers(t *testing.T) {
	s := newServer(t)
	until(t, "it is ready", func() bool {
		resp, err := http.Get(s.url("/readyz"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == http.StatusOK && strings.Contains(string(text), `"name":"workers","ok":true`)
	})
}
