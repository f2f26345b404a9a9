package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx"
)

// Loader settles which depth source is meant, and keeps the models that were opened. Safe for concurrent use.
type Loader struct {
	Store  *Store
	Config onnx.Config
	Paths  bool // models may be named by path

	mu   sync.Mutex
	open map[string]*onnx.Model // by content and spec
}

// Choice is a depth source that was settled on.
type Choice struct {
	Options job.DepthOptions
	Why     string // for people; empty where they chose themselves
	// Hindered says why the best model that is installed can't be used; nil where none is, or it can.
	Hindered error
}

// Choose settles a choice: "auto" becomes the best that is here, and a model gets its content. The error says what can
// be done.
func (l *Loader) Choose(d job.DepthOptions) (Choice, error) {
	if d.Model == job.Classic {
		return Choice{Options: d}, nil
	}
	if d.Model == job.AutoDepth {
		return l.best(d)
	}
	m, err := l.Store.Find(d.Model, l.Paths)
	if err != nil {
		return Choice{}, err
	}
	return l.named(d, m)
}

// named completes the choice of a model.
func (l *Loader) named(d job.DepthOptions, m Installed) (Choice, error) {
	content, err := l.Store.Content(m)
	if err != nil {
		return Choice{}, err
	}
	if d.Content != "" && d.Content != content {
		return Choice{}, fmt.Errorf("depth model %s here has SHA-256 %s, not %s", m.Name, content, d.Content)
	}
	d.Model, d.Content = m.Name, content
	return Choice{Options: d}, nil
}

// better is the way to better depth than classic's.
const better = "`stereospot models pull " + Recommended + "` gives far better depth"

// best chooses among what is here.
func (l *Loader) best(d job.DepthOptions) (Choice, error) {
	all, err := l.Store.Installed()
	if err != nil {
		return Choice{}, err
	}
	none := "no model is installed: " + better
	if len(all) > 0 {
		none = fmt.Sprintf("a model of your own is used where it is named, as by --depth %s; %s", all[0].Name, better)
	}
	classic := Choice{Options: job.DepthOptions{Model: job.Classic}, Why: none}
	if d != (job.DepthOptions{Model: job.AutoDepth}) {
		if len(all) == 0 || all[0].Rank == 0 {
			return Choice{}, errors.New("a size, every, flip (--tta) or orientation of depth needs a neural model: " + none)
		}
	}
	if len(all) == 0 || all[0].Rank == 0 {
		return classic, nil
	}
	if _, err := onnx.Runtime(l.Config.Library); err != nil {
		if d != (job.DepthOptions{Model: job.AutoDepth}) {
			return Choice{}, err
		}
		classic.Why, classic.Hindered = fmt.Sprintf("%s is installed, but can't run: %v", all[0].Name, err), err
		return classic, nil
	}
	c, err := l.named(d, all[0])
	c.Why = "the best model installed"
	if slices.ContainsFunc(Registry(), func(m Model) bool { return m.Rank > all[0].Rank }) {
		c.Why += "; `stereospot models list` shows better ones"
	}
	return c, err
}

// Resolve is Choose without the reasons.
func (l *Loader) Resolve(d job.DepthOptions) (job.DepthOptions, error) {
	c, err := l.Choose(d)
	return c.Options, err
}

// Names returns the models that are here, the best first.
func (l *Loader) Names() ([]string, error) {
	all, err := l.Store.Installed()
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	return names, err
}

// Open returns the model that was chosen, ready to run. It stays open until Close.
func (l *Loader) Open(_ context.Context, d job.DepthOptions) (depth.Net, error) { return l.Load(d) }

// Load is Open with the model's own type, which says what computes it.
func (l *Loader) Load(d job.DepthOptions) (*onnx.Model, error) {
	m, err := l.Store.Find(d.Model, l.Paths)
	if err != nil {
		return nil, err
	}
	c, err := l.named(d, m)
	if err != nil {
		return nil, err
	}
	spec, err := m.Spec()
	if err != nil {
		return nil, err
	}
	if d.Orientation != job.AutoOrientation {
		spec.Metric = d.Orientation == job.LargerIsFar
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := fmt.Sprint(c.Options.Content, spec)
	if net, ok := l.open[key]; ok {
		return net, nil
	}
	net, err := onnx.Open(m.Path, spec, l.Config)
	if err != nil {
		return nil, l.damaged(m, err)
	}
	if l.open == nil {
		l.open = map[string]*onnx.Model{}
	}
	l.open[key] = net
	return net, nil
}

// damaged returns why a model can't be opened: that its file isn't the one that is known, if so.
func (l *Loader) damaged(m Installed, err error) error {
	if !Known(m.Name) || errors.Is(err, onnx.ErrUnavailable) {
		return err
	}
	if other := l.Store.Verify(m); other != nil {
		return other
	}
	return err
}

// Close frees the models. None of them may be in use.
func (l *Loader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, m := range l.open {
		errs = append(errs, m.Close())
	}
	l.open = nil
	return errors.Join(errs...)
}
