package models

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Fetcher sees to it that models are here, however long the hub can't be reached. Run it once; the rest is safe for
// concurrent use.
type Fetcher struct {
	Store  *Store
	Models []Model // as Wanted returns them
	// Open returns the hub. It is called when something has to be fetched, and only then.
	Open func(ctx context.Context) (*Hub, error)
	Log  *slog.Logger

	mu         sync.Mutex
	name       string // of the model under way
	have, size int64
	trouble    error // why it doesn't go on at the moment
}

// Run returns nil when every model is here and verified. What is here already costs the hub no request. What fails for a
// reason that may pass is logged and tried again without end; the error is one that doesn't pass, on one line.
func (f *Fetcher) Run(ctx context.Context) error {
	var hub *Hub
	for _, m := range f.Models {
		f.set(m.Name, 0, 0, nil)
		if here, err := f.isHere(m); err != nil || here {
			if err != nil {
				return err
			}
			continue
		}
		if hub == nil {
			opened, err := f.Open(ctx)
			if err != nil {
				return err
			}
			patient := *opened
			patient.Retry, patient.Endless, hub = f.failed, true, &patient
		}
		if err := f.fetch(ctx, hub, m); err != nil {
			return err
		}
	}
	return nil
}

// isHere reports whether a model is here and what it should be. The error speaks of one that can't be fetched.
func (f *Fetcher) isHere(m Model) (bool, error) {
	if m.Repo == "" {
		return true, f.checkOwn(m)
	}
	path := f.Store.pathOf(m.Name)
	if isFile(path) && locked(m, path).SHA256 == "" {
		f.Log.Warn("a depth model was not fetched by stereospot: nothing is known to compare it with", "model", m.Name)
		return true, nil
	}
	return f.Store.whole(m)
}

// checkOwn returns nil for an operator's own model that is here with its content.
func (f *Fetcher) checkOwn(m Model) error {
	found, err := f.Store.Find(m.Name, false)
	if err != nil {
		return fmt.Errorf("model %s is in no registry, so its file has to be in %s: %w", m.Name, f.Store.Dir, err)
	}
	sum, err := f.Store.Content(found)
	if err == nil && sum != m.SHA256 {
		err = fmt.Errorf("model %s here has SHA-256 %s, not %s", m.Name, sum, m.SHA256)
	}
	return err
}

func (f *Fetcher) fetch(ctx context.Context, h *Hub, m Model) error {
	begin := time.Now()
	f.Log.Info("a depth model is fetched", "model", m.Name, "license", m.License)
	_, err := f.Store.Pull(ctx, h, m, func(have, size int64) { f.set(m.Name, have, size, nil) })
	if err == nil {
		f.Log.Info("a depth model is here", "model", m.Name, "took", time.Since(begin).Round(time.Millisecond).String())
	}
	return err
}

// failed hears of an attempt that will be repeated.
func (f *Fetcher) failed(err error, next time.Duration) {
	f.mu.Lock()
	f.trouble = err
	name := f.name
	f.mu.Unlock()
	f.Log.Warn("a depth model can't be fetched yet", "model", name, "error", err, "again_in", next.String())
}

func (f *Fetcher) set(name string, have, size int64, trouble error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.name, f.have, f.size, f.trouble = name, have, size, trouble
}

// State says what it is at, such as: fetching depth-anything-v2-small: 41 %.
func (f *Fetcher) State() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.name == "":
		return "starting"
	case f.size == 0 && f.trouble == nil:
		return "looking for " + f.name
	}
	state := "fetching " + f.name
	if f.size > 0 {
		state += fmt.Sprintf(": %d %%", 100*f.have/f.size)
	}
	if f.trouble != nil {
		state += fmt.Sprintf(" (%v)", f.trouble)
	}
	return state
}
