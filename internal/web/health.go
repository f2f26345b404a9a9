package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// Probe checks one thing that the server can't do without.
type Probe struct {
	Name  string
	Check func(context.Context) error // nil, or one line that says what is wrong
}

// probeFor bounds all probes together: whoever asks whether the server is ready won't wait for long.
const probeFor = 5 * time.Second

// check is a probe's outcome.
type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// healthRoutes adds what watches the server: /healthz says that the process answers, /readyz that it can take work.
func (s *Server) healthRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", healthy)
	mux.Handle("GET /readyz", newReadiness(s.ReadyEvery, append([]Probe{{"store", s.storeWritable}, {"disk", s.diskHasRoom}}, s.Probes...)))
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // the other end may be gone
}

// readiness answers with the outcome of every probe: 200 when all are well, else 503. Whoever asks while the probes run,
// or within remember of their end, is told what they find: asking often mustn't cost often.
type readiness struct {
	probes   []Probe
	remember time.Duration
	turn     chan struct{} // holds a token while the probes run

	asOf  time.Time
	ready bool
	body  []byte
}

func newReadiness(remember time.Duration, probes []Probe) *readiness {
	return &readiness{probes: probes, remember: remember, turn: make(chan struct{}, 1)}
}

// ServeHTTP implements http.Handler.
func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ready, body, err := h.find(r.Context())
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body) // the other end may be gone
}

// find returns what the probes have found, asking them anew when that is too long ago.
func (h *readiness) find(ctx context.Context) (ready bool, body []byte, err error) {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return false, nil, ctx.Err()
	}
	defer func() { <-h.turn }()
	if h.body != nil && time.Since(h.asOf) < h.remember {
		return h.ready, h.body, nil
	}
	var checks []check
	h.ready, checks = probeAll(ctx, h.probes)
	h.asOf = time.Now()
	h.body, err = json.Marshal(map[string]any{"ready": h.ready, "checks": checks})
	return h.ready, h.body, err
}

// probeAll asks every probe. That who asked has gone away doesn't cut it short: others wait for the same answer.
func probeAll(ctx context.Context, probes []Probe) (ready bool, checks []check) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeFor)
	defer cancel()
	ready, checks = true, []check{}
	for _, p := range probes {
		c := check{Name: p.Name, OK: true}
		if err := p.Check(ctx); err != nil {
			c.OK, c.Detail, ready = false, err.Error(), false
		}
		checks = append(checks, c)
	}
	return ready, checks
}

// storeWritable writes to the store, and removes what it wrote.
func (s *Server) storeWritable(ctx context.Context) error {
	owner := rand.Text()
	err := s.Platform.Leases.Acquire(ctx, "readyz/"+owner, owner, time.Second)
	if err = errors.Join(err, s.Platform.Leases.Release(ctx, "readyz/"+owner, owner)); err != nil {
		s.Log.WarnContext(ctx, "the store can't be written", "err", err)
		if errors.Is(err, platform.ErrFull) {
			return platform.ErrFull
		}
		return errors.New("the store can't be written: see the server's log")
	}
	return nil
}

func (s *Server) diskHasRoom(context.Context) error {
	if s.FreeBytes == nil {
		return nil
	}
	free, err := s.FreeBytes()
	if err == nil && free <= 0 {
		return fmt.Errorf("the disk is full: remove jobs, or make room; work goes on by itself then")
	}
	return err
}
