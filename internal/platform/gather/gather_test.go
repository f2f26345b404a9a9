package gather

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// requests collects what a batch asked for; entry 13 always fails.
type requests struct {
	mu   sync.Mutex
	made [][]int
}

var errUnlucky = errors.New("unlucky")

func (r *requests) do(_ context.Context, entries []int) []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, slices.Sorted(slices.Values(entries)))
	errs := make([]error, len(entries))
	for i, e := range entries {
		if e == 13 {
			errs[i] = errUnlucky
		}
	}
	return errs
}

func TestWhatComesTogetherIsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &requests{}
		b := &Batch[int]{Limit: 10, Wait: 100 * time.Millisecond, Bound: time.Second, Do: r.do}
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 25 {
			wg.Go(func() {
				err := b.Add(t.Context(), i)
				if (i == 13) != errors.Is(err, errUnlucky) || i != 13 && err != nil {
					t.Errorf("entry %d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		want := "[[0 1 2 3 4 5 6 7 8 9] [10 11 12 13 14 15 16 17 18 19] [20 21 22 23 24]]"
		if got := fmt.Sprint(r.made); got != want || time.Since(begin) != b.Wait {
			t.Errorf("requests %s after %v, want %s: full ones at once, the rest after %v", got, time.Since(begin), want, b.Wait)
		}
		if err := b.Add(t.Context(), 99); err != nil || len(r.made) != 4 {
			t.Errorf("a later one: %v, %d requests", err, len(r.made))
		}
	})
}

func TestEntryOfACallerThatGaveUpIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &requests{}
		b := &Batch[int]{Limit: 10, Wait: time.Second, Bound: time.Second, Do: r.do}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := b.Add(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if fmt.Sprint(r.made) != "[[1]]" {
			t.Errorf("requests %v", r.made)
		}
	})
}
