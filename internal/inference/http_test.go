package inference_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/inference/inferencetest"
	"github.com/stereospot/stereospot/internal/inference/service"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/memory"
)

const jobID = "01893f8e-5a3c-7000-8000-000000000001"

// bench is a segment in a store in memory, and a service that shares a directory with its clients.
type bench struct {
	platform.Platform
	segment inferencetest.Segment
	request inference.Request
	shared  string
	service http.Handler
}

func newBench(t *testing.T) *bench {
	b := &bench{Platform: memory.New(memory.Options{}).Platform(), shared: t.TempDir(), segment: inferencetest.Film(t, 1)[0]}
	b.request = b.segment.Request(jobID)
	b.segment.Store(t, b.Input, b.request)
	s, err := service.New(t.Context(), service.Config{
		Jobs: 1, Scratch: t.TempDir(), Folders: []string{b.shared}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Bucket: func(name string) service.Store {
			if name == "films-input" {
				return b.Input
			}
			return b.Output
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b.service = s
	return b
}

func (b *bench) folder() inference.Folder {
	return inference.Folder{Dir: b.shared, Input: b.Input, Output: b.Output}
}

// quick are limits that a test can wait for.
func quick() inference.Limits {
	return inference.Limits{Timeout: 5 * time.Minute, Unreachable: 50 * time.Millisecond, Pause: 5 * time.Millisecond}
}

// client returns a client of a server that answers with h.
func client(t *testing.T, h http.Handler, e inference.Exchange, l inference.Limits) *inference.HTTP {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return inference.NewHTTP(server.URL+"/", e, l)
}

// checkClean wants nothing to be left in the shared directory.
func (b *bench) checkClean(t *testing.T) {
	t.Helper()
	if left, err := os.ReadDir(b.shared); err != nil || len(left) != 0 {
		t.Errorf("the shared directory holds %v, %v", left, err)
	}
}

func TestHTTP(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]func(*testing.T, *bench){
		"ServiceMakesWhatTheLocalBackendMakes": testContents,
		"FullServiceIsAskedAgain":              testFull,
		"DeadServiceFailsSoon":                 testDead,
		"ServiceThatComesBackIsUsed":           testBack,
		"FailuresAreOfTheRightKind":            testKinds,
		"AnswersAreChecked":                    testAnswers,
		"SilenceEndsByTheTimeout":              testTimeout,
		"CancelReturnsAtOnce":                  testCancel,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
	b.checkClean(t)
}

func testContents(t *testing.T, b *bench) {
	local := b.request
	local.Output = "local.mp4"
	if _, err := (&inference.Local{Input: b.Input, Output: b.Output, Scratch: t.TempDir()}).Convert(t.Context(), local, nil); err != nil {
		t.Fatal(err)
	}
	want := inferencetest.Frames(t, b.Output, local)
	for name, e := range map[string]inference.Exchange{
		"folder": b.folder(), "buckets": inference.Buckets{Input: "films-input", Output: "films-output", Results: b.Output},
	} {
		r := b.request
		r.Output = "by-" + name + ".mp4"
		res, err := client(t, b.service, e, quick()).Convert(t.Context(), r, nil)
		if err != nil || res.Frames != inferencetest.SegmentFrames || res.Seconds <= 0 {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		o, err := b.Output.Head(t.Context(), r.Output)
		if frames, ok := inference.Matches(o, r); err != nil || !ok || frames != res.Frames || o.Metadata[inference.MetaContent] != res.Content {
			t.Errorf("%s: the output says %v, %v", name, o.Metadata, err)
		}
		if !slices.Equal(inferencetest.Frames(t, b.Output, r), want) {
			t.Errorf("%s: the frames differ from the local backend's", name)
		}
	}
}

func testFull(t *testing.T, b *bench) {
	var asked atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = json.NewEncoder(w).Encode(inference.NewFailure(http.StatusServiceUnavailable, errors.New("full")))
			return
		}
		b.service.ServeHTTP(w, r)
	})
	if _, err := client(t, h, b.folder(), quick()).Convert(t.Context(), b.request, nil); err != nil || asked.Load() != 3 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
}

// checkPassing wants an error for which another attempt may help.
func checkPassing(t *testing.T, err error, reason string) {
	t.Helper()
	bad := new(media.Error)
	if err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v; want something about %q", err, reason)
	}
}

func testDead(t *testing.T, b *bench) {
	_, err := inference.NewHTTP("http://127.0.0.1:1", b.folder(), quick()).Convert(t.Context(), b.request, nil) // nobody listens there
	checkPassing(t, err, "the inference service at http://127.0.0.1")
	proxy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no targets", http.StatusServiceUnavailable)
	})
	_, err = client(t, proxy, b.folder(), quick()).Convert(t.Context(), b.request, nil)
	checkPassing(t, err, "doesn't answer: 503")
}

func testBack(t *testing.T, b *bench) {
	var asked atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		b.service.ServeHTTP(w, r)
	})
	limits := quick()
	limits.Unreachable = time.Minute
	if _, err := client(t, h, b.folder(), limits).Convert(t.Context(), b.request, nil); err != nil || asked.Load() != 2 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
}

func testKinds(t *testing.T, b *bench) {
	fails := func(code int, cause error) error {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(inference.NewFailure(code, cause))
		})
		_, err := client(t, h, b.folder(), quick()).Convert(t.Context(), b.request, nil)
		return err
	}
	for _, code := range []int{http.StatusBadRequest, http.StatusUnprocessableEntity} {
		bad := new(media.Error)
		if err := fails(code, errors.New("no good")); !errors.As(err, &bad) || bad.Transient || !strings.HasSuffix(err.Error(), "no good") {
			t.Errorf("%d: %v", code, err)
		}
	}
	if err := fails(http.StatusUnprocessableEntity, media.ErrFrameCount); !errors.Is(err, media.ErrFrameCount) {
		t.Errorf("a wrong number of frames: %v", err)
	}
	checkPassing(t, fails(http.StatusInternalServerError, errors.New("access denied")), "access denied")
	checkPassing(t, fails(http.StatusConflict, inference.ErrContent), "the segment is not the one")
	_, err := client(t, http.NotFoundHandler(), b.folder(), quick()).Convert(t.Context(), b.request, nil)
	checkPassing(t, err, "answered 404 Not Found")
	r := b.request
	r.Window.Frames++
	_, err = client(t, b.service, b.folder(), quick()).Convert(t.Context(), r, nil)
	if bad := new(media.Error); !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "segment 0 has its own 12 frames") {
		t.Errorf("another window: %v", err)
	}
}

func testAnswers(t *testing.T, b *bench) {
	good := inference.Answer{Status: inference.OK, Frames: inferencetest.SegmentFrames, Request: b.request.Hash(), Content: "0"}
	for reason, change := range map[string]func(*inference.Answer){
		"left no output":  func(*inference.Answer) {},
		"another request": func(a *inference.Answer) { a.Request = "0" },
		"11 frames of 12": func(a *inference.Answer) { a.Frames-- },
		`the status "no"`: func(a *inference.Answer) { a.Status = "no" },
	} {
		a := good
		change(&a)
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(a) })
		_, err := client(t, h, b.folder(), quick()).Convert(t.Context(), b.request, nil)
		checkPassing(t, err, reason)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in inference.Invocation
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(strings.TrimPrefix(in.OutputURI, "file://"), []byte("rubbish"), 0o600); err != nil {
			t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(good)
	})
	_, err := client(t, h, b.folder(), quick()).Convert(t.Context(), b.request, nil)
	checkPassing(t, err, "is not what it speaks of")
	web := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	_, err = client(t, web, b.folder(), quick()).Convert(t.Context(), b.request, nil)
	checkPassing(t, err, "is no inference service")
}

// silent answers nothing until the client has gone, and tells when it was asked.
func silent() (h http.Handler, asked <-chan struct{}) {
	reached := make(chan struct{}, 1)
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is the connection watched
		reached <- struct{}{}
		<-r.Context().Done()
	}), reached
}

func testTimeout(t *testing.T, b *bench) {
	limits := quick()
	limits.Timeout = 50 * time.Millisecond
	h, _ := silent()
	_, err := client(t, h, b.folder(), limits).Convert(t.Context(), b.request, nil)
	checkPassing(t, err, "did not convert the segment within 50ms")
}

func testCancel(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("the job was cancelled")
	h, asked := silent()
	go func() { <-asked; cancel(stopped) }()
	if _, err := client(t, h, b.folder(), quick()).Convert(ctx, b.request, nil); !errors.Is(err, stopped) {
		t.Errorf("%v", err)
	}
}

func TestFolderTakesASegmentWithoutLinks(t *testing.T) {
	b := newBench(t)
	o, err := b.folder().Offer(t.Context(), b.request)
	if err != nil {
		t.Fatal(err)
	}
	in, out := o.URIs()
	if sum, err := platform.HashFile(strings.TrimPrefix(in, "file://")); err != nil || sum != b.segment.Content {
		t.Errorf("%s, %v", sum, err)
	}
	if filepath.Dir(in) != filepath.Dir(out) {
		t.Errorf("%s and %s", in, out)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	b.checkClean(t)
}
