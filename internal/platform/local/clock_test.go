package local

import (
	"errors"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// A machine that starts with its clock years ahead, and is corrected while it works.
const years = 3 * 365 * 24 * time.Hour

func TestClockThatJumpsBackDelaysMessagesByNoMoreThanTheirVisibility(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.advance(years)
	s := open(t, t.TempDir(), c.now)
	q := s.Queues()[platform.ChunkingQueue]
	if err := q.Send(t.Context(), 0, []byte("received")); err != nil {
		t.Fatal(err)
	}
	lost := receiveOne(t, q)
	if err := q.Send(t.Context(), 0, []byte("waiting")); err != nil {
		t.Fatal(err)
	}
	c.advance(-years)
	// Nothing can tell how long ago it was sent, so it waits once more for its delay, which is none.
	if m := receiveOne(t, q); string(m.Body) != "waiting" {
		t.Errorf("received %s", m.Body)
	} else if err := q.Delete(t.Context(), m.Handle); err != nil {
		t.Error(err)
	}
	if err := q.Extend(t.Context(), lost.Handle, time.Minute); err != nil {
		t.Errorf("its holder can't extend it: %v", err)
	}
	c.advance(2 * platform.ChunkingQueue.Visibility())
	if m := receiveOne(t, q); m.ID != lost.ID || m.Receive != 2 {
		t.Errorf("%+v", m)
	}
}

func receiveOne(t *testing.T, q platform.Queue) platform.Message {
	t.Helper()
	list, err := q.Receive(t.Context(), 1, time.Minute)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d messages, %v", len(list), err)
	}
	return list[0]
}

func TestClockThatJumpsBackFreesADeadHoldersLeaseAfterItsTime(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.advance(years)
	l := open(t, t.TempDir(), c.now).Leases()
	if err := l.Acquire(t.Context(), "x", "dead", time.Minute); err != nil {
		t.Fatal(err)
	}
	c.advance(-years)
	if err := l.Acquire(t.Context(), "x", "b", time.Minute); !errors.Is(err, platform.ErrLeaseHeld) {
		t.Errorf("its holder may be alive: %v", err)
	}
	c.advance(61 * time.Second)
	if err := l.Acquire(t.Context(), "x", "b", time.Minute); err != nil {
		t.Error(err)
	}
}

func TestClockThatJumpsBackDelaysNoticesByNoMoreThanTheirTime(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.advance(years)
	s := open(t, t.TempDir(), c.now)
	j := job.Job{ID: job.NewID(time.Now()), Status: job.Reassembling, Webhook: "https://example.com", CreatedAt: time.Now()}
	if err := s.Jobs().Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Jobs().Update(t.Context(), j.ID, func(j *job.Job) error { j.Status = job.Completed; return nil }); err != nil {
		t.Fatal(err)
	}
	claim := func(want int) {
		t.Helper()
		if list, err := s.Platform().Outbox.Claim(t.Context(), 1, time.Minute); err != nil || len(list) != want {
			t.Errorf("%d notices, %v; want %d", len(list), err, want)
		}
	}
	claim(1)
	c.advance(-years)
	claim(0)
	c.advance(61 * time.Second)
	claim(1)
}
