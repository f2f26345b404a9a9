package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web"
)

// stream is an open event stream.
type stream struct {
	t     testing.TB
	lines *bufio.Scanner
	stop  func()
}

type event struct{ id, name, data string }

func (s *site) watch(path, last string) *stream {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s: %s, %s", path, resp.Status, resp.Header.Get("Content-Type"))
	}
	st := &stream{t: s.t, lines: bufio.NewScanner(resp.Body), stop: func() { cancel(); resp.Body.Close() }}
	s.t.Cleanup(st.stop)
	return st
}

// next returns the next event, past comments.
func (s *stream) next() (e event) {
	s.t.Helper()
	for s.lines.Scan() {
		key, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch key {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e
			}
		}
	}
	s.t.Fatalf("the stream ended: %v", s.lines.Err())
	return e
}

// job returns the next event's job.
func (s *stream) job() (j web.Job, id string) {
	s.t.Helper()
	e := s.next()
	if err := json.Unmarshal([]byte(e.data), &j); e.name != "job" || err != nil {
		s.t.Fatalf("%+v: %v", e, err)
	}
	return j, e.id
}

func TestWatcherSeesAJobFromMakingToRemoval(t *testing.T) {
	s := newSite(t)
	var made web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, &made)
	all, one := s.watch("/api/v1/events", ""), s.watch("/api/v1/jobs/"+made.ID+"/events", "")
	for _, st := range []*stream{all, one} {
		if j, _ := st.job(); j.ID != made.ID || j.Stage != web.StageUploading {
			t.Errorf("first came %+v", j)
		}
	}
	s.call("POST", "/api/v1/jobs/"+made.ID+"/cancel", nil, 200, nil)
	for _, st := range []*stream{all, one} {
		if j, _ := st.job(); j.Stage != web.StageCancelled {
			t.Errorf("then came %+v", j)
		}
	}
	s.call("DELETE", "/api/v1/jobs/"+made.ID, nil, 202, nil)
	e := one.next()
	for e.name == "job" { // being removed
		e = one.next()
	}
	if e.name != "removed" || e.data != `{"id":"`+made.ID+`"}` {
		t.Errorf("in the end came %+v", e)
	}
}

func TestWatcherContinuesAfterTheLastEventItSaw(t *testing.T) {
	s := newSite(t)
	var a, b web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, &a)
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "b.mp4"}, 201, &b)
	st := s.watch("/api/v1/events", "")
	st.job()
	_, last := st.job()
	st.stop()
	s.call("PATCH", "/api/v1/jobs/"+a.ID, map[string]any{"title": "changed.mp4"}, 200, nil)
	if j, _ := s.watch("/api/v1/events", last).job(); j.ID != a.ID || j.Title != "changed.mp4" {
		t.Errorf("continued with %+v", j)
	}
}

func TestProgressShowsSegmentsRateAndTimeLeft(t *testing.T) {
	s := newSite(t)
	now := time.Now()
	j := job.Job{
		ID: job.NewID(now), Owner: "local", Title: "a.mp4", Status: job.ChunkingComplete, Options: job.DefaultOptions(),
		Uploaded: true, StartedAt: now, CreatedAt: now, TotalSegments: 2, TotalFrames: 200,
	}
	s.create(j)
	if err := s.platform.Progress.Report(t.Context(), j.ID, platform.SegmentProgress{Index: 1, Frames: 50, Started: now.Add(-10 * time.Second), Updated: now}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.platform.Completions.Record(t.Context(), platform.Completion{JobID: j.ID, Index: 0, Frames: 100, Completed: now}); err != nil {
		t.Fatal(err)
	}
	var v web.Job
	s.call("GET", "/api/v1/jobs/"+j.ID, nil, 200, &v)
	if v.Frames != 150 || v.FPS != 5 || v.SecondsLeft == nil || *v.SecondsLeft != 10 {
		t.Errorf("shown %d frames, %v per second, %v left", v.Frames, v.FPS, v.SecondsLeft)
	}
}

func (s *site) create(j job.Job) {
	s.t.Helper()
	if err := s.platform.Jobs.Create(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
}

// The viewers' own ends live in this process too: plain connections, to add as little as can be.
func TestAThousandWatchersNeedLittleMemory(t *testing.T) {
	s := newSite(t)
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, nil)
	before := inUse()
	const watchers = 1000
	for range watchers {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "GET /api/v1/events HTTP/1.1\r\nHost: %s\r\n\r\n", s.Listener.Addr())
		seen := make([]byte, 0, 4096)
		for !strings.Contains(string(seen), "event: job") {
			n, err := c.Read(seen[len(seen):cap(seen)])
			if err != nil {
				t.Fatalf("%v after %q", err, seen)
			}
			seen = seen[:len(seen)+n]
		}
	}
	grown := inUse() - before
	t.Logf("%d watchers take %.1f MiB", watchers, float64(grown)/(1<<20))
	if grown > 100<<20 {
		t.Errorf("%d watchers take %d bytes", watchers, grown)
	}
}

// inUse returns the bytes of heap and stacks in use.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
