package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// install puts a file where a model of the registry would be.
func install(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name, "model.onnx")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestModelListSaysWhatIsHereAndWhatItMayBeUsedFor(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "depth-anything-v2-base")
	if err := os.WriteFile(filepath.Join(dir, "mine.onnx"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	out := stereospot(t, "models", "list", "--models-dir", dir).out
	for _, want := range []string{
		`depth-anything-v2-small +no +99\.1 MB +Apache-2\.0 +any +good +95\.3 % +13\.3 ms \(RTX 4080, CUDA\)`,
		`depth-anything-v2-small-quantized +no +27\.3 MB +Apache-2\.0 +any +unmeasured, smallest file +- +-`,
		`depth-anything-v2-base +yes +389 MB +CC-BY-NC-4\.0 +not commercial +better +97\.0 %`,
		`depth-anything-v2-large +no +1\.34 GB`,
		`mine +yes +- +- +- +your own`,
	} {
		if !regexp.MustCompile("(?m)^" + want).MatchString(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

func TestModelListForPrograms(t *testing.T) {
	dir := t.TempDir()
	path := install(t, dir, "depth-anything-v2-base")
	found := map[string]listedModel{}
	for line := range strings.Lines(stereospot(t, "models", "list", "--json", "--models-dir", dir).out) {
		var m listedModel
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		found[m.Name] = m
	}
	if m := found["depth-anything-v2-base"]; !m.Installed || m.Path != path || !m.NonCommercial || m.Recommended {
		t.Errorf("base: %+v", m)
	}
	if m := found["depth-anything-v2-small"]; m.Installed || m.Path != "" || m.NonCommercial || !m.Recommended || len(m.SHA256) != 64 || m.Size != 99060839 {
		t.Errorf("small: %+v", m)
	}
	if m := found["depth-anything-v3-small"]; m.Size != 640691+104702464 || m.WeightsFile != m.File+"_data" || len(m.WeightsSHA256) != 64 || m.WeightsSHA256 == m.SHA256 {
		t.Errorf("of two files: %+v", m)
	}
}

func TestDocumentNamesEveryFieldOfModels(t *testing.T) {
	page, err := os.ReadFile("../../docs/models.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range reflect.TypeFor[listedModel]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[listedModel]().Field(i).Tag.Get("json"), ",")
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/models.md doesn't name %q", name)
		}
	}
}
