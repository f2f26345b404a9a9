package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Variable is an environment variable that a service reads.
type Variable struct {
	Name     string
	Help     string
	Default  string // empty: none
	Required bool   // on AWS
	Unused   bool   // on AWS
	Secret   bool   // its value is for nobody's eyes
}

// services are the roles that a deployment on AWS consists of, by the names of their commands.
func services() map[string]any {
	return map[string]any{"web-ui": &WebUI{}, "media-worker": &MediaWorker{}, "video-worker": &VideoWorker{}, "inference": &InferenceService{}}
}

// Services returns the services of a deployment on AWS, by name.
func Services() []string { return slices.Sorted(maps.Keys(services())) }

// Variables returns what a service reads from its environment, in the order of its flags. What the SDK, OpenTelemetry
// and ECS read of their own is not among it.
func Variables(service string) ([]Variable, error) {
	role, ok := services()[service]
	if !ok {
		return nil, fmt.Errorf("there is no service %q", service)
	}
	var list []Variable
	for _, s := range settings(role) {
		list = append(list, s.Variable)
	}
	return list, nil
}

// setting is a variable with what it was given.
type setting struct {
	Variable
	value string
}

// settings reads the tags of a pointer to a struct, and of those embedded in it.
func settings(of any) []setting {
	v := reflect.ValueOf(of).Elem()
	var list []setting
	for _, f := range reflect.VisibleFields(v.Type()) {
		name := f.Tag.Get("env")
		if f.Anonymous || name == "" {
			continue
		}
		list = append(list, setting{
			Variable: Variable{
				Name: name, Help: strings.ReplaceAll(f.Tag.Get("help"), "${enum}", f.Tag.Get("enum")), Default: f.Tag.Get("default"),
				Required: f.Tag.Get("aws") == "required", Unused: f.Tag.Get("aws") == "unused", Secret: f.Tag.Get("kong") == "-",
			},
			value: fmt.Sprint(v.FieldByIndex(f.Index).Interface()),
		})
	}
	return list
}
