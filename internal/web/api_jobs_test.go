package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/web"
)

func TestJobIsMadeWithDefaultsShownChangedStartedAndCancelled(t *testing.T) {
	s := newSite(t)
	var made, shown web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "Nosferatu.mkv", "size": 1000, "options": map[string]any{"format": "half-tb", "stereo": map[string]any{"divergence": 3}}}, 201, &made)
	want := job.DefaultOptions()
	want.Format, want.Stereo.Divergence = job.HalfTB, 3
	if made.Options != want || made.FileName != "Nosferatu_TB.mp4" || made.Stage != web.StageUploading || made.Owner != "local" {
		t.Errorf("made %+v", made)
	}
	s.call("GET", "/api/v1/jobs/"+made.ID, nil, 200, &shown)
	if shown.Title != "Nosferatu.mkv" || shown.Upload == nil || shown.Upload.Size != 1000 {
		t.Errorf("shown %+v", shown)
	}
	s.call("PATCH", "/api/v1/jobs/"+made.ID, map[string]any{"options": map[string]any{"stereo": map[string]any{"convergence": 0.25}}}, 200, &shown)
	want.Stereo.Convergence = 0.25
	if shown.Options != want {
		t.Errorf("changed to %+v, want %+v", shown.Options, want)
	}
	s.call("POST", "/api/v1/jobs/"+made.ID+"/start", nil, 200, &shown)
	if shown.StartedAt == nil || slices.Contains(shown.Actions, web.ActionStart) {
		t.Errorf("started %+v", shown)
	}
	s.call("PATCH", "/api/v1/jobs/"+made.ID, map[string]any{"title": "x"}, 409, nil)
	s.call("POST", "/api/v1/jobs/"+made.ID+"/cancel", nil, 200, &shown)
	if shown.Status != job.Cancelled || !slices.Contains(shown.Actions, web.ActionRetry) {
		t.Errorf("cancelled %+v", shown)
	}
}

func TestBadRequestsAreRefusedWithWhatToDo(t *testing.T) {
	s := newSite(t)
	var made web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, &made)
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		says         string
	}{
		{"POST", "/api/v1/jobs", map[string]any{}, 422, "title"},
		{"POST", "/api/v1/jobs", map[string]any{"title": " \n "}, 422, "title"},
		{"POST", "/api/v1/jobs", map[string]any{"title": strings.Repeat("a", 400)}, 422, "300 bytes"},
		{"POST", "/api/v1/jobs", map[string]any{"title": "a", "surprise": 1}, 422, "surprise"},
		{"POST", "/api/v1/jobs", map[string]any{"title": "a", "size": int64(1) << 60}, 422, "up to"},
		{"POST", "/api/v1/jobs", map[string]any{"title": "a", "options": map[string]any{"depth": map[string]any{"model": "tarot"}}}, 422, "classic"},
		{"POST", "/api/v1/jobs", map[string]any{"title": "a", "options": map[string]any{"format": "9d"}}, 422, "use one of full-sbs"},
		{"POST", "/api/v1/jobs", map[string]any{"title": "a", "options": map[string]any{"stereo": map[string]any{"depth": 1}}}, 422, "depth"},
		{"POST", "/api/v1/jobs", map[string]any{"title": "a", "options": map[string]any{"stereo": map[string]any{"divergence": 11}}}, 422, "from 0 to 10"},
		{"POST", "/api/v1/jobs", []int{1}, 422, "object"},
		{"POST", "/api/v1/jobs", map[string]any{"title": strings.Repeat("a", 2<<20)}, http.StatusRequestEntityTooLarge, "large"},
		{"GET", "/api/v1/jobs?state=odd", nil, 422, "state"},
		{"GET", "/api/v1/jobs?limit=1001", nil, 422, "limit"},
		{"GET", "/api/v1/jobs?token=odd", nil, 400, "next"},
		{"GET", "/api/v1/jobs?odd=1", nil, 422, "odd"},
		{"GET", "/api/v1/jobs/x", nil, 404, "look at the list"},
		{"GET", "/api/v1/jobs/00000000-0000-7000-8000-000000000000", nil, 404, "look at the list"},
	} {
		var problem struct{ Detail string }
		s.call(c.method, c.path, c.body, c.status, &problem)
		if !strings.Contains(problem.Detail, c.says) {
			t.Errorf("%s %s says %q, want it to name %q", c.method, c.path, problem.Detail, c.says)
		}
	}
}
