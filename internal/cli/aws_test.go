package cli

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// One emulator serves all of these; each has a deployment of its own where it needs one.
func TestOnAWS(t *testing.T) {
	cfg := awstest.Endpoints(t)
	t.Run("ProblemsAreListedAtTheStart", func(t *testing.T) { testProblems(t, newCloud(t, cfg, 0)) })
	t.Run("FilmsAreConvertedByServicesOfTheirOwn", func(t *testing.T) { testServices(t, newCloud(t, cfg, 0)) })
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

func testServices(t *testing.T, c *cloud) {
	web := c.run(t, c.env, "web-ui", "--addr", "127.0.0.1:0")
	media := c.run(t, c.env, "media-worker")
	video := c.run(t, c.env, "video-worker", "--convert-jobs", "2")
	film := crashSource(t)
	out := filepath.Join(t.TempDir(), "out.mp4")
	r := stereospot(t, "submit", film, "-o", out, "--segment-frames", "25", "--preset", "ultrafast", "--server", web.address(t))
	if r.code != exitDone {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	undisturbed := filepath.Join(t.TempDir(), "undisturbed.mp4")
	mustConvert(t, film, undisturbed, "--segment-frames", "25", "--preset", "ultrafast")
	want, err := os.ReadFile(undisturbed)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%d bytes, of which the first difference is not where one machine has it; %d there", len(got), len(want))
	}
	for _, s := range []*service{web, media, video} {
		if took := s.stop(t); took > 10*time.Second {
			t.Errorf("%v took %v to stop", s.cmd.Args[1:], took)
		}
	}
}
