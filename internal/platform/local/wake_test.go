package local

import (
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

func TestReceiverOfTheSameProcessIsWokenBeforeItLooksAgain(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), nil)
	q := s.Queues()[platform.ChunkingQueue]
	fastest := time.Hour
	for range 20 { // the machine may be busy, but not always
		woken := make(chan time.Time)
		begin := time.Now()
		go func() {
			_, err := q.Receive(t.Context(), 1, 5*time.Second)
			if err != nil {
				t.Error(err)
			}
			woken <- time.Now()
		}()
		time.Sleep(pollInterval / 10) // it waits now, and would look again after pollInterval
		if err := q.Send(t.Context(), 0, []byte("a")); err != nil {
			t.Fatal(err)
		}
		if fastest = min(fastest, (<-woken).Sub(begin)); fastest < pollInterval/2 {
			return
		}
	}
	t.Errorf("woken after %v at best", fastest)
}
