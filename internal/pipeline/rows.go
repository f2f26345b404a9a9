package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// rows remembers jobs as this process saw them last, so that the segments of one job that are under way here needn't
// each ask for it. What was remembered only ever lets work begin or go on: that a job is gone, or has ended, is
// believed of a fresh row alone, and every write is conditional anyway.
type rows struct {
	mu    sync.Mutex
	known map[string]knownRow
}

type knownRow struct {
	job      job.Job
	seen     time.Time
	pictured bool // the job has its thumbnail
}

// maxRows bounds what is remembered. Segments of one job mostly come together.
const maxRows = 256

// keep remembers a row, unless a newer one is known.
func (r *rows) keep(j job.Job, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.known[j.ID]
	if j.Version < before.job.Version {
		return
	}
	if len(r.known) >= maxRows || r.known == nil {
		r.known = map[string]knownRow{}
	}
	r.known[j.ID] = knownRow{job: j, seen: now, pictured: before.pictured}
}

func (r *rows) get(id string) (knownRow, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok := r.known[id]
	return row, ok
}

// picture remembers that a job has its thumbnail.
func (r *rows) picture(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if row, ok := r.known[id]; ok {
		row.pictured = true
		r.known[id] = row
	}
}

// remember keeps a row that was just read or written, where rows are used at all.
func (p *Pipeline) remember(j job.Job) {
	if p.Pulse > 0 {
		p.rows.keep(j, p.Now())
	}
}

// live returns the job if its status is one of want.
func (p *Pipeline) live(ctx context.Context, id string, want ...job.Status) (job.Job, error) {
	j, err := p.Jobs.Get(ctx, id)
	if err == nil {
		p.remember(j)
	}
	return alive(j, err, want)
}

// lively is live of a row that is up to age old.
func (p *Pipeline) lively(ctx context.Context, id string, age time.Duration, want ...job.Status) (job.Job, error) {
	row, ok := p.rows.get(id)
	if ok && p.within(row.seen, age) && slices.Contains(want, row.job.Status) {
		return row.job, nil
	}
	return p.live(ctx, id, want...)
}

// alive turns what a store said of a job into ErrDead where nobody wants the work any more.
func alive(j job.Job, err error, want []job.Status) (job.Job, error) {
	if errors.Is(err, platform.ErrNotFound) {
		return j, dead("no such job")
	}
	if err == nil && !slices.Contains(want, j.Status) {
		return j, dead("it is " + string(j.Status))
	}
	return j, err
}
