package models

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/models/modelstest"
)

// fetcher returns one of the hub's model into a directory, and its log.
func (h *fakeHub) fetcher(dir string, list ...Model) (*Fetcher, *record) {
	if list == nil {
		list = []Model{h.model()}
	}
	said := &record{}
	return &Fetcher{
		Store: &Store{Dir: dir}, Models: list, Log: slog.New(slog.NewTextHandler(said, nil)),
		Open: func(context.Context) (*Hub, error) { return h.asking, nil },
	}, said
}

// record is a log that may be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) count(word string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), word)
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestFetcherOutlastsAHubThatIsDown(t *testing.T) {
	h := newFakeHub(t, 1000)
	f, log := h.fetcher(t.TempDir())
	h.asking.Token = "hf_secret"
	down := make([]int, 40)
	for i := range down {
		down[i] = 503
	}
	h.Trouble(func(now *modelstest.Troubles) { now.Status = down })
	var states []string
	wait := h.asking.Wait
	h.asking.Wait = func(ctx context.Context, d time.Duration) error {
		states = append(states, f.State())
		return wait(ctx, d)
	}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(h.waits) != 40 || h.waits[0] != firstPause || h.waits[3] != 8*firstPause || h.waits[39] != longestPause {
		t.Errorf("waited %v", h.waits)
	}
	if n := log.count("can't be fetched yet"); n != 40 {
		t.Errorf("%d of 40 failures are in the log", n)
	}
	if want := "fetching tiny (" + strings.TrimPrefix(h.URL, "http://") + " is busy (503 Service Unavailable))"; states[0] != want {
		t.Errorf("its state is %q, want %q", states[0], want)
	}
	if log.count("hf_secret") > 0 || h.Leaked() != "" {
		t.Error("the token is told")
	}
}

func TestFetcherSaysHowFarItIsAndGoesOnAfterACut(t *testing.T) {
	h := newFakeHub(t, 1000)
	f, _ := h.fetcher(t.TempDir())
	goOn := make(chan struct{})
	h.Trouble(func(now *modelstest.Troubles) { now.Hold, now.HoldAt = goOn, 414 })
	ended := make(chan error, 1)
	go func() { ended <- f.Run(t.Context()) }()
	until(t, "41 % are here", func() bool { return f.State() == "fetching tiny: 41 %" })
	close(goOn)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestFetcherWithoutAHubUsesWhatIsHere(t *testing.T) {
	h := newFakeHub(t, 1000)
	dir := t.TempDir()
	first, _ := h.fetcher(dir)
	if err := first.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	own := []byte("of the operator's own")
	sum := modelstest.File{Content: own}.Sum()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "mine.onnx"), own, 0o644), os.Mkdir(filepath.Join(dir, "copied"), 0o755),
		os.WriteFile(filepath.Join(dir, "copied", fileName), own, 0o644)); err != nil {
		t.Fatal(err)
	}
	copied := h.model()
	copied.Name = "copied"
	second, log := h.fetcher(dir, h.model(), Model{Name: "mine", SHA256: sum}, copied)
	second.Open = func(context.Context) (*Hub, error) { return nil, errors.New("the hub was opened") }
	if err := second.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if log.count("nothing is known to compare it with") != 1 {
		t.Error("a file that nobody knows is used in silence")
	}
	for want, m := range map[string]Model{"has SHA-256": {Name: "mine", SHA256: strings.Repeat("0", 64)}, "has to be in": {Name: "yours", SHA256: sum}} {
		f, _ := h.fetcher(dir, m)
		if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

func TestFetcherEndsOnWhatDoesNotPass(t *testing.T) {
	for want, troubles := range map[string]modelstest.Troubles{
		"set HF_TOKEN": {Token: "secret"}, "accept the model's terms": {Status: []int{403}}, "thrown away": {WrongBytes: true}, "no such file": {Status: []int{404}},
	} {
		h := newFakeHub(t, 1000)
		h.Trouble(func(now *modelstest.Troubles) { *now = troubles })
		f, _ := h.fetcher(t.TempDir())
		if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(h.waits) > 0 {
			t.Errorf("%v after %v", err, h.waits)
		}
	}
}

func TestFetcherEndsWithItsContext(t *testing.T) {
	h := newFakeHub(t, 1000)
	h.asking.Endpoint, h.asking.Wait = "http://127.0.0.1:1", nil
	f, log := h.fetcher(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	until(t, "it waits", func() bool { return log.count("can't be fetched yet") > 0 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestOneOfTwoProcessesFetches(t *testing.T) {
	h := newFakeHub(t, 1000)
	dir := t.TempDir()
	first, _ := h.fetcher(dir)
	hold := make(chan struct{})
	h.Trouble(func(now *modelstest.Troubles) { now.Hold, now.HoldAt = hold, 500 })
	ended := make(chan error, 2)
	go func() { ended <- first.Run(t.Context()) }()
	until(t, "one fetches", func() bool { return first.State() == "fetching tiny: 50 %" })

	if _, err := (&Store{Dir: dir}).Pull(t.Context(), &Hub{Endpoint: h.URL}, h.model(), func(int64, int64) {}); err == nil || !strings.Contains(err.Error(), "another stereospot") {
		t.Errorf("whoever has no patience hears %v", err)
	}
	second, log := h.fetcher(dir)
	second.Open = func(context.Context) (*Hub, error) {
		return &Hub{Endpoint: h.URL, Wait: func(ctx context.Context, _ time.Duration) error { time.Sleep(time.Millisecond); return ctx.Err() }}, nil
	}
	go func() { ended <- second.Run(t.Context()) }()
	until(t, "the other waits", func() bool { return second.State() == "fetching tiny (another stereospot fetches tiny)" })
	close(hold)
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := len(h.Ranges()); n != 1 || log.count("another stereospot") != 1 {
		t.Errorf("%d downloads; the log mentions the other %d times", n, log.count("another stereospot"))
	}
}
