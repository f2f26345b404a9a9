package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what a hub polls. Items named "final…" don't change by themselves: they come only when asked for.
type world struct {
	mu    sync.Mutex
	items map[string]string
	polls int
}

func (w *world) set(key, state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.items == nil {
		w.items = map[string]string{}
	}
	w.items[key] = state
	if state == "" {
		delete(w.items, key)
	}
}

func (w *world) poll(_ context.Context, also []string) ([]Item, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polls++
	var items []Item
	asked := map[string]bool{}
	for _, key := range also {
		asked[key] = true
	}
	for key, state := range w.items {
		final := key[0] == 'f'
		if !final || asked[key] {
			items = append(items, Item{Key: key, Owner: key[1:2], Full: []byte("full " + state), Brief: []byte("brief " + state), Final: final})
		}
	}
	return items, nil
}

// start runs a hub over w until the test ends.
func start(t *testing.T, w *world, epoch uint32, keep int) *Hub {
	t.Helper()
	h := New(w.poll, epoch, Options{Interval: 5 * time.Millisecond, Keep: keep, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

// next returns the next events as text, without ids, and the last id.
func next(t *testing.T, v *Viewer) (text string, last string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := v.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		text += fmt.Sprintf("[%s %s %s]", e.Kind, e.Key, e.Data)
		last = e.ID
	}
	return text, last
}

// quiet fails if anything comes within a few polls.
func quiet(t *testing.T, h *Hub, v *Viewer) {
	t.Helper()
	h.mu.Lock()
	until := h.polls + 3
	h.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for polls := uint64(0); polls < until && ctx.Err() == nil; time.Sleep(time.Millisecond) {
			h.mu.Lock()
			polls = h.polls
			h.mu.Unlock()
		}
	}()
	if events, err := v.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("unexpected %+v, %v", events, err)
		cancel()
	}
}

func TestViewerSeesStateChangesAndRemoval(t *testing.T) {
	w := &world{}
	w.set("la", "1")
	h := start(t, w, 1, 0)
	all, one := h.Watch(Filter{}, ""), h.Watch(Filter{Key: "la"}, "")
	defer all.Close()
	defer one.Close()
	for _, step := range []struct{ state, all, one string }{
		{"1", "[changed la brief 1]", "[changed la full 1]"},
		{"2", "[changed la brief 2]", "[changed la full 2]"},
		{"", "[removed la ]", "[removed la ]"},
		{"3", "[changed la brief 3]", "[changed la full 3]"},
	} {
		w.set("la", step.state)
		if got, _ := next(t, all); got != step.all {
			t.Errorf("of all: %s, want %s", got, step.all)
		}
		if got, _ := next(t, one); got != step.one {
			t.Errorf("of one: %s, want %s", got, step.one)
		}
	}
	quiet(t, h, all)
}

func TestViewerComesBackWithoutSeeingTheSameAgain(t *testing.T) {
	w := &world{}
	w.set("la", "1")
	w.set("lb", "1")
	h := start(t, w, 1, 0)
	v := h.Watch(Filter{}, "")
	_, last := next(t, v)
	v.Close()
	w.set("lb", "2")
	v = h.Watch(Filter{}, last)
	defer v.Close()
	if got, _ := next(t, v); got != "[changed lb brief 2]" {
		t.Errorf("came back to %s", got)
	}
	quiet(t, h, v)
}

func TestViewerOfOneThingIsKnownToAnotherProcess(t *testing.T) {
	w := &world{}
	w.set("fa", "1")
	v := start(t, w, 1, 0).Watch(Filter{Key: "fa"}, "")
	_, last := next(t, v)
	v.Close()
	other := start(t, w, 2, 0)
	v = other.Watch(Filter{Key: "fa"}, last)
	defer v.Close()
	quiet(t, other, v)
	w.set("fa", "2")
	if got, _ := next(t, v); got != "[changed fa full 2]" {
		t.Errorf("then came %s", got)
	}
}

func TestViewerOfAllIsToldWhenRemovalsAreForgotten(t *testing.T) {
	w := &world{}
	w.set("la", "1")
	v := start(t, w, 1, 0).Watch(Filter{}, "")
	_, last := next(t, v)
	v.Close()
	v = start(t, w, 2, 0).Watch(Filter{}, last)
	defer v.Close()
	if got, _ := next(t, v); got != "[reset  ][changed la brief 1]" {
		t.Errorf("after a restart came %s", got)
	}
}

func TestOwnersSeeTheirOwn(t *testing.T) {
	w := &world{}
	w.set("la", "1")
	w.set("lb", "1")
	h := start(t, w, 1, 0)
	v := h.Watch(Filter{Owner: "b"}, "")
	defer v.Close()
	if got, _ := next(t, v); got != "[changed lb brief 1]" {
		t.Errorf("b sees %s", got)
	}
	w.set("la", "")
	w.set("lb", "")
	if got, _ := next(t, v); got != "[removed lb ]" {
		t.Errorf("b sees %s", got)
	}
}

func TestNobodyLookingCostsNothing(t *testing.T) {
	w := &world{}
	h := start(t, w, 1, 0)
	v := h.Watch(Filter{}, "")
	quiet(t, h, v)
	v.Close()
	h.Poke()
	deadline := time.Now().Add(time.Minute)
	for steady, last := 0, -1; steady < 20; time.Sleep(5 * time.Millisecond) {
		w.mu.Lock()
		if w.polls == last {
			steady++
		} else {
			steady, last = 0, w.polls
		}
		w.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatal("it goes on polling with nobody looking")
		}
	}
}

func TestWhatIsFinalIsForgottenInTheEnd(t *testing.T) {
	w := &world{}
	h := start(t, w, 1, 10)
	all := h.Watch(Filter{}, "")
	defer all.Close()
	for i := range 50 {
		key := fmt.Sprintf("l%d", i)
		w.set(key, "1")
		next(t, all)
		w.set(key, "")
		next(t, all)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.entries) > 10 || h.order.Len() != len(h.entries) {
		t.Errorf("%d things are remembered, %d in order", len(h.entries), h.order.Len())
	}
}

func TestStoppedHubEndsItsViewers(t *testing.T) {
	h := New((&world{}).poll, 1, Options{Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	v := h.Watch(Filter{}, "")
	defer v.Close()
	cancel()
	_ = h.Run(ctx)
	if _, err := v.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("viewer got %v", err)
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"", "1-2-3", "ffffffff-ffffffffffffffff-ffffffff", "1-2", "01-2-3", "1--3", "g-1-1", "1-2-3-4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := parseID(s); ok && id.String() != s {
			t.Errorf("%q came back as %q", s, id)
		}
	})
}
