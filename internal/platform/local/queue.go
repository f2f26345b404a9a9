package local

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// queue is one queue's rows of the messages table.
//
// Visibility is reckoned in wall time, the only clock that processes share. A clock that jumps forward
// delivers messages early, which is one more repeated delivery. A clock that jumps back would hide messages
// until it caught up; take notices rows that were hidden "in the future" and hides them from now instead,
// for as long as was asked for.
type queue struct {
	s    *Store
	name platform.QueueName
}

var _ platform.Queue = queue{}

// pollInterval is how often a waiting Receive looks at the table. Senders in this process wake it at once; SQLite
// can't tell one process of another's commit, so this bounds how late their messages are. A look reads two
// index entries.
const pollInterval = 200 * time.Millisecond

// maxHidden is SQS's limit for how long a message may stay invisible.
const maxHidden = 12 * time.Hour

// Send implements platform.Queue.
func (q queue) Send(ctx context.Context, delay time.Duration, bodies ...[]byte) (err error) {
	switch {
	case len(bodies) == 0:
		return nil
	case len(bodies) <= platform.MaxBatch: // the usual ones, prepared
		statement, args := q.insertion(delay, bodies)
		_, err = q.s.exec(ctx, statement, args...)
	default:
		err = q.s.write(ctx, func(tx *sql.Tx) error { return q.insert(ctx, tx, delay, bodies...) })
	}
	if err == nil {
		q.s.bells.ring(q.name)
	}
	return err
}

// insert adds messages within a transaction; the caller rings the bell after it.
func (q queue) insert(ctx context.Context, tx *sql.Tx, delay time.Duration, bodies ...[]byte) error {
	const rows = 200 // per statement
	for batch := range slices.Chunk(bodies, rows) {
		statement, args := q.insertion(delay, batch)
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// insertion returns the statement that adds messages, and its arguments.
func (q queue) insertion(delay time.Duration, bodies [][]byte) (statement string, args []any) {
	now := q.s.now()
	visible := now.Add(min(max(delay, 0), maxHidden))
	for _, body := range bodies {
		args = append(args, string(q.name), body, now.UnixNano(), now.UnixNano(), visible.UnixNano())
	}
	return "INSERT INTO messages (queue, body, sent, hidden, visible) VALUES " + strings.Repeat(", (?, ?, ?, ?, ?)", len(bodies))[2:], args
}

// Receive implements platform.Queue.
func (q queue) Receive(ctx context.Context, limit int, wait time.Duration) ([]platform.Message, error) {
	limit = min(max(limit, 1), platform.MaxBatch)
	end := time.NewTimer(wait)
	defer end.Stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		bell := q.s.bells.of(q.name) // before the look, so that nothing sent in between is missed
		list, err := q.take(ctx, limit)
		if err != nil || len(list) > 0 || wait <= 0 {
			return list, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end.C:
			return nil, nil
		case <-bell:
		case <-poll.C:
		}
	}
}

// take delivers up to limit visible messages.
func (q queue) take(ctx context.Context, limit int) ([]platform.Message, error) {
	for {
		now := q.s.now()
		due, wrong, err := q.look(ctx, now)
		if wrong && err == nil {
			err = q.mend(ctx, now)
		}
		if err != nil || !due && !wrong {
			return nil, err // without the write lock: idle receivers disturb nobody
		}
		list, buried, err := q.deliver(ctx, now, limit)
		if err != nil || len(list) > 0 || buried == 0 {
			return list, err
		}
	}
}

// look reports whether there are visible messages, and hidden ones to mend.
func (q queue) look(ctx context.Context, now time.Time) (due, wrong bool, err error) {
	statement, err := q.s.db.statement(ctx, `SELECT
		EXISTS (SELECT 1 FROM messages WHERE queue = ?1 AND dead = 0 AND visible <= ?2),
		EXISTS (SELECT 1 FROM messages WHERE queue = ?1 AND dead = 0 AND visible > ?3 AND hidden > ?2)`)
	if err != nil {
		return false, false, err
	}
	err = statement.QueryRowContext(ctx, string(q.name), now.UnixNano(), q.far(now)).Scan(&due, &wrong)
	return due, wrong, err
}

// far is the time beyond which a message is hidden by a long back-off or by a clock that was wrong. A message
// that is hidden for less than that comes back soon enough without mending.
func (q queue) far(now time.Time) int64 { return now.Add(q.visibility()).UnixNano() }

// visibility is how long a received message stays invisible.
func (q queue) visibility() time.Duration {
	if q.s.visibility > 0 {
		return q.s.visibility
	}
	return q.name.Visibility()
}

// mend hides messages from now that were hidden at a time which hasn't come yet.
func (q queue) mend(ctx context.Context, now time.Time) error {
	_, err := q.s.exec(ctx, `UPDATE messages SET visible = ?2 + (visible - hidden), hidden = ?2
		WHERE queue = ?1 AND dead = 0 AND visible > ?3 AND hidden > ?2`, string(q.name), now.UnixNano(), q.far(now))
	return err
}

// deliver hides the next messages and returns them, the first sent first. Those that were delivered too often it
// makes dead letters of instead, and counts them.
func (q queue) deliver(ctx context.Context, now time.Time, limit int) (list []platform.Message, buried int, err error) {
	err = q.s.queryWrite(ctx, func(rows *sql.Rows) (err error) {
		list, err = scanMessages(rows)
		return err
	}, `UPDATE messages SET dead = received >= ?5, received = received + (received < ?5), hidden = ?2, visible = ?4
		WHERE id IN (SELECT id FROM messages WHERE queue = ?1 AND dead = 0 AND visible <= ?2 ORDER BY visible LIMIT ?3)
		RETURNING id, body, received, sent, dead`,
		string(q.name), now.UnixNano(), limit, q.far(now), platform.MaxReceives)
	alive := slices.DeleteFunc(list, func(m platform.Message) bool { return m.Handle == "" })
	return alive, len(list) - len(alive), err
}

// scanMessages reads id, body, received, sent, dead; dead letters have no receipt.
func scanMessages(rows *sql.Rows) ([]platform.Message, error) {
	defer rows.Close()
	var list []platform.Message
	for rows.Next() {
		var m platform.Message
		var sent int64
		var dead bool
		if err := rows.Scan(&m.ID, &m.Body, &m.Receive, &sent, &dead); err != nil {
			return nil, err
		}
		m.Sent = time.Unix(0, sent)
		if !dead {
			m.Handle = m.ID + "." + strconv.Itoa(m.Receive)
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b platform.Message) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return list, rows.Err()
}

// parseHandle splits a delivery's receipt into the message's id and how often it had been delivered. Ids are
// never used again, so a receipt names one delivery for ever.
func parseHandle(handle string) (id, received int64, err error) {
	before, after, _ := strings.Cut(handle, ".")
	id, badID := strconv.ParseInt(before, 10, 64)
	received, badCount := strconv.ParseInt(after, 10, 64)
	if badID != nil || badCount != nil {
		return 0, 0, fmt.Errorf("%w: %.80q", platform.ErrNoMessage, handle)
	}
	return id, received, nil
}

// Extend implements platform.Queue.
func (q queue) Extend(ctx context.Context, handle string, d time.Duration) error {
	id, received, err := parseHandle(handle)
	if err != nil {
		return err
	}
	now := q.s.now()
	visible := now.Add(min(max(d, 0), maxHidden))
	result, err := q.s.exec(ctx, "UPDATE messages SET hidden = ?, visible = ? WHERE id = ? AND queue = ? AND received = ? AND dead = 0 AND visible > ?",
		now.UnixNano(), visible.UnixNano(), id, string(q.name), received, now.UnixNano())
	if err = unlessOne(result, err, platform.ErrNoMessage); err == nil && d <= 0 {
		q.s.bells.ring(q.name)
	}
	return err
}

// Delete implements platform.Queue.
func (q queue) Delete(ctx context.Context, handle string) error {
	id, received, err := parseHandle(handle)
	if err != nil {
		return err
	}
	result, err := q.s.exec(ctx, "DELETE FROM messages WHERE id = ? AND queue = ? AND received = ? AND dead = 0", id, string(q.name), received)
	return unlessOne(result, err, platform.ErrNoMessage)
}

// Depth implements platform.Queue.
func (q queue) Depth(ctx context.Context) (platform.Depth, error) {
	var d platform.Depth
	var oldest sql.NullInt64
	now := q.s.now()
	err := q.s.db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE visible <= ?1), count(*) FILTER (WHERE visible > ?1 AND received > 0),
		count(*) FILTER (WHERE visible > ?1 AND received = 0), min(sent) FROM messages WHERE queue = ?2 AND dead = 0`,
		now.UnixNano(), string(q.name)).Scan(&d.Visible, &d.InFlight, &d.Delayed, &oldest)
	if oldest.Valid {
		d.OldestAge = max(0, now.Sub(time.Unix(0, oldest.Int64)))
	}
	return d, err
}

// deadLetters is the other end of a queue: rows that bury set aside.
type deadLetters struct{ queue }

var _ platform.DeadLetters = deadLetters{}

// List implements platform.DeadLetters.
func (d deadLetters) List(ctx context.Context, limit int) ([]platform.Message, error) {
	rows, err := d.s.db.QueryContext(ctx, "SELECT id, body, received, sent, dead FROM messages WHERE queue = ? AND dead = 1 ORDER BY id LIMIT ?",
		string(d.name), limit)
	if err != nil {
		return nil, err
	}
	return scanMessages(rows)
}

// Redrive implements platform.DeadLetters. The messages get new ids, as in SQS, so that old receipts stay stale.
func (d deadLetters) Redrive(ctx context.Context, limit int) (n int, err error) {
	err = d.s.write(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `DELETE FROM messages WHERE id IN
			(SELECT id FROM messages WHERE queue = ? AND dead = 1 ORDER BY id LIMIT ?) RETURNING id, body, received, sent, dead`, string(d.name), limit)
		if err != nil {
			return err
		}
		list, err := scanMessages(rows)
		if err != nil {
			return err
		}
		bodies := make([][]byte, len(list))
		for i, m := range list {
			bodies[i] = m.Body
		}
		n = len(bodies)
		return d.insert(ctx, tx, 0, bodies...)
	})
	d.s.bells.ring(d.name)
	return n, err
}

// Purge implements platform.DeadLetters.
func (d deadLetters) Purge(ctx context.Context) (int, error) {
	result, err := d.s.exec(ctx, "DELETE FROM messages WHERE queue = ? AND dead = 1", string(d.name))
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
