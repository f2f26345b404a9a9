package cli

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// One emulator serves all of these; each has a deployment of its own where it needs one.
func TestOnAWS(t *testing.T) {
	cfg, emulator := awstest.Watched(t)
	t.Run("ProblemsAreListedAtTheStart", func(t *testing.T) { testProblems(t, newCloud(t, cfg, 0)) })
	t.Run("FilmsAreConvertedByServicesOfTheirOwn", func(t *testing.T) { testServices(t, newCloud(t, cfg, 0), &emulator.Calls) })
	t.Run("AnEndpointOverBadLinesIsPaidOnceForASegment", func(t *testing.T) { testEndpoint(t, newCloud(t, cfg, 3*time.Second), emulator) })
}

func testProblems(t *testing.T, c *cloud) {
	for _, s := range []struct {
		name string
		env  []string
		want []string
	}{
		{"no settings", []string{"AWS_REGION=", "INPUT_BUCKET_NAME=", "SEGMENT_OUTPUT_QUEUE_URL="}, []string{
			"AWS_REGION is not set", "INPUT_BUCKET_NAME is not set", "SEGMENT_OUTPUT_QUEUE_URL is not set"}},
		{"nothing there", []string{"INPUT_BUCKET_NAME=no-such-bucket", "JOBS_TABLE_NAME=no-such-table", "CHUNKING_QUEUE_URL=" + c.resources.QueueURLs["chunking"] + "x"}, []string{
			"\nstereospot: input bucket no-such-bucket: NoSuchBucket", "stereospot: table no-such-table: ResourceNotFoundException", "stereospot: queue "}},
		{"no credentials", []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_EC2_METADATA_DISABLED=true", "HOME=" + t.TempDir()}, []string{"there are no AWS credentials"}},
		{"nobody answers", []string{"AWS_ENDPOINT_URL=http://" + closedPort(t)}, []string{"bucket " + c.resources.InputBucket + ": ", "connection refused"}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			p := c.run(t, c.with(s.env...), "media-worker")
			if err := p.cmd.Wait(); err == nil {
				t.Error("it started")
			}
			for _, want := range s.want {
				if !strings.Contains("\n"+p.log.text(), want) {
					t.Errorf("%q is not in:\n%s", want, p.log.text())
				}
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("that took %v", took)
			}
		})
	}
}

// closedPort returns an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func testServices(t *testing.T, c *cloud, calls *awstest.Calls) {
	makeSessionKey(t, c)
	inference := c.run(t, c.env, "inference", "--addr", "127.0.0.1:0")
	wall := newWall(t, inference.address(t))
	web := c.run(t, c.with("SESSION_KEY_SECRET_ARN="+c.resources.SessionKeySecret), "web-ui", "--addr", "127.0.0.1:0")
	media := c.run(t, c.env, "media-worker")
	env := c.with("INFERENCE_BACKEND=http", "INFERENCE_HTTP_URL="+wall.URL, "STEREOSPOT_PRICE_TASK_HOUR=0.05", "STEREOSPOT_DRAIN=1s")
	video := c.run(t, env, "video-worker")
	unlucky := c.submit(t, web.address(t), tinyFilm(t), "--format", string(doomed))
	if r := stereospot(t, "smoke-test", "--server", web.address(t)); r.code != exitDone {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	failed := <-unlucky
	wantDoomed(t, failed, doomedReason, wall.doomedTries(), platform.MaxReceives)
	release := wall.hold()
	defer release()
	film := tinyFilm(t)
	lucky := c.submit(t, web.address(t), film, "--segment-frames", "3")
	const segments = 4
	until(t, "every segment is being converted", func() bool { return wall.waiting() == segments })
	wantSwiftEnd(t, video)
	if n := strings.Count(video.log.text(), "message handed back"); n != segments {
		t.Errorf("%d of %d messages were handed back", n, segments)
	}
	// Messages stay out of sight for half an hour, so that only those that were handed back can be taken now.
	video = c.run(t, env, "video-worker")
	release()
	r := <-lucky
	if r.code != exitDone {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	sameAsHere(t, film, r.film, "--segment-frames", "3")
	const smoke = 3 // segments of the smoke test's film
	if n := strings.Count(inference.log.text(), "kept=false"); n != segments+smoke {
		t.Errorf("%d segments were converted %d times", segments+smoke, n)
	}
	for _, s := range []*service{web, media, video, inference} {
		wantSwiftEnd(t, s)
	}
	c.checkPermissions(t, calls)
	for metric, of := range map[string]*service{"FinishedMinutes": media, "SecondsPerFrame": video, "EstimatedCost": video, "Requests": web} {
		if !strings.Contains(of.log.text(), `"Name":"`+metric+`"`) {
			t.Errorf("%v has not told CloudWatch of %s", of.cmd.Args[1:], metric)
		}
	}
}

// wantSwiftEnd stops a service, which must end well within what ECS grants.
func wantSwiftEnd(t *testing.T, s *service) {
	t.Helper()
	if took := s.stop(t); took > 10*time.Second {
		t.Errorf("%v took %v to stop", s.cmd.Args[1:], took)
	}
}

// wantDoomed demands that a film has failed with the backend's own words after so many tries at most.
func wantDoomed(t *testing.T, r submitted, words string, tries, most int) {
	t.Helper()
	if r.code != exitFailed || !strings.Contains(r.err, words) || !strings.Contains(r.err, "converting a segment failed 5 times") {
		t.Errorf("exit %d: %s%s; want %q", r.code, r.out, r.err, words)
	}
	if tries < 1 || tries > most {
		t.Errorf("it was tried %d times", tries)
	}
}

// makeSessionKey has sessions sealed by a secret in Secrets Manager.
func makeSessionKey(t *testing.T, c *cloud) {
	t.Helper()
	made, err := secretsmanager.NewFromConfig(c.cfg).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(c.name + "-session-key"), SecretString: aws.String("correct horse battery staple"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.resources.SessionKeySecret = *made.ARN
}

// sameAsHere demands that a result has the bytes that one machine makes of the film.
func sameAsHere(t *testing.T, film, result string, options ...string) {
	t.Helper()
	here := filepath.Join(t.TempDir(), "here.mp4")
	mustConvert(t, film, here, options...)
	want, err := os.ReadFile(here)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the result's %d bytes are not the %d that one machine makes", len(got), len(want))
	}
}
