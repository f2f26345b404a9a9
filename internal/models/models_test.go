//go:build cgo

package models

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/models/modelstest"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// put installs a test network under a name.
func put(t *testing.T, s *Store, name string, k onnxtest.Kind) {
	t.Helper()
	path := s.pathOf(name)
	if strings.HasSuffix(name, ".onnx") {
		path = filepath.Join(s.Dir, name)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, onnxtest.Bytes(k), 0o644); err != nil {
		t.Fatal(err)
	}
}

func loader(t *testing.T) *Loader {
	t.Helper()
	l := &Loader{Store: &Store{Dir: t.TempDir()}, Config: onnx.Config{Library: onnxtest.Library(t), Provider: onnx.CPU}}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestAutoTakesTheBestThatIsInstalledAndSaysWhy(t *testing.T) {
	l := loader(t)
	auto := job.DepthOptions{Model: job.AutoDepth}
	c, err := l.Choose(auto)
	if err != nil || c.Options != (job.DepthOptions{Model: job.Classic}) || !strings.Contains(c.Why, "models pull") {
		t.Errorf("without a model: %+v, %v", c, err)
	}
	put(t, l.Store, "mine.onnx", onnxtest.Kind{})
	if c, err = l.Choose(auto); err != nil || c.Options.Model != job.Classic || !strings.Contains(c.Why, "--depth mine") || strings.Contains(c.Why, "no model") {
		t.Errorf("with a model that nobody knows: %+v, %v", c, err)
	}
	put(t, l.Store, "depth-anything-v2-small-fp16", onnxtest.Kind{Half: true})
	put(t, l.Store, "depth-anything-v2-base", onnxtest.Kind{Gain: 2})
	auto.Every = 3
	if c, err = l.Choose(auto); err != nil || c.Options.Model != "depth-anything-v2-base" || len(c.Options.Content) != 64 || c.Options.Every != 3 {
		t.Errorf("with two models: %+v, %v", c, err)
	}
	if !strings.HasPrefix(c.Why, "the best model installed") || !strings.Contains(c.Why, "models list") {
		t.Errorf("with a better one on the hub: %q", c.Why)
	}
	put(t, l.Store, "depth-anything-v2-large", onnxtest.Kind{Gain: 3})
	if c, err = l.Choose(auto); err != nil || c.Options.Model != "depth-anything-v2-large" || c.Why != "the best model installed" {
		t.Errorf("with the best of all: %+v, %v", c, err)
	}
	if names, err := l.Names(); err != nil || !slices.Equal(names, []string{"depth-anything-v2-large", "depth-anything-v2-base", "depth-anything-v2-small-fp16", "mine"}) {
		t.Errorf("names %v, %v", names, err)
	}
}

func TestModelOfTwoFilesIsPulledAndRuns(t *testing.T) {
	l := loader(t)
	network, weights := onnxtest.Apart(onnxtest.Kind{Views: true, Metric: true}, "model.onnx_data")
	file := func(path string, content []byte) modelstest.File {
		return modelstest.File{Repo: "owner/pair", Revision: "main", Path: path, Content: content}
	}
	hub := modelstest.New(t, file("onnx/model.onnx", network), file("onnx/model.onnx_data", weights))
	m := Model{Name: "pair", Repo: "owner/pair", Revision: "main", File: "onnx/model.onnx", Weights: Weights{File: "onnx/model.onnx_data"}}
	if _, err := l.Store.Pull(t.Context(), &Hub{Endpoint: hub.URL}, m, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	d, err := l.Resolve(job.DepthOptions{Model: "pair", Orientation: job.LargerIsFar})
	if err != nil {
		t.Fatal(err)
	}
	if net, err := l.Open(t.Context(), d); err != nil || !net.Spec().Metric {
		t.Errorf("opened: %v", err)
	}
	if err := os.Remove(l.Store.pathOf("pair") + "_data"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(t.Context(), d); err == nil {
		t.Error("without its weights it is the same model")
	}
}

func TestNetworkWithoutItsWeightsIsNotInstalled(t *testing.T) {
	l := loader(t)
	const name = "depth-anything-v3-small"
	put(t, l.Store, name, onnxtest.Kind{})
	if _, err := l.Store.Find(name, false); err == nil || !strings.Contains(err.Error(), "models pull "+name) {
		t.Errorf("without its weights: %v", err)
	}
	if err := os.WriteFile(l.Store.pathOf(name)+"_data", []byte("weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := l.Store.Find(name, false)
	if err != nil {
		t.Fatal(err)
	}
	if spec, err := m.Spec(); err != nil || !spec.Metric || spec.Side != 504 {
		t.Errorf("with them: %+v, %v", spec, err)
	}
	if c, err := l.Choose(job.DepthOptions{Model: job.AutoDepth}); err != nil || c.Options.Model != name {
		t.Errorf("auto: %+v, %v", c, err)
	}
	put(t, l.Store, Recommended, onnxtest.Kind{})
	if c, err := l.Choose(job.DepthOptions{Model: job.AutoDepth}); err != nil || c.Options.Model != Recommended {
		t.Errorf("auto beside the recommended one: %+v, %v", c, err)
	}
}

func TestOwnModelMayHaveADirectory(t *testing.T) {
	l := loader(t)
	put(t, l.Store, "studio", onnxtest.Kind{Metric: true})
	config := filepath.Join(l.Store.dirOf("studio"), "config.json")
	if err := os.WriteFile(config, []byte(`{"depth_estimation_type": "metric"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, l.Store, "studio.onnx", onnxtest.Kind{})
	if err := os.Mkdir(l.Store.dirOf("empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	all, err := l.Store.Installed()
	if err != nil || len(all) != 1 || all[0] != (Installed{Name: "studio", Path: l.Store.pathOf("studio")}) {
		t.Fatalf("%+v, %v", all, err)
	}
	if spec, err := all[0].Spec(); err != nil || !spec.Metric {
		t.Errorf("%+v, %v", spec, err)
	}
}

func TestModelIsKnownByItsContent(t *testing.T) {
	l := loader(t)
	put(t, l.Store, "mine.onnx", onnxtest.Kind{})
	first, err := l.Resolve(job.DepthOptions{Model: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	net, err := l.Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := l.Open(t.Context(), first); err != nil || again != net {
		t.Errorf("opened twice: %v", err)
	}
	put(t, l.Store, "mine.onnx", onnxtest.Kind{Gain: 3})
	second, err := l.Resolve(job.DepthOptions{Model: "mine"})
	if err != nil || second.Content == first.Content {
		t.Errorf("another model has the content %s, %v", second.Content, err)
	}
	if _, err := l.Open(t.Context(), first); err == nil || !strings.Contains(err.Error(), first.Content) {
		t.Errorf("a job of the first model: %v", err)
	}
	weights := filepath.Join(l.Store.Dir, "mine.onnx_data")
	if err := os.WriteFile(weights, []byte("weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	if third, err := l.Resolve(job.DepthOptions{Model: "mine"}); err != nil || third.Content == second.Content {
		t.Errorf("weights of their own don't count: %v", err)
	}
}

func TestChoicesThatCannotBeSayWhatCan(t *testing.T) {
	l := loader(t)
	put(t, l.Store, "mine.onnx", onnxtest.Kind{})
	path := filepath.Join(l.Store.Dir, "mine.onnx")
	for name, want := range map[string]string{
		"tarot": "use classic", "depth-anything-v2-small": "stereospot models pull depth-anything-v2-small", path: "is a path", "../mine.onnx": "is a path",
	} {
		if _, err := l.Resolve(job.DepthOptions{Model: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := l.Resolve(job.DepthOptions{Model: job.AutoDepth, Flip: true}); err == nil || !strings.Contains(err.Error(), "--depth mine") {
		t.Errorf("classic flips: %v", err)
	}
	l.Paths = true
	if d, err := l.Resolve(job.DepthOptions{Model: path}); err != nil || d.Content == "" {
		t.Errorf("a path where paths count: %+v, %v", d, err)
	}
}

func TestOrientationComesFromTheConfigurationOrThePerson(t *testing.T) {
	l := loader(t)
	put(t, l.Store, "mine.onnx", onnxtest.Kind{Metric: true})
	metric := func(o job.Orientation) bool {
		t.Helper()
		d, err := l.Resolve(job.DepthOptions{Model: "mine", Orientation: o})
		if err != nil {
			t.Fatal(err)
		}
		net, err := l.Open(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		return net.Spec().Metric
	}
	if metric(job.AutoOrientation) || !metric(job.LargerIsFar) {
		t.Error("without a configuration a model counts as relative, unless a person says otherwise")
	}
	if err := os.WriteFile(filepath.Join(l.Store.Dir, "config.json"), []byte(`{"depth_estimation_type": "metric"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if !metric(job.AutoOrientation) || metric(job.LargerIsNear) {
		t.Error("the configuration's word counts, unless a person says otherwise")
	}
}

func TestConfigurationBesideTheModelCounts(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "onnx")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := `{"do_resize": true, "ensure_multiple_of": 32, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 0.5], "size": {"height": 384, "width": 384}}`
	if err := os.WriteFile(filepath.Join(root, "preprocessor_config.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := sidecar(filepath.Join(dir, "model.onnx"))
	if err != nil || s.Side != 384 || s.Multiple != 32 || s.Mean[0] != 0.5 || s.Std[1] != 0.25 || s.Metric {
		t.Errorf("%+v, %v", s, err)
	}
}

// The configurations are those of DPT and MiDaS as the hub has them, of which the older ones have one number for a size.
func TestNetworksThatKeepNoAspectGetTheirOneSize(t *testing.T) {
	for text, want := range map[string][2]int{
		`{"keep_aspect_ratio": false, "ensure_multiple_of": 1, "size": {"height": 384, "width": 512}}`: {512, 384},
		`{"keep_aspect_ratio": false, "ensure_multiple_of": 1, "size": 384}`:                           {384, 384},
		`{"keep_aspect_ratio": true, "ensure_multiple_of": 32, "size": 384}`:                           {672, 384},
		`{"size": {"height": 504, "width": 504}}`:                                                      {896, 504},
	} {
		spec := depthAnything()
		if err := configure(&spec, []byte(text), nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if w, h := spec.Size(1920, 1080); w != want[0] || h != want[1] {
			t.Errorf("%s: pictures of %d×%d, want %v", text, w, h, want)
		}
	}
}

func TestSizeOfTheConfigurationCountsWhereTheFileNamesNone(t *testing.T) {
	l := loader(t)
	put(t, l.Store, "any", onnxtest.Kind{})
	put(t, l.Store, "own", onnxtest.Kind{Fixed: true})
	for name, want := range map[string][2]int{"any": {84, 84}, "own": {onnxtest.FixedW, onnxtest.FixedH}} {
		config := filepath.Join(l.Store.dirOf(name), "preprocessor_config.json")
		if err := os.WriteFile(config, []byte(`{"keep_aspect_ratio": false, "size": 84}`), 0o600); err != nil {
			t.Fatal(err)
		}
		net, err := l.Load(job.DepthOptions{Model: name})
		if err != nil {
			t.Fatal(err)
		}
		if w, h := net.Spec().Size(1920, 1080); w != want[0] || h != want[1] {
			t.Errorf("%s gets pictures of %d×%d, want %v", name, w, h, want)
		}
	}
}

func TestDirectoryThatIsNoneIsNamed(t *testing.T) {
	l := loader(t)
	l.Store.Dir = filepath.Join(l.Store.Dir, "film.mkv")
	if err := os.WriteFile(l.Store.Dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Choose(job.DepthOptions{Model: job.AutoDepth}); err == nil || !strings.Contains(err.Error(), "(--models-dir) can't be read: open "+l.Store.Dir) {
		t.Error(err)
	}
}

func TestModelsWithoutAContentAreToldApart(t *testing.T) {
	l := loader(t)
	put(t, l.Store, "one.onnx", onnxtest.Kind{})
	put(t, l.Store, "other.onnx", onnxtest.Kind{Gain: 2})
	one, err := l.Load(job.DepthOptions{Model: "one"})
	if err != nil {
		t.Fatal(err)
	}
	if other, err := l.Load(job.DepthOptions{Model: "other"}); err != nil || other == one {
		t.Errorf("another model is the same network, %v", err)
	}
	if again, err := l.Load(job.DepthOptions{Model: "one"}); err != nil || again != one {
		t.Errorf("the same model is another network, %v", err)
	}
}

func TestConfigurationIsPartOfAModelsContent(t *testing.T) {
	l := loader(t)
	put(t, l.Store, "studio", onnxtest.Kind{})
	mine := job.DepthOptions{Model: "studio"}
	content := func(config string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(l.Store.dirOf("studio"), "config.json"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := l.Choose(mine)
		if err != nil {
			t.Fatal(err)
		}
		return c.Options.Content
	}
	plain, metric := content(`{}`), content(`{"depth_estimation_type": "metric"}`)
	if sum, err := l.Store.hash(l.Store.pathOf("studio")); err != nil || plain != sum {
		t.Errorf("without a word of its own its content is %s, the file's SHA-256 is %s, %v", plain, sum, err)
	}
	if metric == plain || len(metric) != 64 || content(`{"depth_estimation_type": "relative"}`) != plain {
		t.Errorf("as a metric model its content is %s, as a relative one %s", metric, plain)
	}
}

func TestBrokenConfigurationHindersItsOwnModelAlone(t *testing.T) {
	l := loader(t)
	put(t, l.Store, Recommended, onnxtest.Kind{})
	for _, name := range []string{"broken", "endless", "piped"} {
		put(t, l.Store, name, onnxtest.Kind{})
	}
	if err := os.WriteFile(filepath.Join(l.Store.dirOf("broken"), "config.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	endless := filepath.Join(l.Store.dirOf("endless"), "preprocessor_config.json")
	if err := errors.Join(os.WriteFile(endless, nil, 0o644), os.Truncate(endless, 1<<40)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(l.Store.dirOf("piped"), "config.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	if names, err := l.Names(); err != nil || !slices.Equal(names, []string{Recommended, "broken", "endless", "piped"}) {
		t.Errorf("names %v, %v", names, err)
	}
	if c, err := l.Choose(job.DepthOptions{Model: job.AutoDepth}); err != nil || c.Options.Model != Recommended {
		t.Errorf("auto: %+v, %v", c, err)
	}
	for _, name := range []string{"broken", "endless", "piped"} {
		if _, err := l.Choose(job.DepthOptions{Model: name}); err == nil || !strings.Contains(err.Error(), l.Store.dirOf(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(`{"size": {"height": 384, "width": 384}, "ensure_multiple_of": 32}`), []byte(`{"depth_estimation_type": "metric"}`))
	f.Add([]byte(`{"size": 384, "keep_aspect_ratio": false}`), []byte(`{}`))
	f.Add([]byte(`{"image_mean": [1,2,3], "image_std": [0,0,0]}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, processor, config []byte) {
		s := depthAnything()
		if err := configure(&s, processor, config); err != nil {
			return
		}
		if w, h := s.Size(1920, 1080); w < 1 || h < 1 || w != s.FixedW && w%s.Multiple != 0 || h != s.FixedH && h%s.Multiple != 0 {
			t.Errorf("%+v gives %d×%d", s, w, h)
		}
	})
}

func TestModelThatDoesNotOpenBecauseItIsDamagedIsCalledThat(t *testing.T) {
	l := loader(t)
	put(t, l.Store, Recommended, onnxtest.Kind{})
	if err := os.Truncate(l.Store.pathOf(Recommended), 100); err != nil {
		t.Fatal(err)
	}
	c, err := l.Choose(job.DepthOptions{Model: job.AutoDepth})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(c.Options); err == nil || !strings.Contains(err.Error(), "is damaged") || !strings.Contains(err.Error(), "models pull "+Recommended) {
		t.Errorf("a model whose file was cut: %v", err)
	}
}
