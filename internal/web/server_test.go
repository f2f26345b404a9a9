package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
	"github.com/stereospot/stereospot/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a running server on a fresh data directory.
type site struct {
	*httptest.Server
	platform platform.Platform
	t        testing.TB
}

func newSite(t testing.TB, adjust ...func(*web.Config)) *site {
	t.Helper()
	store, err := local.Open(t.Context(), t.TempDir(), local.Options{Notifications: platform.Notifications()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	p := store.Platform()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	config := web.Config{Platform: p, Actions: &pipeline.Pipeline{Platform: p, Log: log, Now: time.Now}, Objects: store.Handler(), Log: log, Version: "test", PollEvery: 20 * time.Millisecond}
	for _, f := range adjust {
		f(&config)
	}
	server, err := web.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Server: httptest.NewServer(server), platform: config.Platform, t: t}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return s
}

// call sends body as JSON (nil: none), demands the status, and decodes the answer into out (nil: not).
func (s *site) call(method, path string, body any, status int, out any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != status {
		s.t.Fatalf("%s %s: %s, want %d: %s", method, path, resp.Status, status, answer)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(answer, out); err != nil {
		s.t.Fatalf("%s %s: %v: %s", method, path, err, answer)
	}
}
