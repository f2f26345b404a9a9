package web

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
)

// defaultOptions are what a person who chooses nothing gets, the depth source unsettled.
func defaultOptions() job.Options {
	o := job.DefaultOptions()
	o.Depth.Model = job.AutoDepth
	return o
}

// optionsPatch is job.Options with any field left out, and with the name of a preset, which what else it names goes
// before. It changes only what it names.
type optionsPatch json.RawMessage

// UnmarshalJSON keeps the text for apply.
func (p *optionsPatch) UnmarshalJSON(text []byte) error {
	*p = bytes.Clone(text)
	return nil
}

// Schema implements huma.SchemaProvider: job.Options, nothing of it required, and a preset.
func (optionsPatch) Schema(r huma.Registry) *huma.Schema {
	s := optional(r, huma.SchemaFromType(r, reflect.TypeFor[job.Options]()))
	preset := &huma.Schema{Type: huma.TypeString, Description: "Sets divergence, convergence, limits and floating window"}
	for _, p := range job.Presets() {
		preset.Enum = append(preset.Enum, string(p))
	}
	preset.PrecomputeMessages()
	s.Properties["preset"] = preset
	s.PrecomputeMessages()
	return s
}

// optional copies a schema, at every depth, without what it requires.
func optional(r huma.Registry, s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	relaxed := *s
	relaxed.Required = nil
	relaxed.Properties = make(map[string]*huma.Schema, len(s.Properties))
	for name, property := range s.Properties {
		if property.Ref != "" {
			property = optional(r, property)
		}
		relaxed.Properties[name] = property
	}
	relaxed.PrecomputeMessages()
	return &relaxed
}

// applyOptions returns base with what p names changed, if the whole is valid.
func (s *Server) applyOptions(base job.Options, p optionsPatch) (job.Options, error) {
	if len(p) > 0 {
		if renamesDepth(p) {
			base.Depth = job.DepthOptions{}
		}
		var err error
		if base, err = p.over(base); err != nil {
			return base, huma.Error422UnprocessableEntity("options: " + err.Error())
		}
	}
	if err := s.resolveDepth(&base); err != nil {
		return base, err
	}
	if err := clip.Validate(base); err != nil {
		return base, huma.Error422UnprocessableEntity("options: " + err.Error())
	}
	return base, nil
}

// over returns base with what p names changed: first by its preset, then by its fields.
func (p optionsPatch) over(base job.Options) (job.Options, error) {
	named := struct {
		Preset string `json:"preset"`
		job.Options
	}{Options: base}
	if err := json.Unmarshal(p, &struct{ Preset *string }{&named.Preset}); err != nil {
		return base, err
	}
	if named.Preset != "" {
		preset, err := job.ParsePreset(named.Preset)
		if err != nil {
			return base, err
		}
		named.Stereo = preset.Stereo(named.Stereo)
	}
	d := json.NewDecoder(bytes.NewReader(p))
	d.DisallowUnknownFields()
	err := d.Decode(&named)
	return named.Options, err
}
