package local

import (
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

func TestBusyDatabaseIsWaitedForBeyondTheBusyTimeout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := open(t, dir, nil), open(t, dir, nil)
	for _, p := range []*pool{&s.writer.soon, &s.writer.durable} { // one connection each
		if _, err := p.ExecContext(t.Context(), "PRAGMA busy_timeout = 20"); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := other.writer.soon.BeginTx(t.Context(), nil) // takes the write lock
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 3)
	now := time.Now()
	go func() { done <- s.Queues()[platform.ChunkingQueue].Send(t.Context(), 0, []byte("a")) }()
	go func() { done <- s.Jobs().Create(t.Context(), job.Job{ID: job.NewID(now), CreatedAt: now}) }()
	go func() { done <- s.Leases().Acquire(t.Context(), "x", "a", time.Minute) }()
	select {
	case err := <-done:
		t.Errorf("didn't wait: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestLongReaderStopsNoWriter(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), nil)
	q := s.Queues()[platform.ChunkingQueue]
	if err := q.Send(t.Context(), 0, []byte("first")); err != nil {
		t.Fatal(err)
	}
	rows, err := s.db.QueryContext(t.Context(), "SELECT body FROM messages")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	body := make([]byte, 10_000)
	for range 1500 { // more pages than a checkpoint waits for
		if err := q.Send(t.Context(), 0, body); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for rows.Next() {
		n++
	}
	if n != 1 || rows.Err() != nil {
		t.Errorf("the reader sees %d rows, %v", n, rows.Err())
	}
}
