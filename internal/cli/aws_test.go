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

	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// One emulator serves all of these; each has a deployment of its own where it needs one.
func TestOnAWS(t *testing.T) {
	cfg, calls := awstest.Watched(t)
	t.Run("ProblemsAreListedAtTheStart", func(t *testing.T) { testProblems(t, newCloud(t, cfg, 0)) })
	t.Run("FilmsAreConvertedByServicesOfTheirOwn", func(t *testing.T) { testServices(t, newCloud(t, cfg, 0), calls) })
	t.Run("SegmentsAreConvertedByAnEndpoint", func(t *testing.T) { testEndpoint(t, newCloud(t, cfg, 3*time.Second)) })
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
		begin := time.Now()
		p := c.run(t, c.with(s.env...), "media-worker")
		if err := p.cmd.Wait(); err == nil {
			t.Errorf("%s: it started", s.name)
		}
		for _, want := range s.want {
			if !strings.Contains("\n"+p.log.text(), want) {
				t.Errorf("%s: %q is not in:\n%s", s.name, want, p.log.text())
			}
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%s: that took %v", s.name, took)
		}
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
	web := c.run(t, c.with("SESSION_KEY_SECRET_ARN="+c.resources.SessionKeySecret), "web-ui", "--addr", "127.0.0.1:0")
	media := c.run(t, c.env, "media-worker")
	video := c.run(t, c.with("INFERENCE_BACKEND=http", "INFERENCE_HTTP_URL="+inference.address(t), "STEREOSPOT_PRICE_TASK_HOUR=0.05"), "video-worker")
	if r := stereospot(t, "smoke-test", "--server", web.address(t)); r.code != exitDone {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	film, out := crashSource(t), filepath.Join(t.TempDir(), "out.mp4")
	r := stereospot(t, "submit", film, "-o", out, "--segment-frames", "25", "--encoder-preset", "ultrafast", "--server", web.address(t))
	if r.code != exitDone {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	sameAsHere(t, film, out, "--segment-frames", "25", "--encoder-preset", "ultrafast")
	const segments = 3 + 4 // of the smoke test's film, and of this one
	if n := strings.Count(inference.log.text(), "kept=false"); n != segments {
		t.Errorf("%d segments were converted %d times", segments, n)
	}
	for _, s := range []*service{web, media, video, inference} {
		if took := s.stop(t); took > 10*time.Second {
			t.Errorf("%v took %v to stop", s.cmd.Args[1:], took)
		}
	}
	c.checkPermissions(t, calls)
	for metric, of := range map[string]*service{"FinishedMinutes": media, "SecondsPerFrame": video, "EstimatedCost": video, "Requests": web} {
		if !strings.Contains(of.log.text(), `"Name":"`+metric+`"`) {
			t.Errorf("%v has not told CloudWatch of %s", of.cmd.Args[1:], metric)
		}
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
