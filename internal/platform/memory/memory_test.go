package memory

import (
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/platformtest"
)

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Fixture {
		var ahead atomic.Int64
		s := New(Options{
			Now:           func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
			Notifications: platform.Notifications(),
		})
		server := httptest.NewServer(s.Handler())
		t.Cleanup(server.Close)
		return platformtest.Fixture{
			Platform:   s.Platform(),
			Again:      func(*testing.T) platform.Platform { return s.Platform() },
			Advance:    func(d time.Duration) { ahead.Add(int64(d)); s.Wake() },
			URL:        func(signed string) string { return server.URL + signed },
			Visibility: platform.ChunkingQueue.Visibility(),
			Patience:   time.Minute,
			Settle:     50 * time.Millisecond,
			InMemory:   true,
		}
	})
}
