package web

import (
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/job"
)

// formOptions turns the option fields of the start form, which was made for a job with the options had, into a patch. A
// field's name is its path in the options; an empty field is left out.
func formOptions(form url.Values, had job.Options) (optionsPatch, error) {
	patch := map[string]any{}
	stale := formPreset(form, had.Stereo)
	if len(stale) > 0 {
		patch["preset"] = form.Get(presetField)
	}
	for name, values := range form {
		value := strings.TrimSpace(values[0])
		if value == "" {
			continue
		}
		read, known := formField(name)
		if !known {
			continue
		}
		v, err := read(value)
		if err != nil {
			return nil, huma.Error422UnprocessableEntity(name + " is " + strconv.Quote(value) + ": write a number")
		}
		if was, isStale := stale[name]; !isStale || was != v {
			set(patch, strings.Split(name, "."), v)
		}
	}
	if form.Has("format") { // all of the form: browsers leave out boxes that aren't ticked
		for _, name := range []string{"stereo.auto_convergence", "stereo.floating_window"} {
			if _, isStale := stale[name]; !isStale && !form.Has(name) {
				set(patch, strings.Split(name, "."), false)
			}
		}
	}
	return json.Marshal(patch)
}

// presetField names the strengths to choose from. The page's script writes a chosen one into the fields that it sets.
const presetField = "depth-preset"

// formPreset returns, where a person has chosen another preset and no script wrote it into the fields, what these held
// before: a field that still has its value is not meant.
func formPreset(form url.Values, had job.StereoOptions) (stale map[string]any) {
	p, err := job.ParsePreset(form.Get(presetField))
	if err != nil || p.Stereo(had) == had {
		return nil
	}
	return map[string]any{
		"stereo.divergence": had.Divergence, "stereo.convergence": had.Convergence, "stereo.auto_convergence": had.AutoConvergence,
		"stereo.max_near": had.MaxNear, "stereo.max_far": had.MaxFar, "stereo.floating_window": had.FloatingWindow,
	}
}

// formField returns how a field's text is read.
func formField(name string) (read func(string) (any, error), known bool) {
	switch name {
	case "format", "preset", "depth.model", "stereo.eyes", "stereo.anaglyph", "encode.codec", "encode.preset", "encode.container":
		return func(s string) (any, error) { return s, nil }, true
	case "stereo.auto_convergence", "stereo.floating_window":
		return func(s string) (any, error) { return s == "on", nil }, true
	case "stereo.divergence", "stereo.convergence", "stereo.foreground_scale", "stereo.max_near", "stereo.max_far", "stereo.edge_dilation":
		return func(s string) (any, error) { return finite(s) }, true
	case "encode.crf", "encode.height":
		return func(s string) (any, error) { return strconv.Atoi(s) }, true
	case "start", "duration":
		return func(s string) (any, error) { return formSeconds(s) }, true
	}
	return nil, false
}

// finite reads a number that JSON can hold.
func finite(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = strconv.ErrRange
	}
	return v, err
}

// set writes v at a path into nested maps.
func set(m map[string]any, path []string, v any) {
	for _, step := range path[:len(path)-1] {
		inner, ok := m[step].(map[string]any)
		if !ok {
			inner = map[string]any{}
			m[step] = inner
		}
		m = inner
	}
	m[path[len(path)-1]] = v
}
