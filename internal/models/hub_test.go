package models

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/models/modelstest"
)

// fakeHub is a hub with one file, and who asks it.
type fakeHub struct {
	*modelstest.Hub
	asking *Hub
	t      *testing.T
	file   modelstest.File
	waits  []time.Duration
}

func newFakeHub(t *testing.T, size int) *fakeHub {
	r := rand.New(rand.NewPCG(1, uint64(size)))
	h := &fakeHub{t: t, file: modelstest.File{Repo: "owner/tiny", Revision: "main", Path: "onnx/model.onnx", Content: make([]byte, size)}}
	for i := range h.file.Content {
		h.file.Content[i] = byte(r.Uint32())
	}
	h.Hub = modelstest.New(t, h.file)
	h.asking = &Hub{Endpoint: h.URL, Wait: func(_ context.Context, d time.Duration) error {
		h.waits = append(h.waits, d)
		return nil
	}}
	return h
}

func (h *fakeHub) model() Model {
	return Model{Name: "tiny", Repo: h.file.Repo, Revision: h.file.Revision, File: h.file.Path, License: apache}
}

// pull pulls into a store and checks what must hold whatever happens.
func (h *fakeHub) pull(s *Store) (string, error) {
	h.t.Helper()
	last := int64(-1)
	path, err := s.Pull(h.t.Context(), h.asking, h.model(), func(have, size int64) { last = have })
	if leaked := h.Leaked(); leaked != "" {
		h.t.Errorf("the other host was sent %q", leaked)
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
	if err != nil || string(got) != string(h.file.Content) {
		h.t.Fatalf("%d bytes of %d, %v", len(got), len(h.file.Content), err)
	}
	if last != int64(len(h.file.Content)) {
		h.t.Errorf("progress ended at %d", last)
	}
	return path, nil
}

func TestPullFetchesVerifiesAndWritesDown(t *testing.T) {
	h := newFakeHub(t, 300_000)
	h.Trouble(func(now *modelstest.Troubles) { now.Token, now.Renamed = "secret", true })
	h.asking.Token = "secret"
	s := &Store{Dir: t.TempDir()}
	path, err := h.pull(s)
	if err != nil {
		t.Fatal(err)
	}
	l, err := readLock(filepath.Join(filepath.Dir(path), lockName))
	if err != nil || l.SHA256 != h.file.Sum() || l.Commit != "c0ffee" || l.Size != 300_000 || l.License != apache {
		t.Errorf("written down: %+v, %v", l, err)
	}
	installed := Installed{Name: "tiny", Path: path}
	if err := s.Verify(installed); err != nil {
		t.Error(err)
	}
	asked := h.Asked()
	if _, err := h.pull(s); err != nil || len(h.Ranges()) != 1 || h.Asked() != asked {
		t.Errorf("a second pull: %v, %d downloads, %d requests", err, len(h.Ranges()), h.Asked()-asked)
	}
	damaged := slices.Clone(h.file.Content)
	damaged[7]++
	if err := os.WriteFile(path, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(installed); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged model: %v", err)
	}
	if _, err := h.pull(s); err != nil || len(h.Ranges()) != 2 {
		t.Errorf("pulled over a damaged one: %v, %d downloads", err, len(h.Ranges()))
	}
}

func TestBrokenDownloadsGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		troubles modelstest.Troubles
		ranges   []string
	}{
		"cut twice":        {modelstest.Troubles{Cut: []int{100_000, 50_000}}, []string{"", "bytes=100000-", "bytes=150000-"}},
		"without ranges":   {modelstest.Troubles{Cut: []int{100_000}, NoRanges: true}, []string{"", "bytes=100000-", ""}},
		"busy, then fine":  {modelstest.Troubles{Status: []int{429, 503, 0, 500}, StatusAfter: "7"}, []string{""}},
		"an earlier start": {modelstest.Troubles{Cut: []int{200_000, 0, 0, 0, 0, 0}}, []string{"", "bytes=200000-", "bytes=200000-", "bytes=200000-", "bytes=200000-"}},
	} {
		h := newFakeHub(t, 300_000)
		h.Trouble(func(now *modelstest.Troubles) { *now = c.troubles })
		s := &Store{Dir: t.TempDir()}
		_, err := h.pull(s)
		if again := name == "an earlier start"; again != (err != nil) {
			t.Fatalf("%s: %v", name, err)
		}
		if fmt.Sprint(h.Ranges()) != fmt.Sprint(c.ranges) {
			t.Errorf("%s: asked for %q, want %q", name, h.Ranges(), c.ranges)
		}
		if err != nil {
			h.Trouble(func(now *modelstest.Troubles) { now.Cut = nil })
			if _, err := h.pull(s); err != nil || h.Ranges()[len(c.ranges)] != "bytes=200000-" {
				t.Errorf("%s: the next call %v asked for %q", name, err, h.Ranges())
			}
		}
		if name == "busy, then fine" && (len(h.waits) != 3 || h.waits[0] != 7*time.Second) {
			t.Errorf("waited %v", h.waits)
		}
	}
}

func TestWhatCameWholeBeforeACrashIsNotFetchedAgain(t *testing.T) {
	h := newFakeHub(t, 1000)
	s := &Store{Dir: t.TempDir()}
	if err := os.MkdirAll(s.dirOf("tiny"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.pathOf("tiny")+"."+h.file.Sum()[:12]+".part", h.file.Content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := h.pull(s); err != nil || len(h.Ranges()) != 0 {
		t.Errorf("%v, asked for %q", err, h.Ranges())
	}
}

func TestMirrorWithoutTheHubsHeadersIsAskedForThePointer(t *testing.T) {
	h := newFakeHub(t, 1000)
	h.Trouble(func(now *modelstest.Troubles) { now.NoHeaders = true })
	if _, err := h.pull(&Store{Dir: t.TempDir()}); err != nil {
		t.Error(err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		troubles modelstest.Troubles
		prepare  func(h *Hub, s *Store)
		want     string
	}{
		"unknown asker":   {modelstest.Troubles{Token: "secret"}, nil, "set HF_TOKEN"},
		"wrong token":     {modelstest.Troubles{Token: "secret"}, func(h *Hub, _ *Store) { h.Token = "old" }, "doesn't accept the token in HF_TOKEN"},
		"a secret's, too": {modelstest.Troubles{Token: "secret"}, func(h *Hub, _ *Store) { h.Token, h.TokenFrom = "old", "the vault" }, "doesn't accept the token in the vault"},
		"gated":           {modelstest.Troubles{Status: []int{403}}, nil, "accept the model's terms"},
		"no such file":    {modelstest.Troubles{Status: []int{404}}, nil, "no such file"},
		"always busy":     {modelstest.Troubles{Status: []int{429, 429, 429, 429, 429}, StatusAfter: "1"}, nil, "is busy"},
		"wrong bytes":     {modelstest.Troubles{WrongBytes: true}, nil, "thrown away"},
		"disk full":       {modelstest.Troubles{}, func(_ *Hub, s *Store) { s.Free = func() (int64, error) { return 999, nil } }, "make room"},
		"no hub":          {modelstest.Troubles{}, func(h *Hub, _ *Store) { h.Endpoint = "http://127.0.0.1:1" }, "can't be reached"},
	} {
		h, s := newFakeHub(t, 1000), &Store{Dir: t.TempDir()}
		h.Trouble(func(now *modelstest.Troubles) { *now = c.troubles })
		if c.prepare != nil {
			c.prepare(h.asking, s)
		}
		if _, err := h.pull(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSilentHubIsNotWaitedForWithoutEnd(t *testing.T) {
	for name, troubles := range map[string]modelstest.Troubles{
		"no answer": {Silent: make(chan struct{})}, "no byte of the file": {Hold: make(chan struct{})},
	} {
		h, s := newFakeHub(t, 1000), &Store{Dir: t.TempDir()}
		h.asking.Silence = 20 * time.Millisecond
		h.Trouble(func(now *modelstest.Troubles) { *now = troubles })
		if _, err := h.pull(s); err == nil || !strings.Contains(err.Error(), "has sent nothing for 20ms") {
			t.Errorf("%s: %v", name, err)
		}
		if len(h.waits) < attempts-1 {
			t.Errorf("%s: tried again %d times", name, len(h.waits))
		}
		h.Trouble(func(now *modelstest.Troubles) { *now = modelstest.Troubles{} })
		h.asking.Silence = 0
		if _, err := h.pull(s); err != nil {
			t.Errorf("%s, later: %v", name, err)
		}
	}
}

func TestPinnedHashIsNotGivenUp(t *testing.T) {
	h := newFakeHub(t, 1000)
	m := h.model()
	m.SHA256 = strings.Repeat("0", 64)
	if _, err := (&Store{Dir: t.TempDir()}).Pull(t.Context(), h.asking, m, func(int64, int64) {}); err == nil || !strings.Contains(err.Error(), "nothing was fetched") {
		t.Errorf("another hash than the pinned one: %v", err)
	}
	if len(h.Ranges()) != 0 {
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
	t.Setenv("HF_TOKEN", "secret\n")
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
