package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
)

// doomed is the format of films whose segments no backend of these tests can convert.
const doomed = job.Format("anaglyph")

// doomedReason is what the backend behind a wall has to say of them.
const doomedReason = "the GPU has fallen off the bus"

// wall stands before an inference service: it holds conversions back, breaks down on doomed films, and counts.
type wall struct {
	URL     string
	service http.Handler

	mu     sync.Mutex
	open   chan struct{}  // closed: conversions go through
	held   int            // conversions that wait for that
	tries  int            // at doomed segments
	done   map[string]int // conversions by "{job_id}/{segment}": answered, and not kept from an earlier one
	broken map[string]int // by the same: begun, and ended without an answer of the service
}

// newWall stands before the service at an address for as long as the test lives.
func newWall(t *testing.T, address string) *wall {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w := &wall{service: httputil.NewSingleHostReverseProxy(u), open: make(chan struct{}), done: map[string]int{}, broken: map[string]int{}}
	close(w.open)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// hold lets no conversion through any more; what it returns lets them through again.
func (w *wall) hold() (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = make(chan struct{})
	return sync.OnceFunc(func() { close(w.open) })
}

// waiting counts the conversions that are held back.
func (w *wall) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held
}

// doomedTries counts the invocations that it broke down on.
func (w *wall) doomedTries() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tries
}

// ServeHTTP implements http.Handler.
func (w *wall) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in inference.Invocation
	if r.URL.Path != "/invocations" || json.Unmarshal(body, &in) != nil {
		w.service.ServeHTTP(answer, r)
		return
	}
	if in.Format == doomed {
		w.breakDown(answer, in)
		return
	}
	if !w.pass(r) {
		return
	}
	said := httptest.NewRecorder()
	w.service.ServeHTTP(said, r)
	w.note(in, said, r.Context().Err() != nil)
	for name, values := range said.Header() {
		answer.Header()[name] = values
	}
	answer.WriteHeader(said.Code)
	_, _ = answer.Write(said.Body.Bytes()) // the client may be gone
}

func (w *wall) breakDown(answer http.ResponseWriter, in inference.Invocation) {
	w.mu.Lock()
	w.tries++
	w.broken[segmentName(in)]++
	w.mu.Unlock()
	answer.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(answer).Encode(inference.NewFailure(http.StatusInternalServerError, errors.New(doomedReason))) // the client may be gone
}

// pass waits until conversions may go through; false: its client has gone before.
func (w *wall) pass(r *http.Request) bool {
	w.mu.Lock()
	open := w.open
	w.held++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.held--
		w.mu.Unlock()
	}()
	select {
	case <-open:
		return true
	case <-r.Context().Done():
		return false
	}
}

// note counts what the service has said of a segment. Whoever was gone by then may ask again for it.
func (w *wall) note(in inference.Invocation, said *httptest.ResponseRecorder, gone bool) {
	segment := segmentName(in)
	var a inference.Answer
	w.mu.Lock()
	defer w.mu.Unlock()
	if said.Code == http.StatusOK && json.Unmarshal(said.Body.Bytes(), &a) == nil && !a.Kept {
		w.done[segment]++
	}
	if gone || said.Code != http.StatusOK {
		w.broken[segment]++
	}
}

// segmentName names a segment as "{job_id}/{index}".
func segmentName(in inference.Invocation) string { return segmentOf(in.JobID, in.SegmentIndex) }
