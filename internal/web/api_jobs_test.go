package web_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestStrayRequestsToTheAPIAreProblemsToo(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/api/v1", "", 404}, {"GET", "/api/v1/films", "", 404}, {"POST", "/api/v1/films", "", 404}, {"BREW", "/api/v2/jobs", "", 404},
		{"GET", "/api/v1/jobs/", "", 404}, {"PUT", "/api/v1/jobs", "GET, HEAD, POST", 405}, {"POST", "/api/v1/jobs/x", "DELETE, GET, HEAD, PATCH", 405}, {"GET", "/api/v1/jobs/x/retry", "POST", 405},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var problem struct {
			Status        int
			Title, Detail string
		}
		err = json.NewDecoder(res.Body).Decode(&problem)
		if err != nil || res.StatusCode != c.status || problem.Status != c.status || problem.Detail == "" ||
			res.Header.Get("Allow") != c.allow || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %v %+v, %v; want %d, Allow: %s", c.method, c.path, res.StatusCode, res.Header, problem, err, c.status, c.allow)
		}
	}
}

func TestJobThatIsMadeTwiceWithOneKeyIsOne(t *testing.T) {
	s := newSite(t)
	key := job.NewID(time.Now())
	post := func(key string, status int) (made web.Job) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/jobs", strings.NewReader(`{"title":"a.mkv"}`))
		if err != nil {
			t.Error(err)
			return made
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
		res, err := s.Client().Do(req)
		if err != nil {
			t.Error(err)
			return made
		}
		defer res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: %s, want %d", key, res.Status, status)
		} else if status == http.StatusCreated {
			err = json.NewDecoder(res.Body).Decode(&made)
		}
		if err != nil {
			t.Error(err)
		}
		return made
	}
	var posts sync.WaitGroup
	for range 4 {
		posts.Go(func() {
			if made := post(key, 201); made.ID != key {
				t.Errorf("%s was made by the key %s", made.ID, key)
			}
		})
	}
	posts.Wait()
	var list struct{ Jobs []web.Job }
	if s.call("GET", "/api/v1/jobs", nil, 200, &list); len(list.Jobs) != 1 || list.Jobs[0].ID != key {
		t.Errorf("%+v", list)
	}
	post("mine", 422)
	theirs := job.Job{ID: job.NewID(time.Now()), Owner: "somebody", Title: "b", Status: job.Created, Options: job.DefaultOptions(), CreatedAt: time.Now(), UpdatedAt: time.Now()}
	s.create(theirs)
	post(theirs.ID, 409)
}
