package memory

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// jobTable holds rows by id, and in the order of lists.
type jobTable struct {
	byID  map[string]*job.Job
	order []*job.Job // newest first
}

func newJobTable() *jobTable { return &jobTable{byID: map[string]*job.Job{}} }

// compare orders jobs newest first.
func compare(a *job.Job, created time.Time, id string) int {
	return cmp.Or(created.Compare(a.CreatedAt), cmp.Compare(id, a.ID))
}

func (t *jobTable) place(created time.Time, id string) (int, bool) {
	return slices.BinarySearchFunc(t.order, id, func(j *job.Job, id string) int { return compare(j, created, id) })
}

func (t *jobTable) add(j job.Job) {
	at, _ := t.place(j.CreatedAt, j.ID)
	t.byID[j.ID] = &j
	t.order = slices.Insert(t.order, at, &j)
}

func (t *jobTable) remove(id string) {
	if j := t.byID[id]; j != nil {
		at, _ := t.place(j.CreatedAt, id)
		t.order = slices.Delete(t.order, at, at+1)
		delete(t.byID, id)
	}
}

// get returns a copy that the caller may change.
func (t *jobTable) get(id string) (job.Job, error) {
	j := t.byID[id]
	if j == nil {
		return job.Job{}, fmt.Errorf("job %s: %w", id, platform.ErrNotFound)
	}
	return clone(*j), nil
}

func clone(j job.Job) job.Job {
	j.Warnings, j.Expired = slices.Clone(j.Warnings), slices.Clone(j.Expired)
	return j
}

type jobs struct{ s *Store }

var _ platform.Jobs = jobs{}

// Create implements platform.Jobs.
func (r jobs) Create(_ context.Context, j job.Job) error {
	r.s.Saw(Call{Method: "Jobs.Create", On: j.ID})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	if r.s.rows.jobs.byID[j.ID] != nil {
		return fmt.Errorf("job %s: %w", j.ID, platform.ErrExists)
	}
	j.Version = 1
	r.s.rows.jobs.add(clone(j))
	return nil
}

// Get implements platform.Jobs.
func (r jobs) Get(_ context.Context, id string) (job.Job, error) {
	r.s.Saw(Call{Method: "Jobs.Get", On: id})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	return r.s.rows.jobs.get(id)
}

// Update implements platform.Jobs.
func (r jobs) Update(_ context.Context, id string, change func(*job.Job) error) (job.Job, error) {
	r.s.Saw(Call{Method: "Jobs.Update", On: id})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	before, err := r.s.rows.jobs.get(id)
	if err != nil {
		return before, err
	}
	after := clone(before)
	if err := change(&after); err != nil {
		return before, err
	}
	after.Version = before.Version + 1
	*r.s.rows.jobs.byID[id] = clone(after)
	r.s.rows.announce(before.Status, after, r.s.Now())
	return after, nil
}

// Delete implements platform.Jobs.
func (r jobs) Delete(_ context.Context, id string) error {
	r.s.Saw(Call{Method: "Jobs.Delete", On: id})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	r.s.rows.jobs.remove(id)
	return nil
}

// List implements platform.Jobs.
func (r jobs) List(_ context.Context, q platform.JobQuery) ([]job.Job, string, error) {
	limit := min(q.Limit, 1000)
	if limit <= 0 {
		limit = 50
	}
	r.s.Saw(Call{Method: "Jobs.List", N: len(q.Statuses)})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	begin, order := 0, r.s.rows.jobs.order
	if q.Token != "" {
		created, id, err := parseToken(q.Token)
		if err != nil {
			return nil, "", err
		}
		at, found := r.s.rows.jobs.place(created, id)
		if begin = at; found {
			begin++
		}
	}
	var list []job.Job
	for _, j := range order[begin:] {
		if !selected(j, q) {
			continue
		}
		if len(list) == limit {
			return list, token(list[limit-1]), nil
		}
		list = append(list, clone(*j))
	}
	return list, "", nil
}

func selected(j *job.Job, q platform.JobQuery) bool {
	return (len(q.Statuses) == 0 || slices.Contains(q.Statuses, j.Status)) && (q.Owner == "" || q.Owner == j.Owner) &&
		(q.Search == "" || strings.Contains(strings.ToLower(j.Title), strings.ToLower(q.Search)))
}

// token names the last job of a page.
func token(j job.Job) string { return placeToken(j.CreatedAt, j.ID) }

func placeToken(created time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", created.UnixNano(), id))
}

// parseToken is the inverse of token; ErrBadToken.
func parseToken(text string) (created time.Time, id string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return created, "", platform.ErrBadToken
	}
	var nanoseconds int64
	n, err := fmt.Sscanf(string(raw), "%d %s", &nanoseconds, &id)
	if created = time.Unix(0, nanoseconds); n != 2 || err != nil || !job.ValidID(id) || placeToken(created, id) != text {
		return created, "", platform.ErrBadToken
	}
	return created, id, nil
}

// Count implements platform.Jobs.
func (r jobs) Count(_ context.Context, owner string) (map[job.Status]int, error) {
	r.s.Saw(Call{Method: "Jobs.Count"})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	counts := map[job.Status]int{}
	for _, j := range r.s.rows.jobs.order {
		if owner == "" || owner == j.Owner {
			counts[j.Status]++
		}
	}
	return counts, nil
}
