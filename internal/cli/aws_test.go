package cli

import (
	"bytes"
	"encoding/json"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/models/modelstest"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
	"github.com/stereospot/stereospot/internal/web"
)

// One emulator serves all of these; each has a deployment of its own where it needs one.
func TestOnAWS(t *testing.T) {
	cfg, emulator := awstest.Watched(t)
	t.Run("ProblemsAreListedAtTheStart", func(t *testing.T) { testProblems(t, newCloud(t, cfg, 0)) })
	t.Run("TheHubsTokenComesFromItsSecret", func(t *testing.T) { testHubToken(t, &cloud{cfg: cfg, name: "hub"}) })
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
		{"nobody answers", []string{"AWS_ENDPOINT_URL=http://" + nobody}, []string{"bucket " + c.resources.InputBucket + ": ", "connection refused"}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := c.run(t, c.with(s.env...), "media-worker")
			if err := await(t, finished(p.cmd)); err == nil {
				t.Error("it started")
			}
			for _, want := range s.want {
				if !strings.Contains("\n"+p.log.text(), want) {
					t.Errorf("%q is not in:\n%s", want, p.log.text())
				}
			}
		})
	}
}

func testServices(t *testing.T, c *cloud, calls *awstest.Calls) {
	c.resources.SessionKeySecret = c.makeSecret(t, "session-key", "correct horse battery staple")
	c.hubToken = c.makeSecret(t, "hub-token", "hf_secret")
	model, hub := c.model(t)
	inference := c.run(t, c.with(append(hub, "HF_TOKEN_SECRET_ARN="+c.hubToken)...), "inference", "--addr", "127.0.0.1:0")
	wall := newWall(t, inference.address(t))
	web := c.run(t, c.with("SESSION_KEY_SECRET_ARN="+c.resources.SessionKeySecret, "STEREOSPOT_DEPTH_MODELS="+model.name+"="+model.sum), "web-ui", "--addr", "127.0.0.1:0")
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
	sameAsHere(t, film, web.address(t), r, "--segment-frames", "3", "--depth", model.name, "--models-dir", model.dir, "--depth-provider", "cpu")
	model.checkJobs(t, web.address(t))
	if strings.Contains(inference.log.text(), "hf_secret") {
		t.Error("the hub's token is in the log")
	}
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

// granted is how long ECS lets a task take to stop.
const granted = time.Minute

// wantSwiftEnd stops a service, which must end within what ECS grants.
func wantSwiftEnd(t *testing.T, s *service) {
	t.Helper()
	if took := s.stop(t); took > granted {
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

// testHubToken reads the token of models' hub as the inference service does when a model is missing.
func testHubToken(t *testing.T, c *cloud) {
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": *c.cfg.BaseEndpoint, "AWS_REGION": awstest.Region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} {
		t.Setenv(name, value)
	}
	empty, err := secretsmanager.NewFromConfig(c.cfg).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(c.name + "-empty")})
	if err != nil {
		t.Fatal(err)
	}
	full := c.makeSecret(t, "full", "hf_secret\n")
	for _, s := range []struct{ had, arn, want string }{
		{"", full, "hf_secret"},
		{"hf_own", full, "hf_own"},
		{"", *empty.ARN, ""}, // as Terraform makes it
		{"", "", ""},
	} {
		hub, err := withToken(t.Context(), &models.Hub{Endpoint: "http://hub.example", Token: s.had}, config.HubToken{HFTokenSecretARN: s.arn}, slog.New(slog.DiscardHandler))
		if err != nil || hub.Token != s.want || hub.Endpoint != "http://hub.example" {
			t.Errorf("with %q and the secret %s the token is %q, %v", s.had, s.arn, hub.Token, err)
		}
	}
}

// makeSecret has a text kept by Secrets Manager, and returns its address.
func (c *cloud) makeSecret(t *testing.T, name, text string) (arn string) {
	t.Helper()
	made, err := secretsmanager.NewFromConfig(c.cfg).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(c.name + "-" + name), SecretString: &text,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.ARN
}

// deployedModel is a model that the inference service of a deployment fetches into dir.
type deployedModel struct{ name, sum, dir string }

// model starts a hub that has a small network for whoever knows the token, and returns what the inference service's
// environment says of it.
func (c *cloud) model(t *testing.T) (m deployedModel, env []string) {
	t.Helper()
	known, file := hubModel(t)
	hub := modelstest.New(t, file)
	hub.Trouble(func(now *modelstest.Troubles) { now.Token = "hf_secret" })
	library := onnxtest.Library(t)
	t.Setenv("ORT_LIB", library) // for what is converted here to compare with
	m = deployedModel{known.Name, file.Sum(), t.TempDir()}
	return m, []string{
		"HF_ENDPOINT=" + hub.URL, "STEREOSPOT_FETCH_MODELS=" + m.name, "STEREOSPOT_ACCEPT_LICENSE=true", "STEREOSPOT_MODELS_DIR=" + m.dir,
		"ORT_LIB=" + library, "STEREOSPOT_DEPTH_PROVIDER=cpu",
	}
}

// checkJobs demands that films of web-ui, which has no model's file, were settled on the model, and that their previews say
// that they are classic's.
func (m deployedModel) checkJobs(t *testing.T, server string) {
	t.Helper()
	res, err := http.Get(server + "/api/v1/jobs")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct{ Jobs []web.Job }
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil || len(list.Jobs) == 0 {
		t.Fatalf("%d jobs, %v", len(list.Jobs), err)
	}
	want := job.DepthOptions{Model: m.name, Content: m.sum}
	for _, j := range list.Jobs {
		if j.Options.Depth != want {
			t.Errorf("job %s has depth by %+v, want %+v", j.ID, j.Options.Depth, want)
		}
	}
	if got := get(t, server+"/api/v1/jobs/"+list.Jobs[0].ID+"/preview?at=0&kind=depth"); !strings.Contains(got, "X-Preview-Note: The preview's depth is classic's; the film gets "+m.name) {
		t.Errorf("its preview is %.500q", got)
	}
}

// sameAsHere demands that a film's result, and the report that the server has of it, have the bytes that one machine makes.
func sameAsHere(t *testing.T, film, server string, r submitted, options ...string) {
	t.Helper()
	dir := t.TempDir()
	here, figures := filepath.Join(dir, "here.mp4"), filepath.Join(dir, "report.json")
	mustConvert(t, film, here, append(options, "--report", figures)...)
	if got, want := readFile(t, r.film), readFile(t, here); !bytes.Equal(got, want) {
		t.Errorf("the result's %d bytes are not the %d that one machine makes", len(got), len(want))
	}
	_, said, _ := strings.Cut(r.out, ": job ")
	id, _, _ := strings.Cut(said, ",")
	sameReport(t, server, id, figures)
}

// sameReport demands that a server has the report of a job that convert has written to a file, and a picture of it.
func sameReport(t *testing.T, server, id, file string) {
	t.Helper()
	if got, want := answerOf(t, server+"/api/v1/jobs/"+id+"/report"), readFile(t, file); !bytes.Equal(got, want) {
		t.Errorf("the report of job %s is %.300s\ninstead of %.300s", id, got, want)
	}
	if _, err := png.Decode(bytes.NewReader(answerOf(t, server+"/api/v1/jobs/"+id+"/report.png"))); err != nil {
		t.Errorf("its picture: %v", err)
	}
}

// answerOf is what a page answers with.
func answerOf(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s, %v: %.300s", url, resp.Status, err, body)
	}
	return body
}
