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
	mu      sync.Mutex
	known   map[string]knownRow
	looking map[string]chan struct{} // jobs that somebody here reads just now; closed when that is done
}

type knownRow struct {
	job      job.Job
	seen     time.Time
	pictured bool // the job has its thumbnail, or somebody here makes it
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

// picture says whether a job has its thumbnail or somebody here makes it, and returns what was said before. Nothing is
// remembered of jobs that aren't.
func (r *rows) picture(id string, has bool) (had bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok := r.known[id]
	had = row.pictured
	if row.pictured = has; ok {
		r.known[id] = row
	}
	return had
}

// look says that a job is about to be read, unless somebody reads it already: then it returns what is closed at the end
// of that.
func (r *rows) look(id string) (others chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if others = r.looking[id]; others == nil {
		if r.looking == nil {
			r.looking = map[string]chan struct{}{}
		}
		r.looking[id] = make(chan struct{})
	}
	return others
}

// looked ends what look began.
func (r *rows) looked(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.looking[id])
	delete(r.looking, id)
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

// lively is live of a row that is up to age old. Those who look at the same time share one look.
func (p *Pipeline) lively(ctx context.Context, id string, age time.Duration, want ...job.Status) (job.Job, error) {
	if p.Pulse <= 0 {
		return p.live(ctx, id, want...)
	}
	if j, ok := p.known(id, age, want); ok {
		return j, nil
	}
	others := p.rows.look(id)
	if others == nil {
		defer p.rows.looked(id)
		return p.live(ctx, id, want...)
	}
	select {
	case <-others:
	case <-ctx.Done():
		return job.Job{}, context.Cause(ctx)
	}
	if j, ok := p.known(id, age, want); ok {
		return j, nil
	}
	return p.live(ctx, id, want...)
}

// known returns a row that is up to age old if its status is one of want.
func (p *Pipeline) known(id string, age time.Duration, want []job.Status) (job.Job, bool) {
	row, ok := p.rows.get(id)
	return row.job, ok && p.within(row.seen, age) && slices.Contains(want, row.job.Status)
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
