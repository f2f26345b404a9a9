package doctor

import (
	"errors"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/models"
)

// depth checks where depth comes from when nobody chooses.
func depth(l *models.Loader) []Check {
	if l == nil {
		return nil
	}
	c := Check{Name: "depth", State: OK}
	best, err := l.Choose(job.DepthOptions{Model: job.AutoDepth})
	switch {
	case err != nil:
		c.State, c.Detail, c.Advice = Fail, err.Error(), "mend the models' directory, or name another with --models-dir"
	case best.Hindered != nil:
		c.State = Warn
		c.Detail, c.Advice, _ = strings.Cut(best.Why, ": ")
	case best.Options.Model == job.Classic:
		c.Detail = job.Classic + "; " + best.Why
	default:
		c.Detail = best.Options.Model + ", " + best.Why
		if err := whole(l, best.Options.Model); err != nil {
			c.State = Warn
			c.Detail, c.Advice, _ = strings.Cut(err.Error(), "; ")
		}
	}
	return []Check{c}
}

// whole returns what is wrong with an installed model's files, as far as it is known how they should be. They have been
// read for the choice.
func whole(l *models.Loader, name string) error {
	m, err := l.Store.Find(name, false)
	if err == nil {
		err = l.Store.Verify(m)
	}
	if errors.Is(err, models.ErrUnknown) {
		return nil
	}
	return err
}
