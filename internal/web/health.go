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
	mux.Handle("GET /readyz", readiness{append([]Probe{{"store", s.storeWritable}, {"disk", s.diskHasRoom}}, s.Probes...)})
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // the other end may be gone
}

// readiness answers with the outcome of every probe: 200 when all are well, else 503.
type readiness struct{ probes []Probe }

// ServeHTTP implements http.Handler.
func (h readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probeFor)
	defer cancel()
	status, checks := http.StatusOK, []check{}
	for _, p := range h.probes {
		c := check{Name: p.Name, OK: true}
		if err := p.Check(ctx); err != nil {
			c.OK, c.Detail, status = false, err.Error(), http.StatusServiceUnavailable
		}
		checks = append(checks, c)
	}
	body, err := json.Marshal(map[string]any{"ready": status == http.StatusOK, "checks": checks})
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the other end may be gone
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
