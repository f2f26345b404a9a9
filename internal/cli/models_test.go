//go:build cgo

package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stereospot/stereospot/internal/models/modelstest"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

func TestConvertOnAModelSaysWhichAndUsesIt(t *testing.T) {
	dir := t.TempDir()
	film := filepath.Join(dir, "film.mkv")
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=96x64:r=25 -frames:v 12 -c:v libx264 -preset ultrafast film.mkv")
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	model := onnxtest.Write(t, onnxtest.Kind{})
	convert := func(name string, args ...string) (r result, frames string) {
		t.Helper()
		out := filepath.Join(dir, name+".mp4")
		r = mustConvert(t, film, out, append([]string{"--format", "depth", "--crf", "0", "--depth-provider", "cpu", "--depth-size", "56"}, args...)...)
		return r, strings.Join(decodedHash(t, out), " ")
	}
	r, neural := convert("neural", "--depth", model)
	if !strings.Contains(r.err, "depth: "+model+" on CPU") {
		t.Errorf("convert says %s", r.err)
	}
	// The other network's values are distances, of which nothing else tells.
	other := onnxtest.Write(t, onnxtest.Kind{Metric: true})
	_, wrong := convert("wrong", "--depth", other)
	_, right := convert("right", "--depth", other, "--depth-orientation", "far")
	if neural == wrong || wrong == right {
		t.Error("the orientation makes no difference")
	}
	if _, views := convert("views", "--depth", onnxtest.Write(t, onnxtest.Kind{Metric: true, Views: true}), "--depth-orientation", "far"); views != right {
		t.Error("a network that could look at several views gives other depth than one of the same that couldn't")
	}
	fixed := onnxtest.Write(t, onnxtest.Kind{Fixed: true})
	if r, _ := convert("fixed", "--depth", fixed); !strings.Contains(r.err, "--depth-size changes nothing: this network takes pictures of 56×42 alone") {
		t.Errorf("a network of one size is asked for another, and convert says %s", r.err)
	}
	if r, _ := convert("slow", "--depth", fixed, "--depth-size", "0"); !strings.Contains(r.err, "--depth-every 3 takes less time") || strings.Contains(r.err, "--depth-size") {
		t.Errorf("for a network of one size convert says %s", r.err)
	}
	t.Setenv("STEREOSPOT_MODELS_DIR", dir)
	if err := os.MkdirAll(filepath.Join(dir, "depth-anything-v2-small"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "depth-anything-v2-small", "model.onnx"), onnxtest.Bytes(onnxtest.Kind{}), 0o644); err != nil {
		t.Fatal(err)
	}
	r, auto := convert("auto")
	if auto != neural || !strings.Contains(r.err, "depth-anything-v2-small (the best model installed; `stereospot models list` shows better ones) on CPU") {
		t.Errorf("auto: same frames %v, says %s", auto == neural, r.err)
	}
}

func TestMissingRuntimeIsExplainedBeforeAnyWork(t *testing.T) {
	model := onnxtest.Write(t, onnxtest.Kind{})
	// The runtime may be loaded already in this process, so another one is asked.
	cmd := command("convert", "x.mp4", "--depth", model, "--ort-lib", filepath.Join(t.TempDir(), "missing.so"))
	out, err := cmd.CombinedOutput()
	if err == nil || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), "pip install onnxruntime") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestModelThatDoesNotOpenLeavesEarlierWorkAlone(t *testing.T) {
	t.Setenv("ORT_LIB", onnxtest.Library(t))
	in := crashSource(t)
	dir := filepath.Dir(in)
	broken, out := filepath.Join(t.TempDir(), "broken.onnx"), filepath.Join(dir, "out.mp4")
	if err := os.WriteFile(broken, []byte("no network"), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"convert", in, "-o", out, "--segment-frames", "10", "--encoder-preset", "ultrafast"}
	on := append(slices.Clone(args), "--depth", broken)
	if r := stereospot(t, on...); r.code != exitFailed || !strings.Contains(r.err, "not a network that ONNX Runtime") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	checkNothingLeft(t, dir, "film.mp4")
	interrupt(t, syscall.SIGINT, args...)
	if r := stereospot(t, on...); r.code != exitFailed {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	if r := stereospot(t, append(args, "--json")...); r.code != exitDone || !strings.Contains(r.out, `"kept"`) {
		t.Errorf("exit %d; nothing was kept of the work from before: %s%s", r.code, r.out, r.err)
	}
}

func TestModelsAreListedFetchedVerifiedAndFound(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STEREOSPOT_MODELS_DIR", dir)
	hub := httptest.NewServer(http.NotFoundHandler())
	defer hub.Close()
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("HF_TOKEN", "")
	if err := os.WriteFile(filepath.Join(dir, "mine.onnx"), onnxtest.Bytes(onnxtest.Kind{}), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"models", "list"}, exitDone, "depth-anything-v2-large"},
		{[]string{"models", "list"}, exitDone, "Take depth-anything-v2-small"},
		{[]string{"models", "list"}, exitDone, "your own"},
		{[]string{"models", "path", "mine"}, exitDone, filepath.Join(dir, "mine.onnx")},
		{[]string{"models", "path", "depth-anything-v2-small"}, exitFailed, "models pull depth-anything-v2-small"},
		{[]string{"models", "verify", "mine"}, exitFailed, "nothing is known to compare with"},
		{[]string{"models", "verify"}, exitDone, "nothing is known to compare with; its SHA-256 is "},
		{[]string{"models", "pull", "depth-anything-v2-small"}, exitFailed, "no such file"},
		{[]string{"models", "pull", "depth-anything-v2-large"}, exitUsage, "--accept-license"},
		{[]string{"models", "pull", "tarot"}, exitUsage, "depth-anything-v2-small"},
	} {
		r := stereospot(t, c.args...)
		if r.code != c.code || !strings.Contains(r.out+r.err, c.want) {
			t.Errorf("%v: exit %d: %s%s", c.args, r.code, r.out, r.err)
		}
	}
}

func TestPullSaysWhyItWaits(t *testing.T) {
	m, file := hubModel(t)
	hub := modelstest.New(t, file)
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("HF_TOKEN", "")
	pull := func(args ...string) result {
		t.Helper()
		hub.Trouble(func(now *modelstest.Troubles) { now.Status, now.StatusAfter = []int{429}, "1" })
		r := stereospot(t, append([]string{"models", "pull", m.Name, "--accept-license", "--models-dir", t.TempDir()}, args...)...)
		if r.code != exitDone {
			t.Fatalf("exit %d: %s", r.code, r.err)
		}
		return r
	}
	if r := pull(); !strings.Contains(r.err, "is busy (429 Too Many Requests); trying again in 1s") {
		t.Errorf("pull says %s", r.err)
	}
	if r := pull("--quiet"); strings.Contains(r.err, "busy") {
		t.Errorf("pull says %s", r.err)
	}
}
