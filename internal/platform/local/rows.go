package local

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

type jobs struct{ s *Store }

var _ platform.Jobs = jobs{}

// Create implements platform.Jobs.
func (r jobs) Create(ctx context.Context, j job.Job) error {
	j.Version = 1
	row, err := json.Marshal(j)
	if err != nil {
		return err
	}
	result, err := r.s.execDurably(ctx,
		"INSERT INTO jobs (job_id, owner, title, status, created_at, version, row) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		j.ID, j.Owner, j.Title, string(j.Status), j.CreatedAt.UnixNano(), j.Version, string(row))
	return unlessOne(result, err, platform.ErrExists)
}

// unlessOne returns otherwise when a statement changed no row.
func unlessOne(result sql.Result, err, otherwise error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, otherwise)
	}
	return nil
}

// rowReader is a database or a transaction.
type rowReader interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func getJob(ctx context.Context, from rowReader, id string) (job.Job, error) {
	var row string
	err := from.QueryRowContext(ctx, "SELECT row FROM jobs WHERE job_id = ?", id).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		return job.Job{}, platform.ErrNotFound
	}
	if err != nil {
		return job.Job{}, err
	}
	var j job.Job
	return j, json.Unmarshal([]byte(row), &j)
}

func putJob(ctx context.Context, tx *sql.Tx, j *job.Job) error {
	j.Version++
	row, err := json.Marshal(j)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE jobs SET owner = ?, title = ?, status = ?, version = ?, row = ? WHERE job_id = ?",
		j.Owner, j.Title, string(j.Status), j.Version, string(row), j.ID)
	return err
}

// Get implements platform.Jobs.
func (r jobs) Get(ctx context.Context, id string) (job.Job, error) { return getJob(ctx, &r.s.db, id) }

// Update implements platform.Jobs. The transaction holds the write lock from the start, so nobody writes in between.
func (r jobs) Update(ctx context.Context, id string, change func(*job.Job) error) (job.Job, error) {
	var j job.Job
	err := r.s.writeDurably(ctx, func(tx *sql.Tx) (err error) {
		if j, err = getJob(ctx, tx, id); err != nil {
			return err
		}
		before := j.Status
		if err := change(&j); err != nil {
			return err
		}
		if err := putJob(ctx, tx, &j); err != nil {
			return err
		}
		return r.s.announce(ctx, tx, before, j)
	})
	return j, err
}

// Delete implements platform.Jobs.
func (r jobs) Delete(ctx context.Context, id string) error {
	_, err := r.s.execDurably(ctx, "DELETE FROM jobs WHERE job_id = ?", id)
	return err
}

// Count implements platform.Jobs.
func (r jobs) Count(ctx context.Context, owner string) (map[job.Status]int, error) {
	rows, err := r.s.db.QueryContext(ctx, "SELECT status, count(*) FROM jobs WHERE ?1 IN ('', owner) GROUP BY status", owner)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[job.Status]int{}
	for rows.Next() {
		var status string
		var n int
		if err := rows.Scan(&status, &n); err != nil {
			return nil, err
		}
		counts[job.Status(status)] = n
	}
	return counts, rows.Err()
}

// List implements platform.Jobs.
func (r jobs) List(ctx context.Context, q platform.JobQuery) ([]job.Job, string, error) {
	where, args, err := conditions(q)
	if err != nil {
		return nil, "", err
	}
	limit := min(q.Limit, 1000)
	if limit <= 0 {
		limit = 50
	}
	rows, err := r.s.db.QueryContext(ctx, "SELECT row FROM jobs WHERE "+where+" ORDER BY created_at DESC, job_id DESC LIMIT ?", append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	list, err := scanRows[job.Job](rows)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	last := list[limit-1]
	return list[:limit], pageToken(last.CreatedAt, last.ID), nil
}

func conditions(q platform.JobQuery) (where string, args []any, err error) {
	parts := []string{"TRUE"}
	if len(q.Statuses) > 0 {
		parts = append(parts, "status IN (?"+strings.Repeat(", ?", len(q.Statuses)-1)+")")
		for _, s := range q.Statuses {
			args = append(args, string(s))
		}
	}
	if q.Owner != "" {
		parts, args = append(parts, "owner = ?"), append(args, q.Owner)
	}
	if q.Search != "" {
		parts, args = append(parts, "instr(lower(title), lower(?)) > 0"), append(args, q.Search)
	}
	if q.Token != "" {
		created, id, err := parsePageToken(q.Token)
		if err != nil {
			return "", nil, err
		}
		parts, args = append(parts, "(created_at, job_id) < (?, ?)"), append(args, created, id)
	}
	return strings.Join(parts, " AND "), args, nil
}

// pageToken names the last row of a page.
func pageToken(created time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", created.UnixNano(), id))
}

func parsePageToken(token string) (created int64, id string, err error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, "", platform.ErrBadToken
	}
	if n, err := fmt.Sscanf(string(text), "%d %s", &created, &id); n != 2 || err != nil || !job.ValidID(id) {
		return 0, "", platform.ErrBadToken
	}
	return created, id, nil
}

func scanRows[V any](rows *sql.Rows) ([]V, error) {
	defer rows.Close()
	var list []V
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		var v V
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

type completions struct{ s *Store }

var _ platform.Completions = completions{}

// Record implements platform.Completions.
func (r completions) Record(ctx context.Context, c platform.Completion) (job.Job, error) {
	row, err := json.Marshal(c)
	if err != nil {
		return job.Job{}, err
	}
	var j job.Job
	err = r.s.write(ctx, func(tx *sql.Tx) (err error) {
		if j, err = getJob(ctx, tx, c.JobID); err != nil {
			return err
		}
		if j.Status == job.Deleting {
			return platform.ErrNotFound
		}
		result, err := tx.ExecContext(ctx, "INSERT INTO completions (job_id, segment_index, row) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			c.JobID, c.Index, string(row))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		j.CompletedSegments++
		j.UpdatedAt = c.Completed
		return putJob(ctx, tx, &j)
	})
	return j, err
}

// All implements platform.Completions.
func (r completions) All(ctx context.Context, jobID string) ([]platform.Completion, error) {
	rows, err := r.s.db.QueryContext(ctx, "SELECT row FROM completions WHERE job_id = ? ORDER BY segment_index", jobID)
	if err != nil {
		return nil, err
	}
	return scanRows[platform.Completion](rows)
}

// Forget implements platform.Completions.
func (r completions) Forget(ctx context.Context, jobID string) error {
	return r.s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM completions WHERE job_id = ?", jobID); err != nil {
			return err
		}
		j, err := getJob(ctx, tx, jobID)
		if errors.Is(err, platform.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		j.CompletedSegments = 0
		return putJob(ctx, tx, &j)
	})
}

type leases struct{ s *Store }

var _ platform.Leases = leases{}

// Acquire implements platform.Leases.
func (r leases) Acquire(ctx context.Context, name, owner string, ttl time.Duration) error {
	now := r.s.now()
	if err := r.mend(ctx, name, now); err != nil {
		return err
	}
	result, err := r.s.exec(ctx, `INSERT INTO leases (name, owner, taken, expires) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, taken = excluded.taken, expires = excluded.expires
		WHERE leases.owner = excluded.owner OR leases.expires <= excluded.taken`,
		name, owner, now.UnixNano(), now.Add(ttl).UnixNano())
	return unlessOne(result, err, platform.ErrLeaseHeld)
}

// mend makes a lease that was taken at a time which hasn't come yet run from now: the clock has jumped back, and
// if the holder is dead nobody should wait until it has caught up.
func (r leases) mend(ctx context.Context, name string, now time.Time) error {
	_, err := r.s.exec(ctx, "UPDATE leases SET expires = ?2 + (expires - taken), taken = ?2 WHERE name = ?1 AND taken > ?2", name, now.UnixNano())
	return err
}

// Renew implements platform.Leases.
func (r leases) Renew(ctx context.Context, name, owner string, ttl time.Duration) error {
	now := r.s.now()
	result, err := r.s.exec(ctx, "UPDATE leases SET taken = ?1, expires = ?2 WHERE name = ?3 AND owner = ?4 AND expires > ?1",
		now.UnixNano(), now.Add(ttl).UnixNano(), name, owner)
	return unlessOne(result, err, platform.ErrLeaseLost)
}

// Release implements platform.Leases.
func (r leases) Release(ctx context.Context, name, owner string) error {
	_, err := r.s.exec(ctx, "DELETE FROM leases WHERE name = ? AND owner = ?", name, owner)
	return err
}
