package models

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
)

// Catalog are the models of a service elsewhere: their names and contents are known here, their files aren't. It settles
// depth sources as a Loader does there. Safe for concurrent use.
type Catalog struct{ models []Model } // one at least, the best first, each with its content

// NewCatalog reads a list of models, the best first, each as NAME or, where the registry doesn't know its content, as
// NAME=SHA256.
func NewCatalog(registry []Model, entries []string) (*Catalog, error) {
	list, err := parseEntries(registry, entries, func(m Model) error {
		if m.Content() == "" {
			return fmt.Errorf("the SHA-256 of %s isn't known here: write %s=SHA256", m.Name, m.Name)
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = errors.New("no model is named")
	}
	if err != nil {
		return nil, err
	}
	return &Catalog{list}, nil
}

// Resolve settles a choice: "auto" becomes the first model, and a model gets its content. The error says what there is.
func (c *Catalog) Resolve(d job.DepthOptions) (job.DepthOptions, error) {
	if d.Model == job.Classic {
		return d, nil
	}
	if d.Model == job.AutoDepth {
		d.Model = c.models[0].Name
	}
	m, ok := find(c.models, d.Model)
	if !ok {
		return d, fmt.Errorf("unknown depth source %q: use %s", d.Model, strings.Join(append([]string{job.Classic}, names(c.models)...), " or "))
	}
	content := m.Content()
	if d.Content != "" && d.Content != content {
		return d, fmt.Errorf("depth model %s has SHA-256 %s where films are converted, not %s", m.Name, content, d.Content)
	}
	d.Content = content
	return d, nil
}

// Names returns the models, the best first.
func (c *Catalog) Names() ([]string, error) { return names(c.models), nil }
