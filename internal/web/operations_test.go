package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/webhook"

	"github.com/prometheus/client_golang/prometheus"
)

func TestReadyTellsWhatIsMissing(t *testing.T) {
	free, worker := int64(1), error(nil)
	s := newSite(t, withPassword(t), func(c *web.Config) {
		c.FreeBytes = func() (int64, error) { return free, nil }
		c.Probes = []web.Probe{{Name: "workers", Check: func(context.Context) error { return worker }}}
	})
	if got := s.as("", "GET", "/healthz", ""); got.status != 200 || got.body != "ok\n" {
		t.Errorf("healthz is %d: %s", got.status, got.body)
	}
	if got := s.as("", "GET", "/readyz", ""); got.status != 200 || !strings.Contains(got.body, `"ready":true`) {
		t.Errorf("readyz is %d: %s", got.status, got.body)
	}
	free, worker = 0, errors.New("no worker has been seen for a minute")
	got := s.as("", "GET", "/readyz", "")
	for _, want := range []string{`{"name":"store","ok":true}`, "the disk is full", "no worker has been seen"} {
		if got.status != 503 || !strings.Contains(got.body, want) {
			t.Errorf("readyz is %d: %s, want %s", got.status, got.body, want)
		}
	}
}

func TestReadyAsksTheStoreNoOftenerThanItIsTold(t *testing.T) {
	asked := 0
	s := newSite(t, func(c *web.Config) {
		c.ReadyEvery = time.Hour
		c.Probes = []web.Probe{{Name: "store", Check: func(context.Context) error { asked++; return nil }}}
	})
	for range 5 {
		if got := s.as("", "GET", "/readyz", ""); got.status != 200 || !strings.Contains(got.body, `"ready":true`) {
			t.Errorf("readyz is %d: %s", got.status, got.body)
		}
	}
	if asked != 1 {
		t.Errorf("it was asked %d times", asked)
	}
}

func TestMetricsTellOfJobsQueuesFailuresAndRequests(t *testing.T) {
	registry := prometheus.NewRegistry()
	observe := web.ObserveSegments(registry)
	observe(pipeline.Event{Stage: pipeline.Converting, SegmentDone: true, Seconds: 3, Frames: 100})
	observe(pipeline.Event{Stage: pipeline.Converting, SegmentDone: true, Kept: true, Frames: 100})
	s := newSite(t, withPassword(t), func(c *web.Config) { c.Metrics = registry })
	admin := s.token("root", true, time.Time{})
	s.addJob(job.Completed, nil)
	s.addJob(job.Failed, func(j *job.Job) { j.Reason = "film.mkv is cut off at about 50 %: copy it again" })
	live := s.addJob(job.ChunkingComplete, nil)
	now := time.Now()
	if err := s.platform.Progress.Report(t.Context(), live.ID, platform.SegmentProgress{Frames: 50, Started: now.Add(-10 * time.Second), Updated: now}); err != nil {
		t.Fatal(err)
	}
	if err := s.platform.Queues[platform.ChunkingQueue].Send(t.Context(), 0, []byte("x")); err != nil {
		t.Fatal(err)
	}
	s.as(admin, "GET", "/api/v1/jobs/"+live.ID, "")
	got := s.as(admin, "GET", "/metrics", "")
	for _, want := range []string{
		`stereospot_jobs{status="completed"} 1`, `stereospot_jobs{status="created"} 0`, `stereospot_failed_jobs{reason="cut_off"} 1`,
		`stereospot_queue_messages{queue="chunking",state="visible"} 1`, `stereospot_queue_oldest_seconds{queue="chunking"}`,
		`stereospot_dead_letters{queue="chunking"} 0`, "stereospot_frames_per_second 5", "stereospot_segment_seconds_sum 3", "stereospot_frames_total 100",
		`stereospot_http_request_seconds_count{method="GET",route="/api/v1/jobs/{id}",status="200"} 1`,
	} {
		if got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if got := s.as(s.token("ann", false, time.Time{}), "GET", "/metrics", ""); got.status != 403 {
		t.Errorf("an owner got %d", got.status)
	}
}

func TestWebhookIsToldOfACancelledJob(t *testing.T) {
	told := make(chan webhook.Body, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b webhook.Body
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			t.Error(err)
		}
		told <- b
	}))
	defer receiver.Close()
	s := newSite(t, func(c *web.Config) { c.PrivateWebhooks = true })
	var made web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4", "webhook": "ftp://x"}, 422, nil)
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4", "webhook": receiver.URL}, 201, &made)
	s.call("POST", "/api/v1/jobs/"+made.ID+"/cancel", nil, 200, nil)
	select {
	case b := <-told:
		if b.Event != "job.cancelled" || b.Job.ID != made.ID {
			t.Errorf("told %+v", b)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing was told")
	}
}

func TestDeadLettersAreListedSentAgainAndDropped(t *testing.T) {
	s := newSite(t)
	q := s.platform.Queues[platform.ReassemblyQueue]
	if err := q.Send(t.Context(), 0, []byte(`{"job_id":"x"}`)); err != nil {
		t.Fatal(err)
	}
	die := func() {
		for range platform.MaxReceives + 1 {
			list, err := q.Receive(t.Context(), 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				if err := q.Extend(t.Context(), m.Handle, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	die()
	var list struct {
		Letters []web.DeadLetter `json:"dead_letters"`
	}
	s.call("GET", "/api/v1/dead-letters", nil, 200, &list)
	if len(list.Letters) != 1 || list.Letters[0].Queue != platform.ReassemblyQueue || list.Letters[0].Body != `{"job_id":"x"}` {
		t.Fatalf("listed %+v", list)
	}
	var count struct{ Count int }
	for _, action := range []string{"redrive", "purge"} {
		if s.call("POST", "/api/v1/queues/reassembly/dead-letters/"+action, nil, 200, &count); count.Count != 1 {
			t.Errorf("%s: %d", action, count.Count)
		}
		die()
	}
	s.call("POST", "/api/v1/queues/odd/dead-letters/purge", nil, 422, nil)
}

func TestDocumentationNeedsNothingFromElsewhere(t *testing.T) {
	s := newSite(t)
	page := s.get("/docs", false, 200)
	for _, want := range []string{"create-job", "/api/v1/jobs/{id}/upload/complete", "stereo.divergence", "For: job owner"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	doc, err := html.Parse(bytes.NewReader([]byte(page)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
			t.Errorf("<%s> within the page", n.Data)
		}
		for _, a := range n.Attr {
			if (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") || a.Key == "style" {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	var spec struct{ OpenAPI string }
	s.call("GET", "/openapi.json", nil, 200, &spec)
	if spec.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %q", spec.OpenAPI)
	}
}
