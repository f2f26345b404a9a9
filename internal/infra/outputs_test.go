package infra

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclparse"
	"golang.org/x/text/unicode/norm"
)

func TestOutputsBecomeTheDeploymentsNames(t *testing.T) {
	recorded, err := os.ReadFile("testdata/outputs.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/outputs.env")
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{
		"terraform output -json": string(recorded),
		"a state file":           fmt.Sprintf(`{"version": 4, "terraform_version": "1.11.0", "lineage": "x", "outputs": %s, "resources": []}`, recorded),
	} {
		outputs, err := ReadOutputs(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		env, err := outputs.Env()
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		path := filepath.Join(t.TempDir(), ".env")
		if err := WriteEnv(path, "a comment", env); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s:\n%s", form, diff)
		}
	}
}

func TestOutputsThatSayNothingAreErrors(t *testing.T) {
	for _, text := range []string{"", "{", "{}", "[]", `{"lineage": "x"}`, `{"lineage": "x", "outputs": {}}`} {
		if _, err := ReadOutputs(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	for _, text := range []string{
		`{"a": {"value": {"b": {"c": "d"}}}}`, `{"a": {"value": ["x,y"]}}`, `{"a": {"value": [{"b": "c"}]}}`,
		`{"a_b": {"value": "1"}, "a": {"value": {"b": "2"}}}`,
	} {
		outputs, err := ReadOutputs(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if env, err := outputs.Env(); err == nil {
			t.Errorf("%s became %v", text, env)
		}
	}
}

func TestTheBackendsOutputsBecomeSettings(t *testing.T) {
	outputs, err := ReadOutputs(strings.NewReader(
		`{"backend_config": {"value": {"bucket": "state-${x}\"%{y}", "region": "eu-central-1", "kms_key_id": null}}, "other": {"value": "x"}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := outputs.Backend()
	if err != nil {
		t.Fatal(err)
	}
	if want := "bucket = \"state-$${x}\\\"%%{y}\"\nregion = \"eu-central-1\"\n"; string(got) != want {
		t.Errorf("%s; want %s", got, want)
	}
	delete(outputs, "backend_config")
	if got, err := outputs.Backend(); err == nil {
		t.Errorf("no backend became %s", got)
	}
}

func FuzzBackendSettingsAreTextToTerraform(f *testing.F) {
	for _, value := range awkward {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" || !utf8.ValidString(value) || !norm.NFC.IsNormalString(value) {
			t.Skip("JSON and Terraform's language know Unicode alone, which the latter normalises")
		}
		text, err := Outputs{"backend_config": {Value: map[string]any{"bucket": value}}}.Backend()
		if err != nil {
			t.Fatal(err)
		}
		file, problems := hclparse.NewParser().ParseHCL(text, "backend.tfbackend")
		if problems.HasErrors() {
			t.Fatalf("%q: %v", text, problems)
		}
		attributes, problems := file.Body.JustAttributes()
		if problems.HasErrors() {
			t.Fatalf("%q: %v", text, problems)
		}
		got, problems := attributes["bucket"].Expr.Value(nil)
		if problems.HasErrors() || got.AsString() != value {
			t.Errorf("%q is %q, %v", text, got.AsString(), problems)
		}
	})
}
