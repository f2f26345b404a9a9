//go:build cgo

package models

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
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
	if c, err = l.Choose(auto); err != nil || c.Options.Model != job.Classic {
		t.Errorf("with a model that nobody knows: %+v, %v", c, err)
	}
	put(t, l.Store, "depth-anything-v2-small-fp16", onnxtest.Kind{Half: true})
	put(t, l.Store, "depth-anything-v2-base", onnxtest.Kind{Gain: 2})
	auto.Every = 3
	if c, err = l.Choose(auto); err != nil || c.Options.Model != "depth-anything-v2-base" || len(c.Options.Content) != 64 || c.Options.Every != 3 {
		t.Errorf("with two models: %+v, %v", c, err)
	}
	if names, err := l.Names(); err != nil || !slices.Equal(names, []string{"depth-anything-v2-base", "depth-anything-v2-small-fp16", "mine"}) {
		t.Errorf("names %v, %v", names, err)
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
	if _, err := l.Resolve(job.DepthOptions{Model: job.AutoDepth, Flip: true}); err == nil {
		t.Error("classic flips")
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

func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(`{"size": {"height": 384, "width": 384}, "ensure_multiple_of": 32}`), []byte(`{"depth_estimation_type": "metric"}`))
	f.Add([]byte(`{"image_mean": [1,2,3], "image_std": [0,0,0]}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, processor, config []byte) {
		s := depthAnything(false)
		if err := configure(&s, processor, config); err != nil {
			return
		}
		if w, h := s.Size(1920, 1080); w < 1 || h < 1 || w%s.Multiple != 0 || h%s.Multiple != 0 {
			t.Errorf("%+v gives %d×%d", s, w, h)
		}
	})
}

func TestRegistryIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, m := range Registry() {
		if names[m.Name] || m.Repo == "" || m.Revision == "" || m.File == "" || m.Rank <= 0 || m.License == "" || m.Parameters == "" || m.Quality == "" {
			t.Errorf("%+v", m)
		}
		names[m.Name] = true
		if m.SHA256 != "" && !sha256Pattern.MatchString(m.SHA256) {
			t.Errorf("%s: SHA-256 %q", m.Name, m.SHA256)
		}
		if m.NonCommercial != strings.Contains(m.License, "NC") {
			t.Errorf("%s: licence %s, non-commercial %v", m.Name, m.License, m.NonCommercial)
		}
	}
}
