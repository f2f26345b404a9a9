package local

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

func TestReceiverOfTheSameProcessIsWokenBeforeItLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), nil)
		q := s.Queues()[platform.ChunkingQueue]
		woken := make(chan time.Duration)
		begin := time.Now()
		go func() {
			list, err := q.Receive(t.Context(), 1, time.Minute)
			if err != nil || len(list) != 1 {
				t.Errorf("%d messages, %v", len(list), err)
			}
			woken <- time.Since(begin)
		}()
		synctest.Wait()
		if err := q.Send(t.Context(), 0, []byte("a")); err != nil {
			t.Fatal(err)
		}
		if after := <-woken; after >= pollInterval {
			t.Errorf("woken after %v", after)
		}
	})
}
