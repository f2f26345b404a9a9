package sagemaker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/inference/inferencetest"
	"github.com/stereospot/stereospot/internal/inference/sagemaker"
	"github.com/stereospot/stereospot/internal/inference/sagemakertest"
	"github.com/stereospot/stereospot/internal/inference/service"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

const endpoint = "stereospot-inference"

// bench is an endpoint on an emulated AWS: the runtime, a real service behind it, and the buckets.
type bench struct {
	input, output *platformaws.Bucket
	names         [2]string
	runtime       *sagemakertest.Runtime
	client        *sagemakerruntime.Client
	segment       inferencetest.Segment
	jobs          int

	mu     sync.Mutex
	behave map[string]func(sagemakertest.Call) sagemakertest.Behaviour // by job
}

func newBench(t *testing.T) *bench {
	cfg := awstest.Endpoints(t)
	b := &bench{behave: map[string]func(sagemakertest.Call) sagemakertest.Behaviour{}, segment: inferencetest.Film(t, 1)[0]}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	for i, kind := range []string{"input", "output"} {
		b.names[i] = fmt.Sprintf("sagemaker-%d-%s", time.Now().UnixNano(), kind)
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{
			Bucket: &b.names[i], CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: awstest.Region},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	bucket := platformaws.Buckets(cfg)
	b.input, b.output = bucket(b.names[0]), bucket(b.names[1])
	container, err := service.New(t.Context(), service.Config{
		Jobs: 2, Wait: time.Minute, Scratch: t.TempDir(), Bucket: func(name string) service.Store { return bucket(name) },
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(container)
	b.runtime = sagemakertest.New(t.Context(), sagemakertest.Config{
		S3: client, Endpoint: endpoint, Container: front.URL, Bucket: b.names[1], Jobs: 8,
		Behave: func(c sagemakertest.Call) sagemakertest.Behaviour {
			b.mu.Lock()
			behave := b.behave[c.Request.JobID]
			b.mu.Unlock()
			if behave == nil {
				return sagemakertest.Behaviour{}
			}
			return behave(c)
		},
	})
	wire := httptest.NewServer(b.runtime)
	t.Cleanup(func() { b.runtime.Close(); wire.Close(); front.Close(); _ = container.Close() })
	b.client = sagemakerruntime.NewFromConfig(cfg, func(o *sagemakerruntime.Options) {
		o.BaseEndpoint = &wire.URL
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 2, time.Millisecond })
	})
	return b
}

// converter returns what a worker process works with.
func (b *bench) converter(change ...func(*sagemaker.Config)) *sagemaker.Converter {
	c := sagemaker.Config{
		Runtime: b.client, Endpoint: endpoint, InputName: b.names[0], OutName: b.names[1], Output: b.output, Timeout: 10 * time.Minute,
		LookFirst: 20 * time.Millisecond, LookMost: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	for _, f := range change {
		f(&c)
	}
	return sagemaker.New(c)
}

// request stores the segment as that of a new job, whose invocations behave as told.
func (b *bench) request(t *testing.T, behave func(sagemakertest.Call) sagemakertest.Behaviour) inference.Request {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jobs++
	r := b.segment.Request(job.NewID(time.Now().Add(time.Duration(b.jobs) * time.Second)))
	b.behave[r.JobID] = behave
	b.segment.Store(t, b.input, r)
	return r
}

func (b *bench) invocations(r inference.Request) int {
	return b.runtime.Invocations()[fmt.Sprintf("%s/%d", r.JobID, r.Index)]
}

// once behaves in a mode at the first invocation, and well from then on.
func once(m sagemakertest.Mode) func(sagemakertest.Call) sagemakertest.Behaviour {
	return func(c sagemakertest.Call) sagemakertest.Behaviour {
		if c.Number == 1 {
			return sagemakertest.Behaviour{Mode: m}
		}
		return sagemakertest.Behaviour{}
	}
}

func always(m sagemakertest.Mode) func(sagemakertest.Call) sagemakertest.Behaviour {
	return func(sagemakertest.Call) sagemakertest.Behaviour { return sagemakertest.Behaviour{Mode: m} }
}

// checkDone wants the output of r to be what was asked for.
func (b *bench) checkDone(t *testing.T, r inference.Request, res inference.Result, err error) {
	t.Helper()
	if err != nil || res.Frames != inferencetest.SegmentFrames {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := inference.Published(t.Context(), b.output, r); err != nil {
		t.Error(err)
	}
}

func TestEndpoint(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]func(*testing.T, *bench){
		"MakesWhatTheLocalBackendMakes":                testContents,
		"ManyAreOutstandingAtOnce":                     testMany,
		"BrokenInstanceIsTriedAgain":                   testFailure,
		"FailingClipIsAtFault":                         testBadClip,
		"AnswerWithoutOutputIsTriedAgain":              testEmpty,
		"OutputOfAnotherRequestIsNoAnswer":             testStale,
		"NothingComesUntilTheDeadline":                 testNever,
		"ThrottlingAndAVanishedEndpointAreSaidSo":      testRefused,
		"WhoeverTakesOverPaysNothing":                  testTakeover,
		"CancelReturnsAtOnceAndLeavesTheInvocation":    testCancel,
		"TicketOfAnOldInvocationIsWorthNothing":        testOldTicket,
		"StoreThatFailsForAWhileDelaysTheDiscovery":    testFlakyStore,
		"SegmentThatSaysNothingOfItselfIsNotSentAlong": testIncomplete,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, b) })
	}
}

func testContents(t *testing.T, b *bench) {
	r := b.request(t, nil)
	res, err := b.converter().Convert(t.Context(), r, nil)
	b.checkDone(t, r, res, err)
	local := r
	local.Output = "local/" + r.JobID + ".mp4"
	if _, err := (&inference.Local{Input: b.input, Output: b.output, Scratch: t.TempDir()}).Convert(t.Context(), local, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(inferencetest.Frames(t, b.output, r), inferencetest.Frames(t, b.output, local)) {
		t.Error("the endpoint's frames differ from the local backend's")
	}
	if n := b.invocations(r); n != 1 {
		t.Errorf("%d invocations", n)
	}
	calls := b.runtime.Calls()
	i := slices.IndexFunc(calls, func(c sagemakertest.Call) bool { return c.Request.JobID == r.JobID })
	if !strings.HasPrefix(calls[i].InputLocation, "s3://"+b.names[1]+"/sagemaker-async-requests/"+r.JobID+"/") {
		t.Errorf("the request lay at %s", calls[i].InputLocation)
	}
	if left := b.left(t, r); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// left lists what a request has left behind.
func (b *bench) left(t *testing.T, r inference.Request) []string {
	t.Helper()
	list, _, err := b.output.List(t.Context(), "sagemaker-async-requests/"+r.JobID, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range list {
		keys = append(keys, o.Key)
	}
	return keys
}

func testMany(t *testing.T, b *bench) {
	gate := make(chan struct{})
	c := b.converter()
	var requests []inference.Request
	for range 4 {
		requests = append(requests, b.request(t, func(sagemakertest.Call) sagemakertest.Behaviour { return sagemakertest.Behaviour{After: gate} }))
	}
	var wg sync.WaitGroup
	for _, r := range requests {
		wg.Go(func() {
			if _, err := c.Convert(t.Context(), r, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for _, r := range requests {
		within(t, "it is invoked", func() bool { return b.invocations(r) == 1 })
	}
	close(gate)
	wg.Wait()
	for _, r := range requests {
		if err := inference.Published(t.Context(), b.output, r); err != nil || b.invocations(r) != 1 {
			t.Errorf("%v, %d invocations", err, b.invocations(r))
		}
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

// checkAgain wants the first attempt to fail with a reason for which another may help, and the second to succeed.
func checkAgain(t *testing.T, b *bench, r inference.Request, reason string) {
	t.Helper()
	_, err := b.converter().Convert(t.Context(), r, nil)
	bad := new(media.Error)
	if err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v; want something about %q", err, reason)
	}
	res, err := b.converter().Convert(t.Context(), r, nil)
	b.checkDone(t, r, res, err)
}

func testFailure(t *testing.T, b *bench) {
	r := b.request(t, once(sagemakertest.Fail))
	checkAgain(t, b, r, "the instance was replaced")
	if n := b.invocations(r); n != 2 {
		t.Errorf("%d invocations", n)
	}
}

func testEmpty(t *testing.T, b *bench) {
	r := b.request(t, once(sagemakertest.Empty))
	checkAgain(t, b, r, "left no output")
	if n := b.invocations(r); n != 2 {
		t.Errorf("%d invocations", n)
	}
}

func testBadClip(t *testing.T, b *bench) {
	r := b.request(t, nil)
	whole, err := os.ReadFile(b.segment.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.input.Put(t.Context(), r.Input, bytes.NewReader(whole), platform.PutOptions{Metadata: b.segment.Metadata()}); err != nil {
		t.Fatal(err)
	}
	r.Window.First++
	_, err = b.converter().Convert(t.Context(), r, nil)
	bad := new(media.Error)
	if !errors.As(err, &bad) || bad.Transient || !strings.HasPrefix(err.Error(), "segment 0 has its own 12 frames") {
		t.Errorf("%v", err)
	}
}

func testStale(t *testing.T, b *bench) {
	r := b.request(t, once(sagemakertest.Empty))
	older := r
	older.Stereo.Divergence = 1
	put := platform.PutOptions{Metadata: map[string]string{inference.MetaRequest: older.Hash(), inference.MetaFrames: "12"}}
	if _, err := b.output.Put(t.Context(), r.Output, strings.NewReader("older"), put); err != nil {
		t.Fatal(err)
	}
	checkAgain(t, b, r, "another request")
}

func testNever(t *testing.T, b *bench) {
	r := b.request(t, once(sagemakertest.Never))
	c := b.converter(func(c *sagemaker.Config) { c.Timeout = 200 * time.Millisecond })
	if _, err := c.Convert(t.Context(), r, nil); err == nil || !strings.Contains(err.Error(), "nothing came of invocation") {
		t.Fatalf("%v", err)
	}
	res, err := b.converter().Convert(t.Context(), r, nil)
	b.checkDone(t, r, res, err)
}

func testRefused(t *testing.T, b *bench) {
	for mode, reason := range map[sagemakertest.Mode]string{
		sagemakertest.Throttle: `"stereospot-inference" took no invocation: Rate exceeded`,
		sagemakertest.Vanished: "Endpoint stereospot-inference of account 123456789012 not found",
	} {
		r := b.request(t, always(mode))
		_, err := b.converter().Convert(t.Context(), r, nil)
		if bad := new(media.Error); err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v; want something about %q", err, reason)
		}
		if n := b.invocations(r); n != 0 {
			t.Errorf("%d invocations were taken", n)
		}
	}
	r := b.request(t, nil)
	_, err := b.converter(func(c *sagemaker.Config) { c.Endpoint = "elsewhere" }).Convert(t.Context(), r, nil)
	if err == nil || !strings.Contains(err.Error(), `"elsewhere"`) {
		t.Errorf("an unknown endpoint: %v", err)
	}
}

// abandon has a request invoked by a process that then dies, and returns what lets the endpoint go on.
func abandon(t *testing.T, b *bench) (r inference.Request, proceed func()) {
	t.Helper()
	gate := make(chan struct{})
	r = b.request(t, func(sagemakertest.Call) sagemakertest.Behaviour { return sagemakertest.Behaviour{After: gate} })
	ctx, die := context.WithCancelCause(t.Context())
	stopped := errors.New("the process is stopping")
	ended := make(chan error, 1)
	go func() {
		_, err := b.converter().Convert(ctx, r, nil)
		ended <- err
	}()
	within(t, "the ticket is there", func() bool { return len(b.left(t, r)) == 2 })
	die(stopped)
	if err := <-ended; !errors.Is(err, stopped) {
		t.Errorf("%v", err)
	}
	return r, func() { close(gate) }
}

func testTakeover(t *testing.T, b *bench) {
	r, proceed := abandon(t, b)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		res, err := b.converter().Convert(t.Context(), r, nil)
		if err != nil || res.Frames != inferencetest.SegmentFrames {
			t.Errorf("%+v, %v", res, err)
		}
	}()
	proceed()
	<-ended
	if n := b.invocations(r); n != 1 {
		t.Errorf("%d invocations", n)
	}
	if err := inference.Published(t.Context(), b.output, r); err != nil {
		t.Error(err)
	}
}

func testCancel(t *testing.T, b *bench) {
	r, proceed := abandon(t, b)
	proceed()
	within(t, "the output is there though nobody waits", func() bool { return inference.Published(t.Context(), b.output, r) == nil })
}

func testOldTicket(t *testing.T, b *bench) {
	r, proceed := abandon(t, b)
	proceed()
	within(t, "the output is there", func() bool { return inference.Published(t.Context(), b.output, r) == nil })
	if err := b.output.Delete(t.Context(), r.Output); err != nil {
		t.Fatal(err)
	}
	later := b.converter(func(c *sagemaker.Config) { c.Now = func() time.Time { return time.Now().Add(11 * time.Minute) } })
	res, err := later.Convert(t.Context(), r, nil)
	b.checkDone(t, r, res, err)
	if n := b.invocations(r); n != 2 {
		t.Errorf("%d invocations", n)
	}
}

// flaky is an output bucket that can't be looked into for a while.
type flaky struct {
	*platformaws.Bucket
	mu   sync.Mutex
	left int
}

func (f *flaky) Head(ctx context.Context, key string) (platform.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left > 0 {
		f.left--
		return platform.Object{}, errors.New("S3 is out of order")
	}
	return f.Bucket.Head(ctx, key)
}

func testFlakyStore(t *testing.T, b *bench) {
	r := b.request(t, nil)
	res, err := b.converter(func(c *sagemaker.Config) { c.Output = &flaky{Bucket: b.output, left: 3} }).Convert(t.Context(), r, nil)
	b.checkDone(t, r, res, err)
	if n := b.invocations(r); n != 1 {
		t.Errorf("%d invocations", n)
	}
	r = b.request(t, nil)
	broken := b.converter(func(c *sagemaker.Config) {
		c.Output, c.Timeout = &flaky{Bucket: b.output, left: 1 << 20}, 300*time.Millisecond
	})
	if _, err := broken.Convert(t.Context(), r, nil); err == nil || !strings.Contains(err.Error(), "S3 is out of order") {
		t.Errorf("%v", err)
	}
}

func testIncomplete(t *testing.T, b *bench) {
	r := b.request(t, nil)
	r.Window = media.Window{}
	if _, err := b.converter().Convert(t.Context(), r, nil); err == nil || b.invocations(r) != 0 {
		t.Errorf("%v, %d invocations", err, b.invocations(r))
	}
}
