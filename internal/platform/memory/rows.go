package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

type completions struct{ s *Store }

var _ platform.Completions = completions{}

// Record implements platform.Completions.
func (r completions) Record(_ context.Context, c platform.Completion) (job.Job, error) {
	r.s.Saw(Call{Method: "Completions.Record", On: c.JobID})
	rows := r.s.rows
	rows.mu.Lock()
	defer rows.mu.Unlock()
	j := rows.jobs.byID[c.JobID]
	if j == nil || j.Status == job.Deleting {
		return job.Job{}, fmt.Errorf("job %s: %w", c.JobID, platform.ErrNotFound)
	}
	if rows.completions[c.JobID] == nil {
		rows.completions[c.JobID] = map[int]platform.Completion{}
	}
	if _, recorded := rows.completions[c.JobID][c.Index]; !recorded {
		rows.completions[c.JobID][c.Index] = c
		j.CompletedSegments, j.UpdatedAt, j.Version = j.CompletedSegments+1, c.Completed, j.Version+1
	}
	return clone(*j), nil
}

// All implements platform.Completions.
func (r completions) All(_ context.Context, jobID string) ([]platform.Completion, error) {
	r.s.Saw(Call{Method: "Completions.All", On: jobID})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.s.rows.completions[jobID]), func(a, b platform.Completion) int { return a.Index - b.Index }), nil
}

// Forget implements platform.Completions.
func (r completions) Forget(_ context.Context, jobID string) error {
	r.s.Saw(Call{Method: "Completions.Forget", On: jobID, N: r.s.rows.count(func(t *rowSet) int { return len(t.completions[jobID]) })})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	delete(r.s.rows.completions, jobID)
	if j := r.s.rows.jobs.byID[jobID]; j != nil {
		j.CompletedSegments, j.Version = 0, j.Version+1
	}
	return nil
}

type progress struct{ s *Store }

var _ platform.Progress = progress{}

// Begin implements platform.Progress.
func (r progress) Begin(_ context.Context, jobID string, p platform.SegmentProgress, fresh time.Duration) (first bool, err error) {
	r.s.Saw(Call{Method: "Progress.Begin", On: jobID})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	last, begun := r.s.rows.progress[jobID][p.Index]
	if begun && p.Updated.Sub(last.Updated).Abs() < fresh {
		return false, fmt.Errorf("segment %d of job %s: %w", p.Index, jobID, platform.ErrLeaseHeld)
	}
	r.s.rows.report(jobID, p)
	return !begun, nil
}

// Report implements platform.Progress.
func (r progress) Report(_ context.Context, jobID string, p platform.SegmentProgress) error {
	r.s.Saw(Call{Method: "Progress.Report", On: jobID})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	r.s.rows.report(jobID, p)
	return nil
}

func (r *rowSet) report(jobID string, p platform.SegmentProgress) {
	if r.progress[jobID] == nil {
		r.progress[jobID] = map[int]platform.SegmentProgress{}
	}
	r.progress[jobID][p.Index] = p
}

// Of implements platform.Progress.
func (r progress) Of(_ context.Context, jobID string) ([]platform.SegmentProgress, error) {
	r.s.Saw(Call{Method: "Progress.Of", On: jobID})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	list := slices.SortedFunc(maps.Values(r.s.rows.progress[jobID]), func(a, b platform.SegmentProgress) int { return a.Index - b.Index })
	return slices.DeleteFunc(list, func(p platform.SegmentProgress) bool { return p.Updated.IsZero() }), nil
}

// Clear implements platform.Progress. A segment that was begun and isn't under way has the zero time.
func (r progress) Clear(_ context.Context, jobID string, segments ...int) error {
	call := Call{Method: "Progress.ClearSome", On: jobID, N: len(segments)}
	if len(segments) == 0 {
		call = Call{Method: "Progress.Clear", On: jobID, N: r.s.rows.count(func(t *rowSet) int { return len(t.progress[jobID]) })}
	}
	r.s.Saw(call)
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	if len(segments) == 0 {
		delete(r.s.rows.progress, jobID)
	}
	for _, index := range segments {
		r.s.rows.report(jobID, platform.SegmentProgress{Index: index})
	}
	return nil
}

// count looks at the rows for the size of something.
func (r *rowSet) count(size func(*rowSet) int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return size(r)
}

type lease struct {
	owner   string
	expires time.Time
}

type leases struct{ s *Store }

var _ platform.Leases = leases{}

// Acquire implements platform.Leases.
func (r leases) Acquire(_ context.Context, name, owner string, ttl time.Duration) error {
	r.s.Saw(Call{Method: "Leases.Acquire", On: name})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	now := r.s.Now()
	if held, ok := r.s.rows.leases[name]; ok && held.owner != owner && held.expires.After(now) {
		return fmt.Errorf("%s: %w", name, platform.ErrLeaseHeld)
	}
	r.s.rows.leases[name] = lease{owner, now.Add(ttl)}
	return nil
}

// Renew implements platform.Leases.
func (r leases) Renew(_ context.Context, name, owner string, ttl time.Duration) error {
	r.s.Saw(Call{Method: "Leases.Renew", On: name})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	now := r.s.Now()
	if held := r.s.rows.leases[name]; held.owner != owner || !held.expires.After(now) {
		return fmt.Errorf("%s: %w", name, platform.ErrLeaseLost)
	}
	r.s.rows.leases[name] = lease{owner, now.Add(ttl)}
	return nil
}

// Release implements platform.Leases.
func (r leases) Release(_ context.Context, name, owner string) error {
	r.s.Saw(Call{Method: "Leases.Release", On: name})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	if r.s.rows.leases[name].owner == owner {
		delete(r.s.rows.leases, name)
	}
	return nil
}

// notice is a platform.Notice and when it may be claimed.
type notice struct {
	platform.Notice
	due time.Time
}

// announce adds the notice of a job's end.
func (r *rowSet) announce(before job.Status, j job.Job, now time.Time) {
	if j.Webhook == "" || j.Status == before || !j.Status.Terminal() {
		return
	}
	id := fmt.Sprintf("%s-%d", j.ID, j.Version)
	r.notices[id] = &notice{platform.Notice{ID: id, Job: clone(j), Created: now}, now}
}

type outbox struct{ s *Store }

var _ platform.Outbox = outbox{}

// Claim implements platform.Outbox.
func (r outbox) Claim(_ context.Context, limit int, ttl time.Duration) ([]platform.Notice, error) {
	r.s.Saw(Call{Method: "Outbox.Claim"})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	oldest := slices.SortedFunc(maps.Values(r.s.rows.notices), func(a, b *notice) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	now := r.s.Now()
	var list []platform.Notice
	for _, n := range oldest {
		if len(list) < limit && !n.due.After(now) {
			n.due, n.Attempts = now.Add(ttl), n.Attempts+1
			list = append(list, n.Notice)
		}
	}
	return list, nil
}

// Postpone implements platform.Outbox.
func (r outbox) Postpone(_ context.Context, id string, delay time.Duration) error {
	r.s.Saw(Call{Method: "Outbox.Postpone", On: id})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	if n := r.s.rows.notices[id]; n != nil {
		n.due = r.s.Now().Add(delay)
	}
	return nil
}

// Settle implements platform.Outbox.
func (r outbox) Settle(_ context.Context, id string) error {
	r.s.Saw(Call{Method: "Outbox.Settle", On: id})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	delete(r.s.rows.notices, id)
	return nil
}
