package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// farFilms are films that are fetched, each as long as its job's number says; held ones don't come until they are let go.
type farFilms struct {
	platform.Objects
	mu      sync.Mutex
	fetched map[string]int
	held    chan struct{}
	fails   error
}

func (f *farFilms) Get(ctx context.Context, key string, _, _ int64) (io.ReadCloser, platform.Object, error) {
	f.mu.Lock()
	f.fetched[key]++
	f.mu.Unlock()
	select {
	case <-f.held:
	case <-ctx.Done():
		return nil, platform.Object{}, ctx.Err()
	}
	return io.NopCloser(strings.NewReader("film " + key)), platform.Object{Key: key, ETag: "1"}, f.fails
}

func far(t *testing.T, room int64) (*sources, *farFilms) {
	t.Helper()
	f := &farFilms{fetched: map[string]int{}, held: make(chan struct{})}
	close(f.held)
	return newSources(f, t.TempDir(), room), f
}

// read opens a film and checks that it is the one asked for.
func read(t *testing.T, s *sources, id string, size int64) (release func()) {
	t.Helper()
	path, release, err := s.open(t.Context(), sourceKey{id, "1"}, size)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "film "+job.SourceKey(id) || err != nil {
		t.Errorf("film %s is %q, %v", id, text, err)
	}
	return release
}

func TestFilmsAreFetchedOnceAndTheOldestMakeRoom(t *testing.T) {
	s, f := far(t, 10)
	for _, id := range []string{"a", "b", "a", "b"} {
		read(t, s, id, 4)()
	}
	read(t, s, "a", 4)() // b was asked for longer ago
	read(t, s, "c", 4)()
	read(t, s, "a", 4)()
	read(t, s, "b", 4)()
	for id, want := range map[string]int{"a": 1, "b": 2, "c": 1} {
		if got := f.fetched[job.SourceKey(id)]; got != want {
			t.Errorf("film %s was fetched %d times, want %d", id, got, want)
		}
	}
	if files, err := os.ReadDir(s.dir); len(files) != 2 || err != nil {
		t.Errorf("%d films are on the disk, %v", len(files), err)
	}
}

func TestFilmsInUseStayAndTooLargeOnesAreRefused(t *testing.T) {
	s, _ := far(t, 10)
	release := read(t, s, "a", 6)
	if _, _, err := s.open(t.Context(), sourceKey{"b", "1"}, 6); !errors.Is(err, errBusy) {
		t.Errorf("beside one in use: %v", err)
	}
	release()
	read(t, s, "b", 6)()
	if _, _, err := s.open(t.Context(), sourceKey{"c", "1"}, 11); !errors.Is(err, errTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestAFilmOnItsWayComesThoughWhoAskedIsGone(t *testing.T) {
	s, f := far(t, 10)
	f.held = make(chan struct{})
	gone, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer leave()
	if _, _, err := s.open(gone, sourceKey{"a", "1"}, 4); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	close(f.held)
	read(t, s, "a", 4)()
	if n := f.fetched[job.SourceKey("a")]; n != 1 {
		t.Errorf("it was fetched %d times", n)
	}
}

func TestAFilmThatFailedOrWasReplacedIsFetchedAgain(t *testing.T) {
	s, f := far(t, 10)
	f.fails = fmt.Errorf("no answer")
	if _, _, err := s.open(t.Context(), sourceKey{"a", "1"}, 4); !errors.Is(err, f.fails) {
		t.Errorf("%v", err)
	}
	f.fails = nil
	read(t, s, "a", 4)()
	if _, _, err := s.open(t.Context(), sourceKey{"a", "2"}, 4); !errors.Is(err, platform.ErrCondition) {
		t.Errorf("another version: %v", err)
	}
	if files, err := os.ReadDir(s.dir); len(files) != 1 || err != nil {
		t.Errorf("%d films are on the disk, %v", len(files), err)
	}
}
