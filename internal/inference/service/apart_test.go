package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/inference/child"
	"github.com/stereospot/stereospot/internal/inference/child/childtest"
	"github.com/stereospot/stereospot/internal/inference/inferencetest"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

func TestMain(m *testing.M) { childtest.Main(m) }

// apart are the test's networks in a process of their own.
type apart struct {
	childtest.Networks
	host *child.Host
}

func (a apart) Open(ctx context.Context, d job.DepthOptions) (depth.Net, error) {
	return a.host.Open(ctx, d)
}

// withNetworks has a service compute depth apart.
func withNetworks(t *testing.T, jobs int, gate string, warm ...string) (*child.Host, func(*Config)) {
	t.Helper()
	h := child.New(t.Context(), childtest.Config(gate, warm...))
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, func(c *Config) { c.Jobs, c.Wait, c.Models, c.Ready = jobs, time.Minute, apart{host: h}, h.Ready }
}

// on asks for depth by a network, into an output of its own.
func (b *bench) on(network, output string) inference.Invocation {
	in := b.invocation()
	in.Depth, in.OutputURI = childtest.Options(network), "s3://output/"+output
	return in
}

// checkNothingLeft wants neither output nor scratch.
func (b *bench) checkNothingLeft(t *testing.T, outputs ...string) {
	t.Helper()
	for _, key := range outputs {
		if _, err := b.output.Head(t.Context(), key); !errors.Is(err, platform.ErrNotFound) {
			t.Errorf("a failure left %s: %v", key, err)
		}
	}
	if left, err := os.ReadDir(b.Scratch); err != nil || len(left) != 0 {
		t.Errorf("the scratch directory holds %v, %v", left, err)
	}
}

func TestClipThatEndsTheRuntimeIsBrokenOnceAndThenBad(t *testing.T) {
	h, change := withNetworks(t, 1, "")
	b := newBench(t, change)
	in := b.on(childtest.Fault, "fatal")
	for n, want := range []int{http.StatusInternalServerError, http.StatusUnprocessableEntity} {
		if res, _, failure := b.post(t, in); res.StatusCode != want || !strings.Contains(failure.Reason, "process that computes depth") {
			t.Errorf("time %d: %d %+v; want %d", n+1, res.StatusCode, failure, want)
		}
	}
	b.checkNothingLeft(t, "fatal")
	if res, answer, failure := b.post(t, b.on(childtest.Luma, "after")); res.StatusCode != http.StatusOK || answer.Frames != inferencetest.SegmentFrames {
		t.Errorf("afterwards: %d %+v", res.StatusCode, failure)
	}
	if h.Deaths() != 2 {
		t.Errorf("%d deaths", h.Deaths())
	}
	if res, _, failure := b.post(t, b.on(childtest.Refuses, "refused")); res.StatusCode != http.StatusInternalServerError || !strings.Contains(failure.Reason, "can't see") {
		t.Errorf("a network's own error: %d %+v", res.StatusCode, failure)
	}
}

func TestClipIsAtFaultOnlyForDeathsOfItsPictures(t *testing.T) {
	for _, c := range []struct {
		died *child.DiedError
		want int
	}{
		{&child.DiedError{How: "killed"}, http.StatusUnprocessableEntity},
		{&child.DiedError{How: "killed", Opening: "large"}, http.StatusInternalServerError},
		{&child.DiedError{How: "killed", Beside: true}, http.StatusInternalServerError},
	} {
		var f fatal
		for time, want := range []int{http.StatusInternalServerError, c.want} {
			if err := f.judge("r", fmt.Errorf("convert: %w", c.died)); statusOf(err) != want || !strings.Contains(err.Error(), c.died.Error()) {
				t.Errorf("%+v, time %d: %d, %v", c.died, time+1, statusOf(err), err)
			}
		}
	}
}

func TestKillsAtRandomLeaveWholeOutputsOrNone(t *testing.T) {
	h, change := withNetworks(t, 2, "", childtest.Luma)
	b := newBench(t, change)
	if res, _, failure := b.post(t, b.on(childtest.Luma, "reference")); res.StatusCode != http.StatusOK {
		t.Fatalf("%d %+v", res.StatusCode, failure)
	}
	frames := func(key string) []string {
		r := b.request
		r.Output = key
		return inferencetest.Frames(t, b.output.Objects, r)
	}
	want := frames("reference")
	over := make(chan struct{})
	var killer, clients sync.WaitGroup
	killer.Go(func() {
		for {
			if pid := h.PID(); pid != 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have just died
			}
			select {
			case <-over:
				return
			case <-time.After(time.Duration(rand.Int64N(int64(60 * time.Millisecond)))):
			}
		}
	})
	const outputs = 4
	for c := range 2 {
		clients.Go(func() {
			for i := c; i < outputs; i += 2 {
				key := fmt.Sprintf("killed-%d", i)
				res, _, failure := b.post(t, b.on(childtest.Luma, key))
				if !slices.Contains([]int{http.StatusOK, http.StatusInternalServerError, http.StatusUnprocessableEntity}, res.StatusCode) {
					t.Errorf("%s: %d %+v", key, res.StatusCode, failure)
				}
				if _, err := b.output.Head(t.Context(), key); (err == nil) != (res.StatusCode == http.StatusOK) {
					t.Errorf("%s was answered %d: %v", key, res.StatusCode, err)
				}
			}
		})
	}
	clients.Wait()
	close(over)
	killer.Wait()
	if h.Deaths() == 0 {
		t.Error("nothing was killed")
	}
	for i := range outputs {
		key := fmt.Sprintf("killed-%d", i)
		if res, _, failure := b.post(t, b.on(childtest.Luma, key)); res.StatusCode != http.StatusOK {
			t.Errorf("%s, asked again: %d %+v", key, res.StatusCode, failure)
		} else if !slices.Equal(frames(key), want) {
			t.Errorf("%s has other frames", key)
		}
	}
	b.checkNothingLeft(t)
}

// endpoint calls a container as SageMaker does: a health check that must be answered whatever goes on, and an invocation
// that has a minute without an answer, after which the connection is cut. The minute ends when the test says so.
type endpoint struct {
	url string
	cut <-chan struct{}
}

func (e endpoint) ping(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"/ping", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

var errNoResponse = errors.New("the container didn't respond within 60 seconds")

func (e endpoint) invoke(ctx context.Context, body []byte) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-e.cut:
			cancel(errNoResponse)
		case <-ctx.Done():
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/invocations", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Amzn-SageMaker-Custom-Attributes", "trace=1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, errors.Join(context.Cause(ctx), err)
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func TestContainerKeepsSageMakersContract(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	h, change := withNetworks(t, 1, gate, childtest.Luma)
	b := newBench(t, func(c *Config) { change(c); c.Jobs = 2 }) // a place more than invocations, as docs/inference.md says
	cut := make(chan struct{})
	platform := endpoint{b.url, cut}
	ping := func(want int, when string) {
		t.Helper()
		if got, err := platform.ping(t.Context()); err != nil || got != want {
			t.Errorf("/ping %s: %d, %v; want %d", when, got, err, want)
		}
	}
	ping(http.StatusServiceUnavailable, "before the model is there")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, "the container is well", func() bool { got, err := platform.ping(t.Context()); return err == nil && got == http.StatusOK })
	body := func(in inference.Invocation) []byte {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	silent := make(chan error, 1)
	go func() { _, err := platform.invoke(t.Context(), body(b.on(childtest.Endless, "silent"))); silent <- err }()
	within(t, "it is at work", func() bool { return len(b.places) == 1 })
	ping(http.StatusOK, "beside an invocation")
	close(cut)
	if err := <-silent; !errors.Is(err, errNoResponse) {
		t.Errorf("an invocation without an answer: %v", err)
	}
	within(t, "its place is free", func() bool { return len(b.places) == 0 })
	b.checkNothingLeft(t, "silent")
	if h.PID() != 0 { // it still computes what nobody waits for, which only its end can stop
		if err := syscall.Kill(h.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	platform.cut = nil
	if status, err := platform.invoke(t.Context(), body(b.on(childtest.Luma, "answered"))); err != nil || status != http.StatusOK {
		t.Errorf("the next invocation: %d, %v", status, err)
	}
	if status, err := platform.invoke(t.Context(), []byte(`{"input_uri":`)); err != nil || status != http.StatusBadRequest {
		t.Errorf("half a request: %d, %v", status, err)
	}
	b.refuse()
	ping(http.StatusServiceUnavailable, "after SIGTERM")
}

func TestStoreThatFailsAtTheEndIsLeftAsItWas(t *testing.T) {
	b := newBench(t, nil)
	b.output.put = func(string, platform.PutOptions) error { return errors.New("connection refused") }
	if res, _, failure := b.post(t, b.invocation()); res.StatusCode != http.StatusInternalServerError || !strings.Contains(failure.Reason, "connection refused") {
		t.Errorf("%d %+v", res.StatusCode, failure)
	}
	b.checkNothingLeft(t, b.request.Output)
	tags := map[string]string{}
	b.output.put = func(key string, o platform.PutOptions) error {
		if key == b.request.Output {
			tags = o.Tags
		}
		return nil
	}
	if res, _, failure := b.post(t, b.invocation()); res.StatusCode != http.StatusOK {
		t.Errorf("%d %+v", res.StatusCode, failure)
	}
	if tags[platform.ExpireTag] != platform.ExpireSegment {
		t.Errorf("the output is tagged %v", tags)
	}
}
