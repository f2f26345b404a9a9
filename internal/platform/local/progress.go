package local

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

type progress struct{ s *Store }

var _ platform.Progress = progress{}

// Report implements platform.Progress. What comes after the job's removal is dropped.
func (r progress) Report(ctx context.Context, jobID string, p platform.SegmentProgress) error {
	_, err := r.s.exec(ctx, `INSERT OR REPLACE INTO progress (job_id, segment_index, frames, started, updated)
		SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM jobs WHERE job_id = ?1)`,
		jobID, p.Index, p.Frames, p.Started.UnixNano(), p.Updated.UnixNano())
	return err
}

// Begin implements platform.Progress. first is never true: to look for a result costs nothing here.
func (r progress) Begin(ctx context.Context, jobID string, p platform.SegmentProgress, fresh time.Duration) (first bool, err error) {
	result, err := r.s.exec(ctx, `INSERT INTO progress (job_id, segment_index, frames, started, updated)
		SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM jobs WHERE job_id = ?1)
		ON CONFLICT (job_id, segment_index) DO UPDATE SET frames = excluded.frames, started = excluded.started, updated = excluded.updated
		WHERE abs(excluded.updated - progress.updated) >= ?6`,
		jobID, p.Index, p.Frames, p.Started.UnixNano(), p.Updated.UnixNano(), int64(fresh))
	err = unlessOne(result, err, platform.ErrLeaseHeld)
	if errors.Is(err, platform.ErrLeaseHeld) {
		if _, gone := (jobs(r)).Get(ctx, jobID); gone != nil {
			return false, gone
		}
	}
	return false, err
}

// Of implements platform.Progress.
func (r progress) Of(ctx context.Context, jobID string) ([]platform.SegmentProgress, error) {
	rows, err := r.s.db.QueryContext(ctx, "SELECT segment_index, frames, started, updated FROM progress WHERE job_id = ? ORDER BY segment_index", jobID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []platform.SegmentProgress
	for rows.Next() {
		var p platform.SegmentProgress
		var started, updated int64
		if err := rows.Scan(&p.Index, &p.Frames, &started, &updated); err != nil {
			return nil, err
		}
		p.Started, p.Updated = time.Unix(0, started), time.Unix(0, updated)
		list = append(list, p)
	}
	return list, rows.Err()
}

// Clear implements platform.Progress.
func (r progress) Clear(ctx context.Context, jobID string, segments ...int) error {
	if len(segments) == 0 {
		_, err := r.s.exec(ctx, "DELETE FROM progress WHERE job_id = ?", jobID)
		return err
	}
	return r.s.write(ctx, func(tx *sql.Tx) error {
		for _, index := range segments {
			if _, err := tx.ExecContext(ctx, "DELETE FROM progress WHERE job_id = ? AND segment_index = ?", jobID, index); err != nil {
				return err
			}
		}
		return nil
	})
}
