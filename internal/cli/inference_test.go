package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stereospot/stereospot/internal/inference/sagemakertest"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// tinyFilm is three segments of four frames each under killOptions.
func tinyFilm(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=64x36:r=25 -f lavfi -i sine -frames:v 12 -shortest -c:v libx264 -preset ultrafast -g 4 -c:a aac film.mp4")
	return filepath.Join(dir, "film.mp4")
}

// startInference runs an inference service that ends with the test, and returns its address.
func startInference(t *testing.T, env []string, args ...string) (*service, string) {
	t.Helper()
	s := &service{cmd: command(append([]string{"inference", "--addr", "127.0.0.1:0"}, args...)...), log: newLogFile(t, "inference")}
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = append(s.cmd.Env, env...), s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s, s.address(t)
}

func TestServeHasFilmsConvertedByAnInferenceService(t *testing.T) {
	shared := t.TempDir()
	converter, address := startInference(t, []string{"TMPDIR=" + t.TempDir(), "STEREOSPOT_DRAIN=" + patience.String()}, "--allow-files", shared)
	t.Setenv("INFERENCE_BACKEND", "http")
	t.Setenv("INFERENCE_HTTP_URL", address)
	t.Setenv("STEREOSPOT_INFERENCE_DIR", shared)
	film := tinyFilm(t)
	want := undisturbed(t, film)
	content, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t)
	store := openShared(t, s.dir)
	id := submitFilm(t, store, content)
	until(t, "the film is converted", func() bool { return liveJobs(t, store, []string{id}) == 0 })
	checkJob(t, store, id, want)
	if metrics := get(t, address+"/metrics"); !strings.Contains(metrics, "stereospot_frames_total 12") {
		t.Errorf("not every frame was converted there, once:\n%s", metrics)
	}
	if left, err := filepath.Glob(filepath.Join(shared, "*", "*")); err != nil || len(left) != 0 {
		t.Errorf("the shared directory holds %v, %v", left, err)
	}
	wantSwiftEnd(t, converter)
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	if err := res.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// testEndpoint has a film converted through SageMaker's wire protocol, by a worker that is killed on the way and has no
// FFmpeg, over lines that break once each, with every event coming twice and answers that come late. Nothing is paid for
// twice.
func testEndpoint(t *testing.T, c *cloud, emulator *awstest.Emulator) {
	lines, err := emulator.Lines()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		c.env = append(c.env, l.Env())
	}
	address := c.run(t, c.env, "inference", "--addr", "127.0.0.1:0", "--jobs", "2").address(t)
	late := make(chan struct{})
	var doomedTries atomic.Int64
	runtime := sagemakertest.New(t.Context(), sagemakertest.Config{
		S3: s3.NewFromConfig(c.cfg, func(o *s3.Options) { o.UsePathStyle = true }), Endpoint: "films", Container: address, Bucket: c.resources.OutputBucket,
		Behave: func(call sagemakertest.Call) sagemakertest.Behaviour {
			if call.Request.Format == doomed {
				doomedTries.Add(1)
				return sagemakertest.Behaviour{Mode: sagemakertest.Vanished}
			}
			return sagemakertest.Behaviour{After: late}
		},
	})
	wire := httptest.NewServer(runtime)
	t.Cleanup(func() { runtime.Close(); wire.Close() })
	env := c.with("INFERENCE_BACKEND=sagemaker", "SAGEMAKER_ENDPOINT_NAME=films", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME="+wire.URL,
		"PATH=/nonexistent", "STEREOSPOT_VISIBILITY=3s")
	web := c.run(t, c.env, "web-ui", "--addr", "127.0.0.1:0")
	c.run(t, c.env, "media-worker")
	video := c.run(t, env, "video-worker")
	film := tinyFilm(t)
	lucky := c.submit(t, web.address(t), film, "--segment-frames", "4")
	unlucky := c.submit(t, web.address(t), film, "--format", string(doomed))
	asked := func() bool {
		list, _, err := c.platform.Output.List(t.Context(), "sagemaker-async-requests/", "", 100)
		tickets := slices.DeleteFunc(list, func(o platform.Object) bool { return !strings.HasSuffix(o.Key, ".ticket") })
		return err == nil && len(tickets) == 3
	}
	until(t, "every segment is asked for", asked)
	video.kill()
	reset := breakOnce(t, lines)
	c.run(t, env, "video-worker")
	reset()
	c.repeatEvents(t)
	close(late)
	r := <-lucky
	if r.code != exitDone {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	got, err := os.ReadFile(r.film)
	if want := undisturbed(t, film); err != nil || string(got) != string(want) {
		t.Errorf("%d bytes, %v; an undisturbed run has %d others", len(got), err, len(want))
	}
	invocations := runtime.Invocations()
	for _, n := range invocations {
		if n != 1 {
			t.Errorf("a segment was paid for %d times", n)
		}
	}
	if len(invocations) != 3 {
		t.Errorf("%v", invocations)
	}
	failed := <-unlucky
	wantDoomed(t, failed, "Endpoint films of account 123456789012 not found.", int(doomedTries.Load()), 2*platform.MaxReceives) // its event came twice
}

// breakOnce has every line reset its connections, and the service behind it fail once. What it returns waits until that
// has happened, and mends the resets.
func breakOnce(t *testing.T, lines []*awstest.Line) (mend func()) {
	t.Helper()
	opened := make([]int64, len(lines))
	for i, l := range lines {
		opened[i] = l.Opened()
		l.Refuse(1)
		if err := l.Spoil(awstest.Toxic{Type: "reset_peer", Stream: "downstream", Toxicity: 1}); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for i, l := range lines {
			until(t, "a line was reset and its service has failed", func() bool { return l.Opened() > opened[i]+1 && l.Failures() > 0 })
			l.Clear(t.Context())
		}
	}
}

// childOf returns the process that a service keeps its networks in, or 0.
func childOf(t *testing.T, parent int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		children, _ := os.ReadFile(task) // the thread may have ended
		for _, text := range strings.Fields(string(children)) {
			line, _ := os.ReadFile("/proc/" + text + "/cmdline") // it too
			if strings.Contains(string(line), "inference-worker") {
				pid, err := strconv.Atoi(text)
				if err != nil {
					t.Fatal(err)
				}
				return pid
			}
		}
	}
	return 0
}

func TestInferenceListsEveryWrongSettingAtOnce(t *testing.T) {
	r := stereospot(t, "inference", "--addr", "nowhere", "--jobs", "99", "--wait", "1h")
	for _, flag := range []string{"--addr", "--jobs", "--wait"} {
		if r.code != exitUsage || !strings.Contains(r.err, flag) {
			t.Errorf("exit %d, %s is not in: %s", r.code, flag, r.err)
		}
	}
	r = stereospot(t, "video-worker", "--inference-backend", "sagemaker", "--inference-max-in-flight", "0", "--inference-timeout", "1s")
	for _, setting := range []string{"--platform aws", "SAGEMAKER_ENDPOINT_NAME", "INFERENCE_MAX_IN_FLIGHT", "INFERENCE_TIMEOUT"} {
		if r.code != exitUsage || !strings.Contains(r.err, setting) {
			t.Errorf("exit %d, %s is not in: %s", r.code, setting, r.err)
		}
	}
}
