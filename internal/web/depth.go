package web

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/job"
)

// DepthSources are the depth sources of those who convert for a server.
type DepthSources interface {
	// Resolve settles a choice: "auto" becomes the best that is there, and a model gets its content. The error says what
	// is there.
	Resolve(d job.DepthOptions) (job.DepthOptions, error)
	// Names returns the models that are there, the best first.
	Names() ([]string, error)
}

// previewDepth returns where the depth of a preview comes from, and says so where that isn't where the film's comes from:
// without models of its own a server has classic alone.
func (s *Server) previewDepth(film job.DepthOptions) (d job.DepthOptions, note string) {
	if film.Model == job.Classic || s.Models != nil {
		return film, ""
	}
	return job.DepthOptions{Model: job.Classic}, "The preview's depth is classic's; the film gets " + film.Model + "."
}

// resolveDepth settles the depth source of options.
func (s *Server) resolveDepth(o *job.Options) error {
	if s.Depth == nil {
		if o.Depth.Model == job.AutoDepth {
			o.Depth = job.DepthOptions{Model: job.Classic}
		}
		return nil
	}
	resolved, err := s.Depth.Resolve(o.Depth)
	if err != nil {
		return huma.Error422UnprocessableEntity("options: " + err.Error())
	}
	o.Depth = resolved
	return nil
}

// renamesDepth reports whether a patch of options names a depth source: what was chosen about another one counts no more.
func renamesDepth(patch []byte) bool {
	var named struct {
		Depth struct {
			Model *string `json:"model"`
		} `json:"depth"`
	}
	return json.Unmarshal(patch, &named) == nil && named.Depth.Model != nil
}

// depthChoice is a depth source that the page offers.
type depthChoice struct {
	Source, Name string
	Chosen       bool
}

// depthChoices are the depth sources that the page offers, chosen's marked.
func (s *Server) depthChoices(chosen string) ([]depthChoice, error) {
	choices := []depthChoice{{Source: job.AutoDepth, Name: "The best that is here"}}
	if s.Depth != nil {
		names, err := s.Depth.Names()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			choices = append(choices, depthChoice{Source: name, Name: name})
		}
	}
	choices = append(choices, depthChoice{Source: job.Classic, Name: "Classic: no neural network"})
	for i := range choices {
		choices[i].Chosen = choices[i].Source == chosen
	}
	return choices, nil
}
