package web_test

import (
	"slices"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/stereospot/stereospot/internal/web"
)

func TestRequestsAreTracedByRouteAndStreamsStillFlow(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	s := newSite(t, func(c *web.Config) { c.Traces = trace.NewTracerProvider(trace.WithSpanProcessor(spans)) })
	var made web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, &made)
	s.call("GET", "/api/v1/jobs/"+made.ID, nil, 200, nil)
	if j, _ := s.watch("/api/v1/events", "").job(); j.ID != made.ID {
		t.Errorf("watched %+v", j)
	}
	var names []string
	for _, span := range spans.Ended() {
		names = append(names, span.Name())
	}
	if !slices.Contains(names, "GET /api/v1/jobs/{id}") {
		t.Errorf("spans are named %q", names)
	}
}
