package sagemaker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/memory"
)

// looker is a converter on a store in memory, which counts the requests.
type looker struct {
	*Converter
	store    platform.Objects
	mu       sync.Mutex
	requests int
}

func newLooker() *looker {
	l := &looker{}
	l.store = memory.New(memory.Options{Saw: func(memory.Call) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.requests++
	}}).Platform().Output
	l.Converter = New(Config{
		Endpoint: "films", InputName: "films-input", OutName: "films-output", Output: l.store, Timeout: 2 * time.Hour,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	return l
}

func (l *looker) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

func request(index int) inference.Request {
	return inference.Request{JobID: "j", Index: index, Input: "a.mp4", Output: "b.mp4", Window: media.Window{Frames: 4}, Content: "c"}
}

func (l *looker) ticket() ticket {
	return ticket{Endpoint: "films", InferenceID: "i", Invoked: l.Now(), Response: "s3://films-output/r.out", Failure: "s3://films-output/f.out"}
}

func TestLooksGrowWithTheLogarithmOfTheTime(t *testing.T) {
	for wait, most := range map[time.Duration]int{time.Minute: 13, 2 * time.Minute: 16, 10 * time.Minute: 32, time.Hour: 132} {
		synctest.Test(t, func(t *testing.T) {
			l := newLooker()
			ctx, cancel := context.WithTimeout(t.Context(), wait+time.Millisecond)
			defer cancel()
			if err := l.watch.await(ctx, request(0), l.ticket()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			if n := l.count(); n != 2*most {
				t.Errorf("%v: %d requests; want 2 for each of %d looks", wait, n, most)
			}
		})
	}
}

func TestOneLoopLooksAfterAllAndEndsWithTheLast(t *testing.T) {
	const calls = 500
	synctest.Test(t, func(t *testing.T) {
		l := newLooker()
		var waiters sync.WaitGroup
		for i := range calls {
			waiters.Go(func() {
				r := request(i)
				r.Output = "b" + strings.Repeat("x", i%7) + ".mp4"
				if err := l.watch.await(t.Context(), r, l.ticket()); err == nil || !strings.Contains(err.Error(), "instance") {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Minute)
		if _, err := l.store.Put(t.Context(), "f.out", strings.NewReader("the instance is gone"), platform.PutOptions{}); err != nil {
			t.Error(err)
		}
		waiters.Wait()
		synctest.Wait()
		l.watch.mu.Lock()
		defer l.watch.mu.Unlock()
		if l.watch.running || len(l.watch.calls) != 0 {
			t.Errorf("running: %v, %d calls", l.watch.running, len(l.watch.calls))
		}
	})
}

func TestOutputIsFoundAtMostAQuarterLate(t *testing.T) {
	for _, ready := range []time.Duration{3 * time.Second, 40 * time.Second, 7 * time.Minute, 55 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			l := newLooker()
			r, begin := request(0), time.Now()
			go func() {
				time.Sleep(ready)
				put := platform.PutOptions{Metadata: map[string]string{inference.MetaRequest: r.Hash(), inference.MetaFrames: "4"}}
				if _, err := l.store.Put(t.Context(), r.Output, strings.NewReader("x"), put); err != nil {
					t.Error(err)
				}
			}()
			if err := l.watch.await(t.Context(), r, l.ticket()); err != nil {
				t.Error(err)
			}
			if late := time.Since(begin) - ready; late > max(ready/4, l.LookFirst) || late > l.LookMost {
				t.Errorf("after %v it was found %v late", ready, late)
			}
		})
	}
}
