// Package platformtest states the contract of package platform as tests. Every platform runs the same ones, so it
// assumes nothing that only one of them has: no shared files, no clock that can be set, no immediate events.
package platformtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// Fixture is a fresh, empty platform and how to test it.
type Fixture struct {
	platform.Platform
	// Again returns the same platform as another process sees it.
	Again func(t *testing.T) platform.Platform
	// Advance lets d pass on the platform's clock, by sleeping where it has no other way.
	Advance func(d time.Duration)
	// URL makes a signed link absolute.
	URL func(signed string) string
	// Visibility is what the chunking queue hides a received message for.
	Visibility time.Duration
	// Patience is how long something that was done may take to be seen: an event, a woken receiver.
	Patience time.Duration
	// Settle is how long to wait before it is believed that nothing more comes.
	Settle time.Duration
	// Slow platforms get smaller amounts.
	Slow bool
	// Lenient is an emulator that takes whatever it is sent: it checks no signature, expiry or method of a link, doesn't
	// compare an upload's key, ignores If-Range, and may call a link to nothing forbidden. What the real platform refuses
	// by these isn't tested then.
	Lenient bool
	// InMemory platforms keep what they hold in memory, also the content of a big object.
	InMemory bool
}

// Harness opens a fixture that lives as long as the test.
type Harness func(t *testing.T) Fixture

// Run runs the whole suite.
func Run(t *testing.T, open Harness) {
	t.Run("BigObjectIsStreamed", func(t *testing.T) { testBigObject(t, open(t)) }) // alone: it measures memory
	for _, group := range []map[string]func(*testing.T, Fixture){
		objectTests, jobTests, completionTests, leaseTests, queueTests, deadLetterTests, eventTests, uploadTests, linkTests,
		progressTests, accessTests, outboxTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants reports an error other than want.
func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func put(t *testing.T, o platform.Objects, key, content string) platform.Object {
	t.Helper()
	object, err := o.Put(t.Context(), key, strings.NewReader(content), platform.PutOptions{})
	must(t, err)
	return object
}

func read(t *testing.T, o platform.Objects, key string, offset, length int64) string {
	t.Helper()
	r, _, err := o.Get(t.Context(), key, offset, length)
	must(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	must(t, err)
	return string(data)
}

func newJob(t *testing.T, p platform.Platform) job.Job {
	t.Helper()
	now := time.Now()
	j := job.Job{ID: job.NewID(now), Title: "film.mp4", Status: job.Created, CreatedAt: now, Options: job.DefaultOptions()}
	must(t, p.Jobs.Create(t.Context(), j))
	return j
}

// request sends one HTTP request and returns the answer with its body read.
func request(t *testing.T, method, url string, body io.Reader, size int64, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	must(t, err)
	r.ContentLength = size
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer, string(text)
}

// lasting is the test's context for goroutines that may end after it was cancelled.
func lasting(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

// noise is a stream of n bytes that differ everywhere, the same for the same seed.
type noise struct {
	n, at int64
	seed  uint64
}

func (r *noise) Read(p []byte) (int, error) {
	if r.at == r.n {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.n-r.at)]
	for i := range p {
		at := uint64(r.at) + uint64(i)
		p[i] = byte((at*0x9e3779b97f4a7c15 + r.seed*0xbf58476d1ce4e5b9) >> 56)
	}
	r.at += int64(len(p))
	return len(p), nil
}

// same reads r to its end and reports where it differs from the stream that is expected.
func same(t *testing.T, r, want io.Reader) {
	t.Helper()
	a, b := make([]byte, 1<<16), make([]byte, 1<<16)
	for at := int64(0); ; at += int64(len(a)) {
		n, err := io.ReadFull(r, a)
		m, other := io.ReadFull(want, b)
		if n != m || string(a[:n]) != string(b[:m]) {
			t.Fatalf("contents differ within %d bytes from %d", len(a), at)
		}
		if err != nil || other != nil {
			if err != other {
				t.Fatalf("ends with %v, want %v", err, other)
			}
			return
		}
	}
}
