package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/platform/local"
)

// database checks the rows: that they can be read, belong to this version, are whole, and lie in the past.
func database(ctx context.Context, p Patient) []Check {
	c := Check{Name: "database", State: OK}
	path := filepath.Join(p.DataDir, local.DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		c.Detail = "none yet"
		return []Check{c}
	}
	found, err := local.Inspect(ctx, p.DataDir)
	const damaged = "stop StereoSpot, keep a copy of the directory, and restore a backup (docs/serve.md)"
	switch {
	case err != nil:
		c.State, c.Detail, c.Advice = Fail, fmt.Sprintf("%s can't be read: %v", path, err), damaged
		return []Check{c}
	case len(found.Problems) > 0:
		c.State, c.Detail, c.Advice = Fail, fmt.Sprintf("%s is damaged: %s", path, strings.Join(found.Problems, "; ")), damaged
		return []Check{c}
	case found.Schema > found.KnownSchema:
		c.State, c.Detail = Fail, fmt.Sprintf("belongs to a newer StereoSpot (version %d, this one knows %d)", found.Schema, found.KnownSchema)
		c.Advice = "install the newer StereoSpot again"
	default:
		c.Detail = fmt.Sprintf("whole, version %d", found.Schema)
	}
	return []Check{c, clock(found.Newest, p.Now())}
}

// Times that a clock can't honestly show: before this program was written, or so long before its own data that no
// adjustment explains it.
const (
	patience = 2 * time.Minute
	epoch    = 1_767_225_600 // 2026-01-01, seconds since 1970
)

// clock compares the clock with the newest moment of the data.
func clock(newest, now time.Time) Check {
	c := Check{Name: "clock", State: OK, Detail: now.Format(time.RFC3339)}
	const advice = "set the clock (timedatectl set-ntp true); times ahead of it heal as they pass"
	switch {
	case now.Unix() < epoch:
		c.State, c.Detail, c.Advice = Fail, fmt.Sprintf("the clock shows %s", c.Detail), advice
	case newest.Sub(now) > patience:
		c.State, c.Advice = Fail, advice
		c.Detail = fmt.Sprintf("the clock shows %s, but there is data of %s", c.Detail, newest.In(now.Location()).Format(time.RFC3339))
	}
	return c
}
