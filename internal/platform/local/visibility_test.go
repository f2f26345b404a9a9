package local

import (
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

func TestMessageOfADeadWorkerComesBackAsSoonAsOptionsSay(t *testing.T) {
	now := time.Now()
	store, err := Open(t.Context(), t.TempDir(), Options{Visibility: 3 * time.Second, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	q := store.Queues()[platform.VideoWorkerQueue]
	if err := q.Send(t.Context(), 0, []byte("x")); err != nil {
		t.Fatal(err)
	}
	begin := now
	for _, at := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {2 * time.Second, 0}, {3 * time.Second, 1}} {
		now = begin.Add(at.after)
		if list, err := q.Receive(t.Context(), 1, 0); err != nil || len(list) != at.want {
			t.Errorf("after %v: %d messages, want %d (%v)", at.after, len(list), at.want, err)
		}
	}
}
