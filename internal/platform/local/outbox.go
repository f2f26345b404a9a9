package local

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

type outbox struct{ s *Store }

var _ platform.Outbox = outbox{}

// announce adds the notice of a job's end, in the transaction that writes the job's row.
func (s *Store) announce(ctx context.Context, tx *sql.Tx, before job.Status, j job.Job) error {
	if j.Webhook == "" || j.Status == before || !j.Status.Terminal() {
		return nil
	}
	row, err := json.Marshal(j)
	if err != nil {
		return err
	}
	now := s.now().UnixNano()
	_, err = tx.ExecContext(ctx, "INSERT INTO notices (id, row, created, hidden, due) VALUES (?, ?, ?3, ?3, ?3)",
		fmt.Sprintf("%s-%d", j.ID, j.Version), string(row), now)
	return err
}

// Claim implements platform.Outbox. Notices that were hidden at a time which hasn't come yet are hidden from now:
// the clock has jumped back.
func (r outbox) Claim(ctx context.Context, limit int, ttl time.Duration) (list []platform.Notice, err error) {
	now := r.s.now()
	var work bool
	err = r.s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM notices WHERE due <= ?1 OR hidden > ?1)", now.UnixNano()).Scan(&work)
	if err != nil || !work {
		return nil, err
	}
	err = r.s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE notices SET due = ?1 + (due - hidden), hidden = ?1 WHERE hidden > ?1", now.UnixNano())
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `UPDATE notices SET attempts = attempts + 1, hidden = ?1, due = ?2 WHERE id IN
			(SELECT id FROM notices WHERE due <= ?1 ORDER BY created, id LIMIT ?3) RETURNING id, row, created, attempts`,
			now.UnixNano(), now.Add(ttl).UnixNano(), limit)
		if err != nil {
			return err
		}
		list, err = scanNotices(rows)
		return err
	})
	return list, err
}

func scanNotices(rows *sql.Rows) ([]platform.Notice, error) {
	defer rows.Close()
	var list []platform.Notice
	for rows.Next() {
		var n platform.Notice
		var row string
		var created int64
		if err := rows.Scan(&n.ID, &row, &created, &n.Attempts); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(row), &n.Job); err != nil {
			return nil, err
		}
		n.Created = time.Unix(0, created)
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b platform.Notice) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return list, rows.Err()
}

// Postpone implements platform.Outbox.
func (r outbox) Postpone(ctx context.Context, id string, delay time.Duration) error {
	now := r.s.now()
	_, err := r.s.exec(ctx, "UPDATE notices SET hidden = ?, due = ? WHERE id = ?", now.UnixNano(), now.Add(delay).UnixNano(), id)
	return err
}

// Settle implements platform.Outbox.
func (r outbox) Settle(ctx context.Context, id string) error {
	_, err := r.s.exec(ctx, "DELETE FROM notices WHERE id = ?", id)
	return err
}
