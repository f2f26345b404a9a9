package local

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// serve answers one request by the store's handler.
func serve(t *testing.T, s *Store, method, url string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, url, body))
	return answer
}

func TestObjectsAreServedAsNothingThatABrowserRuns(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), nil)
	for _, c := range []struct{ key, written, want string }{
		{"a.mp4", "", "video/mp4"}, {"a.mkv", "", "video/x-matroska"}, {"a.jpg", "", "image/jpeg"}, {"a.bin", "video/webm", "video/webm"},
		{"a.html", "", "application/octet-stream"}, {"a.svg", "image/svg+xml", "application/octet-stream"},
		{"a", "text/html; charset=utf-8", "application/octet-stream"}, {"b.mp4", "text/javascript", "video/mp4"},
	} {
		put(t, s.Output(), c.key, "x", platform.PutOptions{ContentType: c.written})
		signed, err := s.Platform().Links.SignGet(t.Context(), c.key, platform.LinkOptions{Expires: time.Minute, Inline: true})
		if err != nil {
			t.Fatal(err)
		}
		h := serve(t, s, "GET", signed, nil).Header()
		if h.Get("Content-Type") != c.want || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s written as %q: headers %v", c.key, c.written, h)
		}
		if head := serve(t, s, "HEAD", signed, nil); head.Code != 200 || head.Header().Get("Content-Length") != "1" || head.Body.Len() != 0 {
			t.Errorf("HEAD: %d %v", head.Code, head.Header())
		}
	}
}

func TestHandlerRefusesWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), nil)
	put(t, s.Output(), "a.mp4", "x", platform.PutOptions{})
	for _, url := range []string{
		"/objects/output/a.mp4", "/objects/output/a.mp4?expires=99999999999&signature=", "/objects/", "/objects/output/../../stereospot.db",
		"/objects/output/a.mp4?expires=99999999999&signature=" + strings.Repeat("0", 64), "/objects/output/a.mp4?%zz", "/objects/output/a.mp4?a;b",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT"} {
			if answer := serve(t, s, method, url, nil); answer.Code != http.StatusForbidden && answer.Code != http.StatusBadRequest {
				t.Errorf("%s %s: %d", method, url, answer.Code)
			}
		}
	}
}

func TestPartNeedsALengthWithinTheLimit(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), nil)
	u := uploads{s.Input()}
	id, err := u.Begin(t.Context(), "k", platform.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := u.SignPart(t.Context(), "k", id, 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for length, want := range map[int64]int{-1: http.StatusLengthRequired, platform.MaxPartSize + 1: http.StatusRequestEntityTooLarge, 3: http.StatusOK, 9: http.StatusBadRequest} {
		r := httptest.NewRequestWithContext(t.Context(), "PUT", signed, strings.NewReader("abc"))
		r.ContentLength = length
		answer := httptest.NewRecorder()
		s.Handler().ServeHTTP(answer, r)
		if answer.Code != want {
			t.Errorf("length %d: %d %s, want %d", length, answer.Code, answer.Body, want)
		}
	}
}

// A connection hangs in the middle of a part; its sender gives up on it, sends the part again and completes. Whatever
// the first connection still delivers may not reach the object.
func TestHungConnectionCantWriteIntoACompletedObject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, nil)
	u := uploads{s.Input()}
	id, err := u.Begin(t.Context(), "k", platform.PutOptions{PartSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	hung := make(chan error, 1)
	go func() {
		_, err := u.putPart(context.WithoutCancel(t.Context()), "k", id, 1, 1000, r)
		hung <- err
	}()
	if _, err := w.Write(bytes.Repeat([]byte("x"), 400)); err != nil {
		t.Fatal(err)
	}
	good := bytes.Repeat([]byte("o"), 1000)
	p, err := u.putPart(t.Context(), "k", id, 1, 1000, bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Complete(t.Context(), "k", id, []platform.Part{p}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte("x"), 600)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-hung; err == nil {
		t.Error("the late part was taken")
	}
	if got := read(t, s.Input(), "k", 0, -1); got != string(good) {
		t.Errorf("the object holds %.10q", got)
	}
	checkFiles(t, s.Input().root(), 1)
}

func TestAbandonedUploadsAreSweptAndOthersStay(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, t.TempDir(), c.now)
	u := uploads{s.Input()}
	begin := func(key string) string {
		t.Helper()
		id, err := u.Begin(t.Context(), key, platform.PutOptions{PartSize: 10})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := u.putPart(t.Context(), key, id, 1, 20, strings.NewReader("a part of its own fi")); err != nil {
				t.Fatal(err)
			}
		}
		return id
	}
	begin("old")
	c.advance(platform.UploadIdle + time.Hour)
	id := begin("new")
	if n, err := s.Sweep(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("%d files swept that an upload had, %v", n, err)
	}
	parts, err := u.Parts(t.Context(), "new", id)
	if err != nil || len(parts) != 1 {
		t.Fatalf("%v, %v", parts, err)
	}
	if _, err := u.Complete(t.Context(), "new", id, parts); err != nil {
		t.Fatal(err)
	}
	if got := read(t, s.Input(), "new", 0, -1); got != "a part of its own fi" {
		t.Errorf("the object holds %q", got)
	}
	checkFiles(t, s.Input().root(), 1)
}

// A path is what a request asks for and a query what it brings: no two of them may be signed as the same text.
func FuzzSignaturesDiffer(f *testing.F) {
	f.Add("/objects/output/a", "expires=1", "/objects/output/a", "expires=2")
	f.Add("/objects/output/a\nb=1", "c=2", "/objects/output/a", "b=1\nc=2")
	f.Fuzz(func(t *testing.T, pathA, queryA, pathB, queryB string) {
		a, errA := url.ParseQuery(queryA)
		b, errB := url.ParseQuery(queryB)
		if errA != nil || errB != nil || a.Has("signature") || b.Has("signature") {
			return
		}
		equal := signature(nil, "GET", pathA, a) == signature(nil, "GET", pathB, b)
		if want := pathA == pathB && a.Encode() == b.Encode(); equal != want {
			t.Errorf("%q %q and %q %q: same signature %v", pathA, queryA, pathB, queryB, equal)
		}
	})
}
