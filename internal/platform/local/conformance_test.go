package local

import (
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/platformtest"
)

// clock stands still but for what a test lets pass, so that nothing runs out because the machine is busy.
type clock struct {
	begin  time.Time
	passed atomic.Int64
}

func newClock() *clock { return &clock{begin: time.Now()} }

func (c *clock) now() time.Time          { return c.begin.Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// open opens the store as serve does.
func open(t *testing.T, dir string, now func() time.Time) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{Now: now, Notifications: platform.Notifications()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Fixture {
		dir, c := t.TempDir(), newClock()
		s := open(t, dir, c.now)
		server := httptest.NewServer(s.Handler())
		t.Cleanup(server.Close)
		return platformtest.Fixture{
			Platform: s.Platform(),
			Again:    func(t *testing.T) platform.Platform { return open(t, dir, c.now).Platform() },
			Advance:  c.advance,
			URL: func(signed string) string {
				if !strings.HasPrefix(signed, "/objects/") {
					t.Errorf("a link outside of /objects/: %s", signed)
				}
				return server.URL + signed
			},
			Visibility: platform.ChunkingQueue.Visibility(),
			Patience:   time.Minute,
			Settle:     100 * time.Millisecond,
			Slow:       raceDetector,
		}
	})
}
