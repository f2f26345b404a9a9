package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/web"
)

// oneModel is a server with one model, called fine.
type oneModel struct{}

func (oneModel) Open(context.Context, job.DepthOptions) (depth.Net, error) {
	return nil, errors.New("not opened here")
}

func (oneModel) Names() ([]string, error) { return []string{"fine"}, nil }

func (oneModel) Resolve(d job.DepthOptions) (job.DepthOptions, error) {
	switch d.Model {
	case job.Classic:
		return d, nil
	case job.AutoDepth, "fine":
		d.Model, d.Content = "fine", "c0ffee"
		return d, nil
	}
	return d, errors.New("use fine or classic")
}

func TestDepthSourceIsSettledWhenItIsChosen(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.Depth = oneModel{} })
	var made web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, &made)
	if want := (job.DepthOptions{Model: "fine", Content: "c0ffee"}); made.Options.Depth != want {
		t.Errorf("by default %+v, want %+v", made.Options.Depth, want)
	}
	change := func(d map[string]any, want job.DepthOptions) {
		t.Helper()
		var changed web.Job
		s.call("PATCH", "/api/v1/jobs/"+made.ID, map[string]any{"options": map[string]any{"depth": d}}, 200, &changed)
		if changed.Options.Depth != want {
			t.Errorf("%v makes %+v, want %+v", d, changed.Options.Depth, want)
		}
	}
	change(map[string]any{"every": 3}, job.DepthOptions{Model: "fine", Content: "c0ffee", Every: 3})
	change(map[string]any{"model": "classic"}, job.DepthOptions{Model: job.Classic})
	change(map[string]any{"model": "fine", "flip": true}, job.DepthOptions{Model: "fine", Content: "c0ffee", Flip: true})
	var problem struct{ Detail string }
	s.call("PATCH", "/api/v1/jobs/"+made.ID, map[string]any{"options": map[string]any{"depth": map[string]any{"model": "/etc/passwd"}}}, 422, &problem)
	if !strings.Contains(problem.Detail, "use fine") {
		t.Errorf("a model that isn't here: %s", problem.Detail)
	}
}

func TestPageOffersTheModelsThatAreHere(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.Depth = oneModel{} })
	resp, err := http.Get(s.URL + "/jobs/new")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<option value="auto" selected>`, `<option value="fine">`, `<option value="classic">`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page for a new film lacks %s", want)
		}
	}
}
