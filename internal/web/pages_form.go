package web

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// formOptions turns the option fields of the start form into a patch. A field's name is its path in the options;
// an empty field is left out.
func formOptions(form url.Values) (optionsPatch, error) {
	patch := map[string]any{}
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
		set(patch, strings.Split(name, "."), v)
	}
	return json.Marshal(patch)
}

// formField returns how a field's text is read.
func formField(name string) (read func(string) (any, error), known bool) {
	switch name {
	case "format", "preset", "depth.model", "stereo.eyes", "stereo.anaglyph", "encode.codec", "encode.preset", "encode.container":
		return func(s string) (any, error) { return s, nil }, true
	case "stereo.auto_convergence", "stereo.floating_window":
		return func(s string) (any, error) { return s == "on", nil }, true
	case "stereo.divergence", "stereo.convergence", "stereo.foreground_scale", "stereo.max_near", "stereo.max_far", "stereo.edge_dilation":
		return func(s string) (any, error) { return strconv.ParseFloat(s, 64) }, true
	case "encode.crf", "encode.height":
		return func(s string) (any, error) { return strconv.Atoi(s) }, true
	case "start", "duration":
		return func(s string) (any, error) { return formSeconds(s) }, true
	}
	return nil, false
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
