package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/inference/inferencetest"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/models/modelstest"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// hubModel is a model of the registry that isn't for commerce and whose content isn't written down there, so that a hub may
// have a small network under its name; and that hub's file.
func hubModel(t *testing.T) (m models.Model, file modelstest.File) {
	t.Helper()
	for _, m := range models.Registry() {
		if m.NonCommercial && m.SHA256 == "" {
			return m, modelstest.File{Repo: m.Repo, Revision: m.Revision, Path: m.File, Content: onnxtest.Bytes(onnxtest.Kind{})}
		}
	}
	t.Fatal("the registry knows the content of every such model")
	return models.Model{}, modelstest.File{}
}

// exchange is an inference service with a directory that requests may name files in.
type exchange struct {
	*service
	t       *testing.T
	address string
	dir     string
	segment inferencetest.Segment
}

// ping returns the status of /ping, and the reason where it isn't well, else what computes depth.
func (x *exchange) ping() (int, string) {
	x.t.Helper()
	res, err := http.Get(x.address + "/ping")
	if err != nil {
		x.t.Fatal(err)
	}
	defer res.Body.Close()
	var said struct{ Reason, Depth string }
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil {
		x.t.Fatal(err)
	}
	return res.StatusCode, said.Reason + said.Depth
}

// convert asks for the segment with depth of a model, into a file.
func (x *exchange) convert(model, name string) (*http.Response, string) {
	x.t.Helper()
	r := x.segment.Request("job")
	r.Depth.Model = model
	body, err := json.Marshal(inference.Invoke(r, inference.FileURI(x.segment.Path), inference.FileURI(filepath.Join(x.dir, name))))
	if err != nil {
		x.t.Fatal(err)
	}
	res, err := http.Post(x.address+"/invocations", "application/json", bytes.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	return res, string(text)
}

// mustConvert is convert that has to succeed, and returns the hashes of the frames.
func (x *exchange) mustConvert(model, name string) []string {
	x.t.Helper()
	if res, text := x.convert(model, name); res.StatusCode != http.StatusOK {
		x.t.Fatalf("%s: %d %s", model, res.StatusCode, text)
	}
	return decodedHash(x.t, filepath.Join(x.dir, name))
}

// The whole life of a model on a machine that had none: fetched, killed on the way, fetched to its end from where it was, used,
// and used again by a service that no hub answers.
func TestInferenceFetchesItsModelByItself(t *testing.T) {
	m, file := hubModel(t)
	hub := modelstest.New(t, file)
	hold := make(chan struct{})
	half := len(file.Content) / 2
	hub.Trouble(func(now *modelstest.Troubles) { now.Token, now.Hold, now.HoldAt = "hf_secret", hold, half })
	x := &exchange{t: t, dir: t.TempDir(), segment: inferencetest.Film(t, 1)[0]}
	in := filepath.Join(x.dir, "in.mkv")
	if err := os.Rename(x.segment.Path, in); err != nil {
		t.Fatal(err)
	}
	x.segment.Path = in
	modelsDir := t.TempDir()
	env := []string{"TMPDIR=" + t.TempDir(), "ORT_LIB=" + onnxtest.Library(t), "HF_ENDPOINT=" + hub.URL, "HF_TOKEN=hf_secret", "STEREOSPOT_FETCH_MODELS=" + m.Name, "STEREOSPOT_ACCEPT_LICENSE=true"}
	start := func() {
		x.service, x.address = startInference(t, env, "--allow-files", x.dir, "--models-dir", modelsDir)
	}
	start()
	fetching := fmt.Sprintf("fetching %s: %d %%", m.Name, 100*half/len(file.Content))
	until(t, "half of the model is here", func() bool { _, reason := x.ping(); return reason == fetching })
	if status, _ := x.ping(); status != http.StatusServiceUnavailable {
		t.Errorf("/ping is %d before the model is here", status)
	}
	for _, model := range []string{"auto", m.Name} {
		if res, text := x.convert(model, "early.mp4"); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(text, fetching) {
			t.Errorf("%s meanwhile: %d %s", model, res.StatusCode, text)
		}
	}
	x.mustConvert("classic", "classic.mp4")

	x.kill()
	close(hold)
	hub.Trouble(func(now *modelstest.Troubles) { now.Status = []int{503} })
	start()
	until(t, "the model is warm", func() bool { status, _ := x.ping(); return status == http.StatusOK })
	if got, want := hub.Ranges(), []string{"", fmt.Sprintf("bytes=%d-", half)}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	got := x.mustConvert("auto", "auto.mp4")
	sameFrames(t, got, x.mustConvert(m.Name, "named.mp4"), inferencetest.SegmentFrames)
	want := filepath.Join(t.TempDir(), "want.mp4")
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	mustConvert(t, in, want, "--models-dir", modelsDir, "--depth", m.Name, "--depth-provider", "cpu", "--format", "half-sbs", "--codec", "h264", "--crf", "0")
	sameFrames(t, got, decodedHash(t, want), inferencetest.SegmentFrames)
	x.checkSecrets(hub)
	x.stop(t)

	hub.Close()
	start()
	until(t, "the model is warm without a hub", func() bool { status, _ := x.ping(); return status == http.StatusOK })
	sameFrames(t, got, x.mustConvert("auto", "again.mp4"), inferencetest.SegmentFrames)
	x.stop(t)
}

// checkSecrets wants the token at the hub and nowhere else.
func (x *exchange) checkSecrets(hub *modelstest.Hub) {
	x.t.Helper()
	child := childOf(x.t, x.cmd.Process.Pid)
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", child))
	if child == 0 || err != nil {
		x.t.Fatalf("process %d: %v", child, err)
	}
	if strings.Contains(string(env), "hf_secret") {
		x.t.Error("the process of the networks is told the token")
	}
	if strings.Contains(x.log.text(), "hf_secret") {
		x.t.Error("the token is in the log")
	}
	if leaked := hub.Leaked(); leaked != "" {
		x.t.Errorf("another host was sent %q", leaked)
	}
}

func TestInferenceEndsOnModelsThatItCanNeverHave(t *testing.T) {
	m, file := hubModel(t)
	other := models.Registry()[0] // its content is known, and is another
	hub := modelstest.New(t, file, modelstest.File{Repo: other.Repo, Revision: other.Revision, Path: other.File, Content: file.Content})
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("HF_TOKEN", "hf_wrong")
	t.Setenv(runAsCommand, "1") // for the process of the networks, should one be started
	zeros := strings.Repeat("0", 64)
	for _, c := range []struct {
		name     string
		args     []string
		troubles modelstest.Troubles
		code     int
		want     string
	}{
		{"token", []string{"--accept-license", "--fetch-model", m.Name}, modelstest.Troubles{Token: "hf_right"}, exitFailed, "doesn't accept the token in HF_TOKEN"},
		{"terms", []string{"--accept-license", "--fetch-model", m.Name}, modelstest.Troubles{Status: []int{403}}, exitFailed, "accept the model's terms"},
		{"known hash", []string{"--fetch-model", other.Name}, modelstest.Troubles{}, exitFailed, "nothing was fetched"},
		{"told hash", []string{"--accept-license", "--fetch-model", m.Name + "=" + zeros}, modelstest.Troubles{}, exitFailed, "nothing was fetched"},
		{"bytes", []string{"--accept-license", "--fetch-model", m.Name}, modelstest.Troubles{WrongBytes: true}, exitFailed, "thrown away"},
		{"own", []string{"--fetch-model", "mine=" + zeros}, modelstest.Troubles{}, exitFailed, "its file has to be in"},
		{"unknown", []string{"--fetch-model", "tarot"}, modelstest.Troubles{}, exitUsage, `unknown model "tarot": use depth-anything-v2-small`},
		{"licence", []string{"--fetch-model", m.Name}, modelstest.Troubles{}, exitUsage, "agree with --accept-license"},
		{"place", []string{"--fetch-model", other.Name, "--models-dir", "/dev/null/models"}, modelstest.Troubles{}, exitFailed, "choose another with --models-dir"},
	} {
		hub.Trouble(func(now *modelstest.Troubles) { *now = c.troubles })
		args := append([]string{"inference", "--addr", "127.0.0.1:0", "--log-level", "error", "--scratch-dir", t.TempDir(), "--models-dir", t.TempDir()}, c.args...)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var said bytes.Buffer
		code := run(ctx, args, streams{strings.NewReader(""), io.Discard, &said})
		cancel()
		if code != c.code || !strings.Contains(said.String(), c.want) || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: exit %d: %s", c.name, code, &said)
		}
	}
}

func TestWebServersRefuseListsOfModelsThatSayTooLittle(t *testing.T) {
	m, _ := hubModel(t)
	for args, want := range map[string]string{
		"web-ui --depth-models " + m.Name:                              "the SHA-256 of " + m.Name + " isn't known here",
		"web-ui --depth-models depth-anything-v2-small,mine":           "the SHA-256 of mine isn't known here",
		"serve --depth-models depth-anything-v2-small":                 "needs --inference-backend http",
		"web-ui --addr nowhere --depth-models classic --min-free 10MB": "names no model",
	} {
		r := stereospot(t, append(strings.Fields(args), "--data-dir", t.TempDir())...)
		if r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit %d: %s", args, r.code, r.err)
		}
	}
}
