package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/inference/inferencetest"
)

// failingStore is an S3 with one segment that fails in a way of its own.
type failingStore struct {
	segment []byte
	get     func(w http.ResponseWriter, r *http.Request, segment []byte) // answers the request for the segment
	put     func(w http.ResponseWriter, r *http.Request)
	puts    atomic.Int64
}

func (s *failingStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPut:
		s.puts.Add(1)
		s.put(w, r)
	case strings.HasPrefix(r.URL.Path, "/forbidden"):
		w.WriteHeader(http.StatusForbidden)
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		}
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/input/"):
		s.get(w, r, s.segment)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func sendWhole(w http.ResponseWriter, _ *http.Request, segment []byte) { _, _ = w.Write(segment) }

// sendHalf sends a half of what it has announced, and hangs up.
func sendHalf(w http.ResponseWriter, _ *http.Request, segment []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(segment)))
	_, _ = w.Write(segment[:len(segment)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// stall sends a half of what it has announced, and nothing more.
func stall(w http.ResponseWriter, r *http.Request, segment []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(segment)))
	_, _ = w.Write(segment[:len(segment)/2])
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// takeHalf reads a half of what is announced, and hangs up.
func takeHalf(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
	panic(http.ErrAbortHandler)
}

func takeWhole(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// blackHole is an address where connections are accepted and nothing is ever answered.
func blackHole(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepted sync.WaitGroup
	var held []net.Conn
	accepted.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			held = append(held, c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepted.Wait()
		for _, c := range held {
			c.Close()
		}
	})
	return "http://" + l.Addr().String()
}

// soonerThanTheSDK is less than its eight attempts take, which is 51 s, and far more than ours do.
const soonerThanTheSDK = 40 * time.Second

func TestInferenceSaysSoonThatItsStoreIsDown(t *testing.T) {
	segment := inferencetest.Film(t, 1)[0]
	content, err := os.ReadFile(segment.Path)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(t *testing.T, s *failingStore) string {
		s.segment = content
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		return server.URL
	}
	for name, c := range map[string]struct {
		store  *failingStore // nil: at address
		at     func(t *testing.T) string
		bucket string // of the output; "output" where empty
		status int
		reason string
		puts   int64
	}{
		"ClosedPort":      {at: func(*testing.T) string { return "http://127.0.0.1:1" }, status: 503, reason: "connection refused"},
		"BlackHole":       {at: blackHole, status: 503, reason: "timeout"},
		"HalfDownload":    {store: &failingStore{get: sendHalf}, status: 503, reason: "unexpected EOF"},
		"StalledDownload": {store: &failingStore{get: stall}, status: 503, reason: "i/o timeout"},
		"HalfUpload":      {store: &failingStore{get: sendWhole, put: takeHalf}, status: 503, reason: "can't be reached", puts: 4},
		"Forbidden":       {store: &failingStore{get: sendWhole}, bucket: "forbidden", status: 400, reason: "the store forbids it"},
		"Well":            {store: &failingStore{get: sendWhole, put: takeWhole}, status: 200, puts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.store != nil {
				c.at = func(t *testing.T) string { return serve(t, c.store) }
			}
			scratch := t.TempDir()
			_, address := startInference(t, []string{"TMPDIR=" + scratch, "AWS_ENDPOINT_URL_S3=" + c.at(t), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"})
			if c.bucket == "" {
				c.bucket = "output"
			}
			body, err := json.Marshal(inference.Invoke(segment.Request("job"), "s3://input/in.mkv", "s3://"+c.bucket+"/out.mp4"))
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			res, err := http.Post(address+"/invocations", "application/json", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			var failure inference.Failure
			if err := json.NewDecoder(res.Body).Decode(&failure); err != nil || res.StatusCode != c.status || !strings.Contains(failure.Reason, c.reason) {
				t.Errorf("%d %+v, %v; want %d: … %s", res.StatusCode, failure, err, c.status, c.reason)
			}
			if got, want := res.Header.Get("Retry-After") != "", c.status == http.StatusServiceUnavailable; got != want {
				t.Errorf("Retry-After: %v, want %v", got, want)
			}
			if took := time.Since(begin); took > soonerThanTheSDK && c.status != http.StatusOK {
				t.Errorf("answered after %v", took)
			} else {
				t.Logf("%d after %v: %s", res.StatusCode, took.Round(time.Millisecond), failure.Reason)
			}
			if c.store != nil && c.store.puts.Load() != c.puts {
				t.Errorf("%d uploads were begun, want %d", c.store.puts.Load(), c.puts)
			}
			checkScratch(t, scratch)
		})
	}
}

// checkScratch wants nothing of a segment below a directory.
func checkScratch(t *testing.T, dir string) {
	t.Helper()
	for _, pattern := range []string{"convert-*", "*/convert-*", "*/*/convert-*"} {
		if left, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(left) != 0 {
			t.Errorf("the scratch directory holds %v, %v", left, err)
		}
	}
}
