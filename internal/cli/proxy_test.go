package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxy stands between a client and a server and breaks connections as it is told.
type proxy struct {
	*httptest.Server
	behind *httputil.ReverseProxy

	mu       sync.Mutex
	requests []string // method, path and the headers by which transfers continue
	putsLeft int      // parts that may still arrive; below 0 all
	cut      chan struct{}
	cutOnce  sync.Once
	bytes    int64  // of an answer to let through before it is cut; 0 is all
	events   int    // that watchers have got
	made     func() // if set, called once a job is made and before that is answered, which it never is; then forgotten
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{putsLeft: -1, cut: make(chan struct{})}
	p.behind = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(u) },
		FlushInterval: -1,
		// The server is gone: so is the connection.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     quietLog(),
	}
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ErrorLog = quietLog()
	p.Start()
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests = append(p.requests, strings.TrimSpace(strings.Join([]string{r.Method, r.URL.Path, r.Header.Get("Range"), r.Header.Get("Last-Event-ID")}, " ")))
	limit, made := p.bytes, p.made
	makes := made != nil && r.Method == http.MethodPost && r.URL.Path == "/api/v1/jobs"
	if makes {
		p.made = nil
	}
	p.mu.Unlock()
	if makes {
		p.behind.ServeHTTP(httptest.NewRecorder(), r)
		made()
		panic(http.ErrAbortHandler)
	}
	if r.Method == http.MethodPut && !p.admit() {
		_, _ = io.CopyN(io.Discard, r.Body, 100_000) // in the middle of the part
		p.cutOnce.Do(func() { close(p.cut) })
		panic(http.ErrAbortHandler)
	}
	if limit > 0 && (strings.HasSuffix(r.URL.Path, "/events") || strings.HasPrefix(r.URL.Path, "/objects/")) {
		w = &cutWriter{ResponseWriter: w, left: limit}
	}
	if strings.HasSuffix(r.URL.Path, "/events") {
		w = &eventWriter{ResponseWriter: w, p: p}
	}
	p.behind.ServeHTTP(w, r)
}

// admit counts the parts that arrive.
func (p *proxy) admit() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.putsLeft == 0 {
		return false
	}
	p.putsLeft--
	return true
}

// seen returns the requests so far that begin with start.
func (p *proxy) seen(start string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, r := range p.requests {
		if strings.HasPrefix(r, start) {
			list = append(list, r)
		}
	}
	return list
}

// set changes how the proxy breaks connections, and forgets what it has seen.
func (p *proxy) set(change func(*proxy)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = nil
	change(p)
}

// cutWriter breaks the connection after some bytes.
type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *cutWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > w.left {
		_, _ = w.ResponseWriter.Write(b[:w.left])
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	w.left -= int64(len(b))
	return w.ResponseWriter.Write(b)
}

// delivered returns how many events have left for watchers.
func (p *proxy) delivered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

// eventWriter counts the events that have left: a connection that is closed now doesn't take them back.
type eventWriter struct {
	http.ResponseWriter
	p *proxy
}

func (w *eventWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *eventWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	if err == nil {
		err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	if err == nil {
		w.p.mu.Lock()
		w.p.events += bytes.Count(b, []byte("\nevent: "))
		w.p.mu.Unlock()
	}
	return n, err
}

// smallFilm renders a film of n frames at 25 per second, with sound.
func smallFilm(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	d := float64(n) / 25
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=160x90:r=25:d="+ftoa(d)+" -f lavfi -i sine=d="+ftoa(d)+" -c:v libx264 -preset ultrafast -g 12 -c:a aac film.mp4")
	return filepath.Join(dir, "film.mp4")
}

// swell makes a film large without making it long: MP4's readers skip a box of type free (ISO/IEC 14496-12, 8.1.2).
// The bytes differ everywhere, so that parts can't be mistaken for each other.
func swell(t testing.TB, path string, size int) {
	t.Helper()
	box := make([]byte, size)
	binary.BigEndian.PutUint32(box, uint32(size))
	copy(box[4:], "free")
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(box[8:])
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(box); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkSameFilm wants got to show the pictures of want, at their times, with its sound.
func checkSameFilm(t *testing.T, got, want string) {
	t.Helper()
	sameTimes(t, frameTimes(t, got), frameTimes(t, want), 0)
	a, b := decodedHash(t, got), decodedHash(t, want)
	if len(a) != len(b) {
		t.Fatalf("%d frames, want %d", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("frame %d differs", i)
		}
	}
	sound, wantSound := soundPackets(t, got), soundPackets(t, want)
	if len(sound) != 1 || len(wantSound) != 1 || len(sound[0]) != len(wantSound[0]) {
		t.Fatalf("%d sound tracks, want %d of the same length", len(sound), len(wantSound))
	}
	for i := range sound[0] {
		if sound[0][i] != wantSound[0][i] {
			t.Fatalf("packet %d of the sound is %v, want %v", i, sound[0][i], wantSound[0][i])
		}
	}
}

// background runs the command line until it ends or stop is called.
func background(t *testing.T, args ...string) (stop context.CancelFunc, ended <-chan result) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan result, 1)
	go func() {
		var out, errOut bytes.Buffer
		code := run(ctx, args, streams{strings.NewReader(""), &out, &errOut})
		done <- result{code, out.String(), errOut.String()}
	}()
	return stop, done
}

// await returns what comes, or fails the test after a time that only a broken program needs.
func await[V any](t *testing.T, from <-chan V) V {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happens")
	}
	panic("unreachable")
}

// nobody is an address that nobody listens at: no system gives port 1 away.
const nobody = "127.0.0.1:1"
