// Package modelstest is a hub of models for tests: real HTTP, with the troubles that a hub and the way to it have.
package modelstest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// File is one file of one repository.
type File struct {
	Repo, Revision, Path string
	Content              []byte
}

// Sum is the content's SHA-256, hexadecimal.
func (f File) Sum() string {
	sum := sha256.Sum256(f.Content)
	return hex.EncodeToString(sum[:])
}

// Troubles are what goes wrong from now on.
type Troubles struct {
	Status      []int  // answers of the next requests to the hub, 0 is none
	StatusAfter string // Retry-After of those
	Cut         []int  // bytes after which the next downloads break
	// Hold, if not nil, stops every download after HoldAt bytes until it is closed.
	Hold   <-chan struct{}
	HoldAt int
	// Silent, if not nil, keeps every request to the hub without an answer until it is closed.
	Silent     <-chan struct{}
	NoRanges   bool
	NoHeaders  bool // as a mirror that doesn't pass on what the hub says
	WrongBytes bool
	Token      string // that is wanted; empty: none
	Renamed    bool   // the repositories moved within the hub
}

// Hub is as huggingface.co is: it names a file's hash and sends to another host for its bytes. Safe for concurrent use.
type Hub struct {
	URL    string // of the hub; HF_ENDPOINT
	files  []File
	cdn    *httptest.Server
	closed []func()

	mu       sync.Mutex
	troubles Troubles
	leaked   string
	ranges   []string
	asked    int
}

// New starts a hub that has the files. It ends with the test.
func New(t testing.TB, files ...File) *Hub {
	t.Helper()
	h := &Hub{files: files}
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveBytes))
	front := httptest.NewServer(http.HandlerFunc(h.serveHub))
	h.URL, h.closed = front.URL, []func(){front.CloseClientConnections, front.Close, h.cdn.CloseClientConnections, h.cdn.Close}
	t.Cleanup(h.Close)
	return h
}

// Close switches the hub off, whatever it is at. Hold must be closed by then.
func (h *Hub) Close() {
	for _, end := range h.closed {
		end()
	}
}

// Trouble changes what goes wrong.
func (h *Hub) Trouble(change func(t *Troubles)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.troubles)
}

// Ranges returns the Range headers of the downloads so far.
func (h *Hub) Ranges() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.ranges...)
}

// Asked counts the requests to the hub itself.
func (h *Hub) Asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// Leaked returns the tokens that reached the other host; there should be none.
func (h *Hub) Leaked() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leaked
}

// next is what becomes of a request to the hub: a status other than 0, and the troubles.
func (h *Hub) next() (status int, now Troubles) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	now = h.troubles
	if len(now.Status) > 0 {
		status, h.troubles.Status = now.Status[0], now.Status[1:]
	}
	return status, now
}

func (h *Hub) serveHub(w http.ResponseWriter, r *http.Request) {
	status, now := h.next()
	if now.Silent != nil {
		wait(r, now.Silent)
	}
	switch {
	case status != 0:
		if now.StatusAfter != "" {
			w.Header().Set("Retry-After", now.StatusAfter)
		}
		w.WriteHeader(status)
		return
	case now.Token != "" && r.Header.Get("Authorization") != "Bearer "+now.Token:
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	path, moved := strings.CutPrefix(r.URL.Path, "/renamed")
	if now.Renamed && !moved {
		http.Redirect(w, r, "/renamed"+path, http.StatusTemporaryRedirect)
		return
	}
	for i, f := range h.files {
		switch path {
		case "/" + f.Repo + "/raw/" + f.Revision + "/" + f.Path:
			fmt.Fprintf(w, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", f.Sum(), len(f.Content))
			return
		case "/" + f.Repo + "/resolve/" + f.Revision + "/" + f.Path:
			h.resolve(w, r, i, now)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

// resolve says what the i-th file is, and where its bytes are.
func (h *Hub) resolve(w http.ResponseWriter, r *http.Request, i int, now Troubles) {
	if !now.NoHeaders {
		w.Header().Set("X-Linked-Etag", `"`+h.files[i].Sum()+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(h.files[i].Content)))
		w.Header().Set("X-Repo-Commit", "c0ffee")
	}
	http.Redirect(w, r, fmt.Sprintf("%s/%d", strings.Replace(h.cdn.URL, "127.0.0.1", "localhost", 1), i), http.StatusFound)
}

// serveBytes is the other host.
func (h *Hub) serveBytes(w http.ResponseWriter, r *http.Request) {
	i := 0
	if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil || i >= len(h.files) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	h.mu.Lock()
	now, content := h.troubles, h.files[i].Content
	h.leaked += r.Header.Get("Authorization")
	h.ranges = append(h.ranges, r.Header.Get("Range"))
	if len(now.Cut) > 0 {
		h.troubles.Cut = now.Cut[1:]
	}
	h.mu.Unlock()
	if now.WrongBytes {
		content = make([]byte, len(content))
	}
	if now.NoRanges {
		r.Header.Del("Range")
	}
	switch {
	case len(now.Cut) > 0:
		w = &limited{w, now.Cut[0], func() { panic(http.ErrAbortHandler) }}
	case now.Hold != nil:
		w = &limited{w, now.HoldAt, func() { wait(r, now.Hold) }}
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(content)))
}

// wait waits until hold is closed or the client has gone.
func wait(r *http.Request, hold <-chan struct{}) {
	select {
	case <-hold:
	case <-r.Context().Done():
	}
}

// limited calls then after some bytes of an answer, which are sent before.
type limited struct {
	http.ResponseWriter
	left int
	then func()
}

// Write implements http.ResponseWriter.
func (l *limited) Write(p []byte) (int, error) {
	if len(p) <= l.left {
		l.left -= len(p)
		return l.ResponseWriter.Write(p)
	}
	n, err := l.ResponseWriter.Write(p[:l.left])
	l.left -= n
	if err != nil {
		return n, err
	}
	l.ResponseWriter.(http.Flusher).Flush() // a server's writer is one
	l.then()
	l.left = len(p)
	rest, err := l.ResponseWriter.Write(p[n:])
	return n + rest, err
}
