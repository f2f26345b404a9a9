package web

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
)

// DepthSources are the depth sources that a server has.
type DepthSources interface {
	clip.Models
	// Resolve settles a choice: "auto" becomes the best that is here, and a model gets its content. The error says what
	// is here.
	Resolve(d job.DepthOptions) (job.DepthOptions, error)
	// Names returns the models that are here, the best first.
	Names() ([]string, error)
}

// autoDepth is the choice of the best source that is here.
const autoDepth = "auto"

// resolveDepth settles the depth source of options.
func (s *Server) resolveDepth(o *job.Options) error {
	if s.Depth == nil {
		if o.Depth.Model == autoDepth {
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

// depthChoices are the depth sources that the page offers.
func (s *Server) depthChoices() ([]string, error) {
	choices := []string{}
	if s.Depth != nil {
		names, err := s.Depth.Names()
		if err != nil {
			return nil, err
		}
		choices = names
	}
	return append(choices, job.Classic), nil
}
