package models

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
)

// entryPattern is that of NAME and NAME=SHA256.
var entryPattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?:=([0-9a-f]{64}))?$`)

// parseEntry reads how a configuration names a model: NAME, or NAME=SHA256. What isn't in the registry has a name and a
// content alone.
func parseEntry(registry []Model, text string) (Model, error) {
	parts := entryPattern.FindStringSubmatch(text)
	if parts == nil || parts[1] == job.Classic || parts[1] == job.AutoDepth || isPath(parts[1]) {
		return Model{}, fmt.Errorf("%q names no model: use NAME, or NAME=SHA256 in lower-case hexadecimal", text)
	}
	name, sum := parts[1], parts[2]
	m, known := find(registry, name)
	if !known {
		return Model{Name: name, SHA256: sum}, nil
	}
	if content := m.Content(); sum != "" && content != "" && sum != content {
		return Model{}, fmt.Errorf("%s has SHA-256 %s, not %s", name, content, sum)
	}
	if sum != "" && m.Weights.File == "" { // of two files the registry knows both
		m.SHA256 = sum
	}
	return m, nil
}

// parseEntries reads a list of entries, each of which check may refuse. The error has a line for every problem.
func parseEntries(registry []Model, texts []string, check func(m Model) error) ([]Model, error) {
	var list []Model
	var errs []error
	for _, text := range texts {
		m, err := parseEntry(registry, text)
		if err == nil {
			err = check(m)
		}
		if _, twice := find(list, m.Name); err == nil && twice {
			err = fmt.Errorf("%s is named twice", m.Name)
		}
		list, errs = append(list, m), append(errs, err)
	}
	return list, errors.Join(errs...)
}

// Wanted reads the list of models that have to be here, each as NAME or, where the registry doesn't know its content, as
// NAME=SHA256. Licences that forbid commercial use have to be accepted. A model that isn't in the registry can't be
// fetched: its content must be told, and its file be here.
func Wanted(registry []Model, entries []string, acceptLicense bool) ([]Model, error) {
	return parseEntries(registry, entries, func(m Model) error {
		switch {
		case m.Repo == "" && m.SHA256 == "":
			return fmt.Errorf("unknown model %q: use %s", m.Name, strings.Join(names(registry), ", "))
		case m.NonCommercial && !acceptLicense:
			return fmt.Errorf("%s is licensed %s, which forbids commercial use: agree with --accept-license", m.Name, m.License)
		}
		return nil
	})
}

func names(list []Model) []string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.Name
	}
	return names
}
