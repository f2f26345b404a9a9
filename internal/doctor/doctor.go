// Package doctor looks for what keeps StereoSpot from working on a machine, and says what to do about it.
package doctor

import (
	"context"
	"time"

	"github.com/stereospot/stereospot/internal/models"
)

// State is what a check found.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, but not for long or not for everything
	Fail State = "fail" // it doesn't work
)

// Check is one finding.
type Check struct {
	Name   string `json:"check"`
	State  State  `json:"state"`
	Detail string `json:"detail"`           // what was found
	Advice string `json:"advice,omitempty"` // what to do; empty for OK
}

// Patient is what is looked at.
type Patient struct {
	Version string // of this program, for people
	DataDir string // may not exist yet
	MinFree int64  // bytes of its disk below which serve takes no work on
	Addr    string // host:port that serve listens on
	Now     func() time.Time
	Models  *models.Loader // nil leaves depth out
}

// Examine runs every check. The order is that in which to mend things.
func Examine(ctx context.Context, p Patient) []Check {
	checks := []Check{{Name: "program", State: OK, Detail: p.Version}}
	checks = append(checks, tools(ctx)...)
	checks = append(checks, depth(p.Models)...)
	checks = append(checks, directory(p.DataDir), space(p), temporary())
	checks = append(checks, database(ctx, p)...)
	return append(checks, address(ctx, p.Addr))
}

// Healthy reports whether no check failed.
func Healthy(checks []Check) bool {
	for _, c := range checks {
		if c.State == Fail {
			return false
		}
	}
	return true
}
