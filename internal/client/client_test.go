package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answers starts a server that answers each request with the next of the handlers, the last one for ever. What a
// StereoSpot server can be brought to do is tested against one, in package cli; this is for what it can't.
func answers(t *testing.T, handlers ...http.HandlerFunc) (*Client, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(asked.Add(1)) - 1
		handlers[min(i, len(handlers)-1)](w, r)
	}))
	t.Cleanup(s.Close)
	c, err := New(Config{Server: s.URL + "/", Token: "secret", Patience: 2 * time.Hour}) // no test runs out of it
	if err != nil {
		t.Fatal(err)
	}
	return c, &asked
}

func refuse(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestBusyServerIsAskedAgainAndARefusalIsNot(t *testing.T) {
	ok := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("no token: %v", r.Header)
		}
		fmt.Fprint(w, `{"id":"x"}`)
	}
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	c, asked := answers(t, refuse(503, "busy"), hangUp, refuse(429, "{}"), ok)
	if j, err := c.Get(t.Context(), "x"); err != nil || j.ID != "x" || asked.Load() != 4 {
		t.Errorf("%+v, %v after %d requests", j, err, asked.Load())
	}
	c, asked = answers(t, refuse(409, `{"title":"Conflict","detail":"the job can't be retried: it is completed"}`))
	_, err := c.Retry(t.Context(), "x")
	if err == nil || err.Error() != "the job can't be retried: it is completed" || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}

func TestServersWishToWaitIsKept(t *testing.T) {
	wait := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	c, _ := answers(t, wait, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	begin := time.Now()
	if _, err := c.Get(t.Context(), "x"); err != nil || time.Since(begin) < time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestEndedContextEndsTheTryingAtOnce(t *testing.T) {
	c, asked := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600") // which nobody waits for
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	ctx, cancel := context.WithCancel(t.Context())
	c.config.Retrying = func(error, time.Duration) { cancel() }
	if _, err := c.Get(ctx, "x"); !errors.Is(err, context.Canceled) || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}

func TestRemovalWhoseAnswerWasLostIsARemoval(t *testing.T) {
	c, asked := answers(t, refuse(502, ""), refuse(404, "{}"))
	if err := c.Remove(t.Context(), "x"); err != nil || asked.Load() != 2 {
		t.Errorf("%v", err)
	}
	c, _ = answers(t, refuse(404, `{"detail":"there is no such job"}`))
	if err := c.Remove(t.Context(), "x"); err == nil || err.Error() != "there is no such job" {
		t.Errorf("%v", err)
	}
}

func TestAnswersThatAreNoneAreSaidInOneLine(t *testing.T) {
	for body, want := range map[string]string{
		"<html>bad gateway</html>": " answers 404 Not Found",
		`{"title":"Not Found"}`:    "Not Found",
		`{"detail":"no","errors":[{"location":"body.size","message":"too large"},{"message":"no"}]}`: "no; body.size too large",
	} {
		c, _ := answers(t, refuse(404, body))
		if _, err := c.Get(t.Context(), "x"); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s is said as %v", body, err)
		}
	}
	c, _ := answers(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>sign in</html>") })
	if _, err := c.Get(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "doesn't understand") {
		t.Errorf("%v", err)
	}
	c, _ = answers(t, refuse(401, `{"detail":"who are you?"}`))
	if _, err := c.Get(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "--token") {
		t.Errorf("%v", err)
	}
}

func TestTokenStaysWithTheServer(t *testing.T) {
	c, _ := answers(t, refuse(404, ""))
	for _, signed := range []string{"/objects/input/x?signature=1", "https://bucket.example/x?signature=1"} {
		req, err := c.objectRequest(t.Context(), http.MethodGet, signed, nil)
		if err != nil || len(req.Header) != 0 || !strings.HasSuffix(req.URL.String(), signed) {
			t.Errorf("%v, %v", req, err)
		}
	}
}

func TestServersThatAreNoAddressAreRefused(t *testing.T) {
	for _, server := range []string{"localhost", "ftp://x", "http://", "://", "127.0.0.1:8080"} {
		if _, err := New(Config{Server: server}); err == nil || !strings.Contains(err.Error(), DefaultServer) {
			t.Errorf("%q: %v", server, err)
		}
	}
}

func FuzzProblemsAreOneShortTextWhateverTheBody(f *testing.F) {
	f.Add([]byte(`{"title":"a","detail":"b","errors":[{"message":"c","location":"d"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if text := problemText(body); len(text) > 4*len(body)+16 {
			t.Errorf("%d bytes become %d", len(body), len(text))
		}
	})
}

func TestALinkThatRanOutIsSignedAnewAndAnyOtherRefusalIsFinal(t *testing.T) {
	const expired = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>`
	var signed, sent atomic.Int64
	store := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/parts/1"):
				signed.Add(1)
				fmt.Fprint(w, `{"url":"/bucket/x"}`)
			case r.Method == http.MethodPut && sent.Add(1) == 1:
				refuse(http.StatusForbidden, answer)(w, r)
			case r.Method == http.MethodPut:
				w.Header().Set("ETag", `"1"`)
			case strings.HasSuffix(r.URL.Path, "/complete"):
				fmt.Fprint(w, `{"id":"x","uploaded":true}`)
			case r.Method == http.MethodPost:
				fmt.Fprint(w, `{"part_size":100}`)
			default:
				fmt.Fprint(w, `{}`)
			}
		}
	}
	c, _ := answers(t, store(expired))
	if j, err := c.Upload(t.Context(), "x", strings.NewReader("film"), 4, func(int64) {}); err != nil || !j.Uploaded || signed.Load() != 2 {
		t.Errorf("%+v, %v after %d links", j, err, signed.Load())
	}
	signed.Store(0)
	sent.Store(0)
	c, _ = answers(t, store(`<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`))
	if _, err := c.Upload(t.Context(), "x", strings.NewReader("film"), 4, func(int64) {}); err == nil || err.Error() != "Access Denied" || signed.Load() != 1 {
		t.Errorf("%v after %d links", err, signed.Load())
	}
}

func TestRetryWhoseAnswerWasLostIsARetry(t *testing.T) {
	refused := refuse(409, `{"detail":"the job can't be retried: it is created"}`)
	for status, live := range map[string]bool{"created": true, "completed": false} {
		c, asked := answers(t, refuse(502, ""), refused, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"id":"x","status":%q}`, status) })
		if j, err := c.Retry(t.Context(), "x"); (err == nil && j.ID == "x") != live || asked.Load() != 3 {
			t.Errorf("a job that is %s: %+v, %v after %d requests", status, j, err, asked.Load())
		}
	}
}
