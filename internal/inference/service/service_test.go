package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/inference/inferencetest"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

const jobID = "01893f8e-5a3c-7000-8000-000000000001"

// shelf is a bucket of the service whose reads a test can watch, hold up and break.
type shelf struct {
	platform.Objects
	gets atomic.Int64
	get  func(ctx context.Context) error               // if set, called before each Get
	put  func(key string, o platform.PutOptions) error // if set, called before each Put
}

func (s *shelf) Put(ctx context.Context, key string, r io.Reader, o platform.PutOptions) (platform.Object, error) {
	if s.put != nil {
		if err := s.put(key, o); err != nil {
			return platform.Object{}, err
		}
	}
	return s.Objects.Put(ctx, key, r, o)
}

func (s *shelf) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, platform.Object, error) {
	s.gets.Add(1)
	if s.get != nil {
		if err := s.get(ctx); err != nil {
			return nil, platform.Object{}, err
		}
	}
	return s.Objects.Get(ctx, key, offset, length)
}

// bench is a service on two buckets, with one segment in the first.
type bench struct {
	*Server
	url           string
	input, output *shelf
	segment       inferencetest.Segment
	request       inference.Request
	folder        string
}

// newBench starts a service on a segment; change adjusts its configuration.
func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	b := newBare(t, change)
	b.segment = inferencetest.Film(t, 1)[0]
	b.request = b.segment.Request(jobID)
	b.segment.Store(t, b.input, b.request)
	return b
}

// newBare is newBench for what doesn't get as far as reading the segment, which is made up.
func newBare(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	store, err := local.Open(t.Context(), t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	b := &bench{input: &shelf{Objects: store.Input()}, output: &shelf{Objects: store.Output()}, folder: t.TempDir()}
	b.segment = inferencetest.Segment{Path: filepath.Join(b.folder, "none.mkv"), Window: media.Window{Frames: 12}, Content: strings.Repeat("0", 64)}
	b.request = b.segment.Request(jobID)
	c := Config{
		Jobs: 1, Wait: 10 * time.Millisecond, Scratch: t.TempDir(), Folders: []string{b.folder}, Version: "1.2.3",
		Bucket: func(name string) Store {
			if name == "input" {
				return b.input
			}
			return b.output
		},
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	}
	if change != nil {
		change(&c)
	}
	if b.Server, err = New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(b)
	t.Cleanup(func() { front.Close(); b.Close() })
	b.url = front.URL
	return b
}

// reference converts the segment by the local backend, and returns the hashes of its frames.
func (b *bench) reference(t *testing.T) []string {
	t.Helper()
	r := b.request
	r.Output = "reference.mp4"
	l := &inference.Local{Input: b.input.Objects, Output: b.output.Objects, Scratch: t.TempDir()}
	if _, err := l.Convert(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	frames := inferencetest.Frames(t, b.output.Objects, r)
	if len(frames) != inferencetest.SegmentFrames {
		t.Fatalf("the local backend made %d frames", len(frames))
	}
	return frames
}

func (b *bench) invocation() inference.Invocation {
	return inference.Invoke(b.request, "s3://input/"+b.request.Input, "s3://output/"+b.request.Output)
}

// post sends an invocation, and decodes the answer into one of the two.
func (b *bench) post(t *testing.T, in inference.Invocation) (*http.Response, inference.Answer, inference.Failure) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return b.postBody(t, body)
}

func (b *bench) postBody(t *testing.T, body []byte) (*http.Response, inference.Answer, inference.Failure) {
	t.Helper()
	res, err := http.Post(b.url+"/invocations", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return &http.Response{}, inference.Answer{}, inference.Failure{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	var a inference.Answer
	var f inference.Failure
	if err = errors.Join(err, json.Unmarshal(text, &a), json.Unmarshal(text, &f)); err != nil {
		t.Errorf("%v: %q", err, text)
	}
	if res.StatusCode != http.StatusOK && (f.Status != "error" || f.Code != res.StatusCode || f.Reason == "" || strings.Contains(f.Reason, "\n")) {
		t.Errorf("status %d with the body %s", res.StatusCode, text)
	}
	return res, a, f
}

// status is the answer's to a GET.
func (b *bench) status(t *testing.T, path string) int {
	t.Helper()
	res, err := http.Get(b.url + path)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestServiceMakesWhatTheLocalBackendMakes(t *testing.T) {
	b := newBench(t, nil)
	want := b.reference(t)
	if got := b.status(t, "/ping"); got != http.StatusOK {
		t.Fatalf("/ping is %d", got)
	}
	res, answer, _ := b.post(t, b.invocation())
	if res.StatusCode != http.StatusOK || answer.Status != inference.OK || answer.Frames != len(want) || answer.Seconds <= 0 || answer.Kept {
		t.Fatalf("%d %+v", res.StatusCode, answer)
	}
	o, err := b.output.Head(t.Context(), b.request.Output)
	if err != nil {
		t.Fatal(err)
	}
	if frames, ok := inference.Matches(o, b.request); !ok || frames != len(want) || o.Metadata[inference.MetaContent] != answer.Content || answer.Request != b.request.Hash() {
		t.Errorf("the output says %v, the answer %+v", o.Metadata, answer)
	}
	if got := inferencetest.Frames(t, b.output.Objects, b.request); !slices.Equal(got, want) {
		t.Error("the service's frames differ from the local backend's")
	}
	t.Run("AskedAgainItConvertsNothing", func(t *testing.T) {
		gets := b.input.gets.Load()
		if res, again, _ := b.post(t, b.invocation()); res.StatusCode != http.StatusOK || !again.Kept || again.Content != answer.Content || again.Frames != answer.Frames {
			t.Errorf("%d %+v", res.StatusCode, again)
		}
		if b.input.gets.Load() != gets {
			t.Error("the segment was read again")
		}
	})
	t.Run("ADifferentRequestIsConverted", func(t *testing.T) {
		in := b.invocation()
		in.Stereo.Divergence = 1
		if res, other, _ := b.post(t, in); res.StatusCode != http.StatusOK || other.Kept || other.Request == answer.Request {
			t.Errorf("%d %+v", res.StatusCode, other)
		}
	})
	t.Run("WithoutItsHashTheSegmentIsTheSame", func(t *testing.T) {
		in := b.invocation()
		in.Content, in.OutputURI = "", "s3://output/unnamed.mp4"
		if res, other, _ := b.post(t, in); res.StatusCode != http.StatusOK || other.Request != answer.Request || other.Content != answer.Content {
			t.Errorf("%d %+v", res.StatusCode, other)
		}
	})
	t.Run("AnEncoderThatIsLeftOpenIsSoftwares", func(t *testing.T) {
		in, r := b.invocation(), b.request
		r.Output = "open.mp4"
		in.Encode.Codec, in.Encode.Encoder, in.OutputURI = "", "auto", "s3://output/"+r.Output
		if res, _, failure := b.post(t, in); res.StatusCode != http.StatusOK {
			t.Errorf("%d %+v", res.StatusCode, failure)
		} else if !slices.Equal(inferencetest.Frames(t, b.output.Objects, r), want) {
			t.Error("its frames are others")
		}
	})
	t.Run("MetricsTellOfIt", func(t *testing.T) {
		res, err := http.Get(b.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(text), "stereospot_frames_total 48") || !strings.Contains(string(text), `stereospot_invocations_total{status="200"} 5`) {
			t.Errorf("%v: %s", err, text)
		}
	})
}

func TestFilesAreReachedInTheNamedDirectoryOnly(t *testing.T) {
	b := newBench(t, nil)
	outside := t.TempDir()
	content, err := os.ReadFile(b.segment.Path)
	for path, content := range map[string][]byte{filepath.Join(b.folder, "a segment.mkv"): content, filepath.Join(outside, "s.mkv"): content} {
		err = errors.Join(err, os.WriteFile(path, content, 0o600))
	}
	err = errors.Join(err, os.Symlink(filepath.Join(outside, "s.mkv"), filepath.Join(b.folder, "link.mkv")),
		os.Symlink(outside, filepath.Join(b.folder, "elsewhere")), syscall.Mkfifo(filepath.Join(b.folder, "pipe"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	in := b.invocation()
	in.Content, in.InputURI = "", inference.FileURI(filepath.Join(b.folder, "a segment.mkv"))
	in.OutputURI = inference.FileURI(filepath.Join(b.folder, "out.mp4"))
	res, answer, failure := b.post(t, in)
	if res.StatusCode != http.StatusOK || answer.Request != b.request.Hash() {
		t.Fatalf("%d %+v %+v", res.StatusCode, answer, failure)
	}
	if sum, err := platform.HashFile(filepath.Join(b.folder, "out.mp4")); err != nil || sum != answer.Content {
		t.Errorf("%s, %v; want %s", sum, err, answer.Content)
	}
	if got := inferencetest.FramesOf(t, filepath.Join(b.folder, "out.mp4")); !slices.Equal(got, b.reference(t)) {
		t.Error("the service's frames differ from the local backend's")
	}
	at := func(path string) string { return "file://" + path }
	for name, uris := range map[string][2]string{
		"Outside":         {at(outside + "/s.mkv"), in.OutputURI},
		"DotDot":          {at(b.folder + "/../" + filepath.Base(outside) + "/s.mkv"), in.OutputURI},
		"EncodedDotDot":   {at(b.folder + "/%2e%2e/" + filepath.Base(outside) + "/s.mkv"), in.OutputURI},
		"LinkToAFile":     {at(b.folder + "/link.mkv"), in.OutputURI},
		"LinkToADir":      {at(b.folder + "/elsewhere/s.mkv"), in.OutputURI},
		"Pipe":            {at(b.folder + "/pipe"), in.OutputURI},
		"Directory":       {at(b.folder), in.OutputURI},
		"Absent":          {at(b.folder + "/absent.mkv"), in.OutputURI},
		"ResultOutside":   {in.InputURI, at(outside + "/out.mp4")},
		"ResultByALink":   {in.InputURI, at(b.folder + "/elsewhere/out.mp4")},
		"ResultNowhere":   {in.InputURI, at(b.folder + "/absent/out.mp4")},
		"FolderPrefix":    {at(b.folder + "x/s.mkv"), in.OutputURI},
		"AnotherMachine":  {"file://elsewhere" + b.folder + "/a%20segment.mkv", in.OutputURI},
		"AnotherProtocol": {"http://127.0.0.1/s.mkv", in.OutputURI},
	} {
		in.InputURI, in.OutputURI = uris[0], uris[1]
		if res, _, failure := b.post(t, in); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %+v", name, res.StatusCode, failure)
		}
	}
	for dir, want := range map[string]int{b.folder: 5, outside: 1} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != want {
			t.Errorf("%s holds %v, %v", dir, entries, err)
		}
	}
}

func TestNothingIsConvertedForAPlaceThatNoFileCanTake(t *testing.T) {
	b := newBench(t, nil)
	// The clip is no segment: who tries to convert it is answered 422.
	if err := errors.Join(os.WriteFile(filepath.Join(b.folder, "in.mkv"), []byte("no clip"), 0o600), os.Mkdir(filepath.Join(b.folder, "films"), 0o700)); err != nil {
		t.Fatal(err)
	}
	in := b.invocation()
	in.Content, in.InputURI = "", inference.FileURI(filepath.Join(b.folder, "in.mkv"))
	for name, want := range map[string]struct {
		status int
		reason string
	}{
		"absent/out.mp4": {http.StatusBadRequest, "there is no directory " + filepath.Join(b.folder, "absent")},
		"films":          {http.StatusBadRequest, filepath.Join(b.folder, "films") + " is no plain file"},
		"films/out.mp4":  {http.StatusUnprocessableEntity, "not a whole segment file"},
	} {
		in.OutputURI = inference.FileURI(filepath.Join(b.folder, name))
		if res, _, failure := b.post(t, in); res.StatusCode != want.status || !strings.Contains(failure.Reason, want.reason) {
			t.Errorf("%s: %d %+v", name, res.StatusCode, failure)
		}
	}
}

func TestWithoutNamedDirectoriesAndBucketsNothingIsReached(t *testing.T) {
	b := newBare(t, func(c *Config) { c.Folders, c.Bucket = nil, nil })
	in := b.invocation()
	for _, uri := range []string{in.InputURI, inference.FileURI(b.segment.Path)} {
		in.InputURI = uri
		if res, _, _ := b.post(t, in); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", uri, res.StatusCode)
		}
	}
}

func TestFailuresSayWhoseTheyAre(t *testing.T) {
	b := newBench(t, nil)
	whole, err := os.ReadFile(b.segment.Path)
	if err != nil {
		t.Fatal(err)
	}
	half := bytes.NewReader(whole[:len(whole)/2])
	if _, err := b.input.Put(t.Context(), "half.mp4", half, platform.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	type change func(*inference.Invocation)
	for name, c := range map[string]struct {
		change change
		broken error // of the input bucket
		want   int
		reason string
	}{
		"HalfASegment":     {change: func(i *inference.Invocation) { i.Content, i.InputURI = "", "s3://input/half.mp4" }, want: 422, reason: "segment 0 is not a whole segment file"},
		"AnotherWindow":    {change: func(i *inference.Invocation) { i.Window.Frames-- }, want: 422, reason: "segment 0 has its own 12 frames"},
		"AnotherSegment":   {change: func(i *inference.Invocation) { i.Content = strings.Repeat("0", 64) }, want: 409, reason: "not the one"},
		"NoSegment":        {change: func(i *inference.Invocation) { i.InputURI = "s3://input/absent.mp4" }, want: 400, reason: "not found"},
		"UnknownModel":     {change: func(i *inference.Invocation) { i.Depth.Model = "guess" }, want: 400, reason: "guess"},
		"BrokenStore":      {broken: errors.New("access denied"), want: 500, reason: "access denied"},
		"StoreThatIsDown":  {broken: fmt.Errorf("k: %w", platform.ErrUnavailable), want: 503, reason: "can't be reached"},
		"StoreThatForbids": {broken: fmt.Errorf("k: %w", platform.ErrForbidden), want: 400, reason: "forbids"},
		"FullDisk":         {broken: syscall.ENOSPC, want: 503, reason: "no space"},
	} {
		b.input.get = func(context.Context) error { return c.broken }
		in := b.invocation()
		if c.change != nil {
			c.change(&in)
		}
		if res, _, failure := b.post(t, in); res.StatusCode != c.want || !strings.Contains(failure.Reason, c.reason) {
			t.Errorf("%s: %d %+v", name, res.StatusCode, failure)
		}
	}
	b.input.get = func(context.Context) error { panic("a bug") }
	if res, _, failure := b.post(t, b.invocation()); res.StatusCode != 500 || !strings.Contains(failure.Reason, "a bug") {
		t.Errorf("a panic: %d %+v", res.StatusCode, failure)
	}
	if _, err := b.output.Head(t.Context(), b.request.Output); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("a failure left an output: %v", err)
	}
	if left, err := os.ReadDir(b.Scratch); err != nil || len(left) != 0 {
		t.Errorf("the scratch directory holds %v, %v", left, err)
	}
}

// hold makes the input bucket's reads wait until free is called, and returns a channel that hears of each.
func (b *bench) hold() (reached <-chan struct{}, free func()) {
	arrived, gate := make(chan struct{}, 8), make(chan struct{})
	b.input.get = func(ctx context.Context) error {
		arrived <- struct{}{}
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return arrived, func() { close(gate) }
}

// begin posts an invocation, waits until it is at work, and returns where its status will come.
func (b *bench) begin(t *testing.T, reached <-chan struct{}) <-chan int {
	t.Helper()
	status := make(chan int, 1)
	go func() {
		res, _, _ := b.post(t, b.invocation())
		status <- res.StatusCode
	}()
	<-reached
	return status
}

func TestFullServiceRefusesUntilThereIsAPlace(t *testing.T) {
	b := newBench(t, nil)
	reached, free := b.hold()
	first := b.begin(t, reached)
	if got := b.status(t, "/ping"); got != http.StatusServiceUnavailable {
		t.Errorf("/ping of a full service is %d", got)
	}
	res, _, failure := b.post(t, b.invocation())
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v %+v", res.StatusCode, res.Header, failure)
	}
	if res, _, _ := b.postBody(t, []byte(`{}`)); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a bad request to a full service: %d", res.StatusCode)
	}
	free()
	if got := <-first; got != http.StatusOK {
		t.Errorf("the first: %d", got)
	}
	if got := b.status(t, "/ping"); got != http.StatusOK {
		t.Errorf("/ping afterwards is %d", got)
	}
}

func TestWhoeverWaitsGetsThePlaceThatIsFreed(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Wait = time.Minute })
	reached, free := b.hold()
	first := b.begin(t, reached)
	second := make(chan int, 1)
	go func() {
		in := b.invocation()
		in.OutputURI = "s3://output/second.mp4"
		res, _, _ := b.post(t, in)
		second <- res.StatusCode
	}()
	free()
	if a, b := <-first, <-second; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("%d, %d", a, b)
	}
}

func TestCallerWhoGoesAwayEndsTheWork(t *testing.T) {
	b := newBare(t, nil)
	reached, _ := b.hold()
	body, err := json.Marshal(b.invocation())
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/invocations", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-reached; leave() }()
	if _, err := http.DefaultClient.Do(req); err == nil {
		t.Fatal("answered")
	}
	within(t, "the place is free again", func() bool { return b.status(t, "/ping") == http.StatusOK })
	if _, err := b.output.Head(t.Context(), b.request.Output); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("an output was published: %v", err)
	}
}

// within waits for a condition.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestDrainLetsWorkEnd(t *testing.T) {
	b := newBench(t, nil)
	reached, free := b.hold()
	first := b.begin(t, reached)
	drained := make(chan struct{})
	go func() { defer close(drained); b.Drain(time.Minute) }()
	within(t, "/ping refuses", func() bool { return b.status(t, "/ping") == http.StatusServiceUnavailable })
	if res, _, failure := b.post(t, b.invocation()); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(failure.Reason, "stopping") {
		t.Errorf("a new one: %d %+v", res.StatusCode, failure)
	}
	free()
	if got := <-first; got != http.StatusOK {
		t.Errorf("the one under way: %d", got)
	}
	<-drained
}

func TestDrainCutsOffWhatTakesTooLong(t *testing.T) {
	b := newBare(t, nil)
	reached, _ := b.hold()
	first := b.begin(t, reached)
	b.Drain(10 * time.Millisecond)
	if got := <-first; got != http.StatusServiceUnavailable {
		t.Errorf("the one under way: %d", got)
	}
}

func TestVersionNamesTheEngine(t *testing.T) {
	b := newBare(t, nil)
	res, err := http.Get(b.url + "/version")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if want := fmt.Sprintf(`{"depth":"classic","engine":%d,"version":"1.2.3"}`, inference.EngineVersion); err != nil || strings.TrimSpace(string(text)) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

func TestStrayRequestsAreAnsweredLikeAllOthers(t *testing.T) {
	b := newBare(t, nil)
	for _, c := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/", "", 404}, {"POST", "/invocation", "", 404}, {"GET", "/ping/", "", 404}, {"DELETE", "/x", "", 404},
		{"GET", "/invocations", "POST", 405}, {"PUT", "/invocations", "POST", 405}, {"POST", "/ping", "GET, HEAD", 405}, {"BREW", "/version", "GET, HEAD", 405},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, b.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var failure inference.Failure
		err = json.NewDecoder(res.Body).Decode(&failure)
		if err != nil || res.StatusCode != c.status || failure.Code != c.status || failure.Status != "error" || failure.Reason == "" ||
			res.Header.Get("Allow") != c.allow || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %v %+v, %v; want %d, Allow: %s", c.method, c.path, res.StatusCode, res.Header, failure, err, c.status, c.allow)
		}
	}
}
