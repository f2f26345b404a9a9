package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeHub is a hub as huggingface.co is: it names a file's hash and sends to another host for its bytes.
type fakeHub struct {
	*Hub
	t       *testing.T
	content []byte
	sum     string
	cdn     *httptest.Server

	mu sync.Mutex
	// What goes wrong.
	status      []int // answers of the next requests to the hub, 0 is none
	cut         []int // bytes after which the next downloads break
	noRanges    bool
	noHeaders   bool // as a mirror that doesn't pass on what the hub says
	wrongBytes  bool
	token       string // that is wanted
	renamed     bool   // the repository moved within the hub
	leaked      string // a token that reached the other host
	ranges      []string
	waits       []time.Duration
	statusAfter string
}

func newFakeHub(t *testing.T, size int) *fakeHub {
	r := rand.New(rand.NewPCG(1, uint64(size)))
	h := &fakeHub{t: t, content: make([]byte, size)}
	for i := range h.content {
		h.content[i] = byte(r.Uint32())
	}
	sum := sha256.Sum256(h.content)
	h.sum = hex.EncodeToString(sum[:])
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveBytes))
	t.Cleanup(h.cdn.Close)
	front := httptest.NewServer(http.HandlerFunc(h.serveHub))
	t.Cleanup(front.Close)
	h.Hub = &Hub{Endpoint: front.URL, Wait: func(_ context.Context, d time.Duration) error {
		h.waits = append(h.waits, d)
		return nil
	}}
	return h
}

func (h *fakeHub) model() Model {
	return Model{Name: "tiny", Repo: "owner/tiny", Revision: "main", File: "onnx/model.onnx", License: apache}
}

func (h *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.status) > 0 {
		status := h.status[0]
		h.status = h.status[1:]
		if status != 0 {
			if h.statusAfter != "" {
				w.Header().Set("Retry-After", h.statusAfter)
			}
			w.WriteHeader(status)
			return
		}
	}
	if h.token != "" && r.Header.Get("Authorization") != "Bearer "+h.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if path, ok := strings.CutPrefix(r.URL.Path, "/owner/"); ok && h.renamed {
		http.Redirect(w, r, "/renamed/"+path, http.StatusTemporaryRedirect)
		return
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/tiny/raw/main/onnx/model.onnx"):
		fmt.Fprintf(w, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", h.sum, len(h.content))
	case strings.HasSuffix(r.URL.Path, "/tiny/resolve/main/onnx/model.onnx"):
		if !h.noHeaders {
			w.Header().Set("X-Linked-Etag", `"`+h.sum+`"`)
			w.Header().Set("X-Linked-Size", fmt.Sprint(len(h.content)))
			w.Header().Set("X-Repo-Commit", "c0ffee")
		}
		http.Redirect(w, r, strings.Replace(h.cdn.URL, "127.0.0.1", "localhost", 1)+"/bytes", http.StatusFound)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// serveBytes is the other host.
func (h *fakeHub) serveBytes(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	content := h.content
	if h.wrongBytes {
		content = make([]byte, len(content))
	}
	h.leaked += r.Header.Get("Authorization")
	h.ranges = append(h.ranges, r.Header.Get("Range"))
	if h.noRanges {
		r.Header.Del("Range")
	}
	cut := -1
	if len(h.cut) > 0 {
		cut, h.cut = h.cut[0], h.cut[1:]
	}
	h.mu.Unlock()
	if cut >= 0 {
		w = &cutWriter{w, cut}
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(content)))
}

// cutWriter breaks the connection after some bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		c.ResponseWriter.Write(p[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// pull pulls into a store and checks what must hold whatever happens.
func (h *fakeHub) pull(s *Store) (string, error) {
	h.t.Helper()
	last := int64(-1)
	path, err := s.Pull(h.t.Context(), h.Hub, h.model(), func(have, size int64) { last = have })
	if h.leaked != "" {
		h.t.Errorf("the other host was sent %q", h.leaked)
	}
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			h.t.Errorf("more than one line: %v", err)
		}
		if _, err := os.Stat(s.pathOf("tiny")); err == nil {
			h.t.Error("after a failure there is a model")
		}
		return path, err
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != string(h.content) {
		h.t.Fatalf("%d bytes of %d, %v", len(got), len(h.content), err)
	}
	if last != int64(len(h.content)) {
		h.t.Errorf("progress ended at %d", last)
	}
	return path, nil
}

func TestPullFetchesVerifiesAndWritesDown(t *testing.T) {
	h := newFakeHub(t, 300_000)
	h.token, h.Token, h.renamed = "secret", "secret", true
	s := &Store{Dir: t.TempDir()}
	path, err := h.pull(s)
	if err != nil {
		t.Fatal(err)
	}
	l, err := readLock(filepath.Join(filepath.Dir(path), lockName))
	if err != nil || l.SHA256 != h.sum || l.Commit != "c0ffee" || l.Size != 300_000 || l.License != apache {
		t.Errorf("written down: %+v, %v", l, err)
	}
	installed := Installed{Name: "tiny", Path: path}
	if err := s.Verify(installed); err != nil {
		t.Error(err)
	}
	if _, err := h.pull(s); err != nil || len(h.ranges) != 1 {
		t.Errorf("a second pull: %v, %d downloads", err, len(h.ranges))
	}
	h.content[7]++
	if err := os.WriteFile(path, h.content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(installed); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged model: %v", err)
	}
}

func TestBrokenDownloadsGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(h *fakeHub)
		ranges  []string
	}{
		"cut twice":        {func(h *fakeHub) { h.cut = []int{100_000, 50_000} }, []string{"", "bytes=100000-", "bytes=150000-"}},
		"without ranges":   {func(h *fakeHub) { h.cut, h.noRanges = []int{100_000}, true }, []string{"", "bytes=100000-", ""}},
		"busy, then fine":  {func(h *fakeHub) { h.status, h.statusAfter = []int{429, 503, 0, 500}, "7" }, []string{""}},
		"an earlier start": {func(h *fakeHub) { h.cut = []int{200_000, 0, 0, 0, 0, 0} }, []string{"", "bytes=200000-", "bytes=200000-", "bytes=200000-", "bytes=200000-"}},
	} {
		h := newFakeHub(t, 300_000)
		c.prepare(h)
		s := &Store{Dir: t.TempDir()}
		_, err := h.pull(s)
		if again := name == "an earlier start"; again != (err != nil) {
			t.Fatalf("%s: %v", name, err)
		}
		if fmt.Sprint(h.ranges) != fmt.Sprint(c.ranges) {
			t.Errorf("%s: asked for %q, want %q", name, h.ranges, c.ranges)
		}
		if err != nil {
			h.cut, h.ranges = nil, nil
			if _, err := h.pull(s); err != nil || h.ranges[0] != "bytes=200000-" {
				t.Errorf("%s: the next call %v asked for %q", name, err, h.ranges)
			}
		}
		if name == "busy, then fine" && (len(h.waits) != 3 || h.waits[0] != 7*time.Second) {
			t.Errorf("waited %v", h.waits)
		}
	}
}

func TestMirrorWithoutTheHubsHeadersIsAskedForThePointer(t *testing.T) {
	h := newFakeHub(t, 1000)
	h.noHeaders = true
	if _, err := h.pull(&Store{Dir: t.TempDir()}); err != nil {
		t.Error(err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(h *fakeHub, s *Store)
		want    string
	}{
		"unknown asker": {func(h *fakeHub, _ *Store) { h.token = "secret" }, "set HF_TOKEN"},
		"wrong token":   {func(h *fakeHub, _ *Store) { h.token, h.Token = "secret", "old" }, "doesn't accept the token"},
		"gated":         {func(h *fakeHub, _ *Store) { h.status = []int{403} }, "accept the model's terms"},
		"no such file":  {func(h *fakeHub, _ *Store) { h.status = []int{404} }, "no such file"},
		"always busy":   {func(h *fakeHub, _ *Store) { h.status, h.statusAfter = []int{429, 429, 429, 429, 429}, "1" }, "is busy"},
		"wrong bytes":   {func(h *fakeHub, _ *Store) { h.wrongBytes = true }, "thrown away"},
		"disk full":     {func(_ *fakeHub, s *Store) { s.Free = func() (int64, error) { return 999, nil } }, "make room"},
		"no hub":        {func(h *fakeHub, _ *Store) { h.Endpoint = "http://127.0.0.1:1" }, "can't be reached"},
	} {
		h, s := newFakeHub(t, 1000), &Store{Dir: t.TempDir()}
		c.prepare(h, s)
		if _, err := h.pull(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPinnedHashIsNotGivenUp(t *testing.T) {
	h := newFakeHub(t, 1000)
	m := h.model()
	m.SHA256 = strings.Repeat("0", 64)
	if _, err := (&Store{Dir: t.TempDir()}).Pull(t.Context(), h.Hub, m, func(int64, int64) {}); err == nil || !strings.Contains(err.Error(), "nothing was fetched") {
		t.Errorf("another hash than the pinned one: %v", err)
	}
	if len(h.ranges) != 0 {
		t.Error("bytes were fetched")
	}
}

func TestEncryptedHubMayNotSendElsewhereInTheOpen(t *testing.T) {
	c := (&Hub{}).client(true)
	request := func(address string) *http.Request {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: u, Header: http.Header{"Authorization": {"Bearer secret"}}}
	}
	via := []*http.Request{request("https://hub.example/a")}
	if err := c.CheckRedirect(request("http://hub.example/a"), via); err == nil {
		t.Error("a redirect to plain HTTP is followed")
	}
	other := request("https://cdn.hub.example/a")
	if err := c.CheckRedirect(other, via); err != nil || other.Header.Get("Authorization") != "" {
		t.Errorf("%v, header %q", err, other.Header)
	}
	same := request("https://hub.example/b")
	if err := c.CheckRedirect(same, via); err != nil || same.Header.Get("Authorization") == "" {
		t.Errorf("%v, header %q", err, same.Header)
	}
}

func TestEnvironmentNamesTheHub(t *testing.T) {
	t.Setenv("HF_ENDPOINT", "https://mirror.example/")
	t.Setenv("HF_TOKEN", "secret")
	if h, err := HubFromEnvironment(); err != nil || h.Endpoint != "https://mirror.example" || h.Token != "secret" {
		t.Errorf("%+v, %v", h, err)
	}
	t.Setenv("HF_ENDPOINT", "mirror")
	if _, err := HubFromEnvironment(); err == nil {
		t.Error("an endpoint that is no address is taken")
	}
}

func FuzzPointer(f *testing.F) {
	f.Add("version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 12\n")
	f.Add("oid\nsize -1")
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok := parsePointer(text); ok && (len(r.sha256) != 64 || r.size <= 0) {
			t.Errorf("%+v", r)
		}
	})
}
