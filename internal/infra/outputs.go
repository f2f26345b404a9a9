package infra

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Outputs are a Terraform project's outputs by name.
type Outputs map[string]Output

// Output is one of them.
type Output struct {
	Value     any  `json:"value"` // nil, bool, json.Number, string, []any or map[string]any
	Sensitive bool `json:"sensitive"`
}

// ReadOutputs reads what `terraform output -json` prints, or a state file. A project without outputs is an error: it has
// not been applied.
func ReadOutputs(r io.Reader) (Outputs, error) {
	var raw map[string]json.RawMessage
	if err := json.NewDecoder(r).Decode(&raw); err != nil {
		return nil, fmt.Errorf("this is no JSON of terraform output -json: %w", err)
	}
	if _, state := raw["lineage"]; state {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(raw["outputs"], &inner); err != nil {
			return nil, fmt.Errorf("this state file has no outputs: %w", err)
		}
		raw = inner
	}
	if len(raw) == 0 {
		return nil, errors.New("there are no outputs: run terraform-apply first")
	}
	outputs := Outputs{}
	for name, text := range raw {
		var o Output
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&o); err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
		outputs[name] = o
	}
	return outputs, nil
}

// Env returns the outputs as environment variables: names in upper case, a map's entries as NAME_KEY, a list joined by
// commas. Sensitive outputs, nulls and empty texts are left out.
func (o Outputs) Env() (Env, error) {
	env := Env{}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if o[name].Sensitive {
			continue
		}
		if err := env.add(name, o[name].Value); err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
	}
	return env, nil
}

// add puts a value, or the entries of a map, under a name.
func (e Env) add(name string, value any) error {
	if entries, isMap := value.(map[string]any); isMap {
		for key, inner := range entries {
			if _, nested := inner.(map[string]any); nested {
				return fmt.Errorf("%s is a map in a map", key)
			}
			if err := e.add(name+"_"+key, inner); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := flat(value)
	if err != nil || text == "" {
		return err
	}
	variable := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_", "/", "_").Replace(name))
	if _, taken := e[variable]; taken {
		return fmt.Errorf("%s is set twice", variable)
	}
	e[variable] = text
	return nil
}

// flat writes a value that isn't a map as text.
func flat(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number, bool:
		return fmt.Sprint(v), nil
	case []any:
		var items []string
		for _, item := range v {
			text, err := flat(item)
			if err != nil {
				return "", err
			}
			if strings.Contains(text, ",") {
				return "", errors.New("an item of the list holds a comma")
			}
			items = append(items, text)
		}
		return strings.Join(items, ","), nil
	default:
		return "", fmt.Errorf("a value of type %T fits no environment variable", value)
	}
}
