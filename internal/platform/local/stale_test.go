package local

import (
	"errors"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// The contract leaves open what a stale receipt does; here it does nothing and says so.
func TestStaleReceiptTouchesNothing(t *testing.T) {
	q := open(t, t.TempDir(), time.Now).Queues()[platform.ChunkingQueue]
	if err := q.Send(t.Context(), 0, []byte("a")); err != nil {
		t.Fatal(err)
	}
	receive := func() platform.Message {
		t.Helper()
		list, err := q.Receive(t.Context(), 1, 0)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d messages, %v", len(list), err)
		}
		return list[0]
	}
	stale := receive()
	if err := q.Extend(t.Context(), stale.Handle, 0); err != nil {
		t.Fatal(err)
	}
	fresh := receive()
	if err := q.Extend(t.Context(), stale.Handle, 0); !errors.Is(err, platform.ErrNoMessage) {
		t.Errorf("Extend: %v", err)
	}
	if err := q.Delete(t.Context(), stale.Handle); !errors.Is(err, platform.ErrNoMessage) {
		t.Errorf("Delete: %v", err)
	}
	if list, err := q.Receive(t.Context(), 1, 0); err != nil || len(list) != 0 {
		t.Errorf("the second delivery was handed out again: %d messages, %v", len(list), err)
	}
	if err := q.Delete(t.Context(), fresh.Handle); err != nil {
		t.Errorf("the second delivery was touched: %v", err)
	}
}

func TestNoPartOfAnUnknownUploadIsSigned(t *testing.T) {
	u := open(t, t.TempDir(), time.Now).Platform().Uploads
	id, err := u.Begin(t.Context(), "up/film.mp4", platform.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Abort(t.Context(), "up/film.mp4", id); err != nil {
		t.Fatal(err)
	}
	if _, err := u.SignPart(t.Context(), "up/film.mp4", id, 1, time.Minute); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("error %v, want not found", err)
	}
}
