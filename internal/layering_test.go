package internal_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/stereospot/stereospot/internal/"

// mayImport lists, for every package below internal, the packages below internal that it may import.
// docs/architecture.md draws the same arrows.
var mayImport = map[string][]string{
	"job":                   {},
	"pause":                 {},
	"routes":                {},
	"config":                {"job"},
	"stereo/yuv":            {},
	"stereo/depth":          {"stereo/yuv"},
	"stereo/golden":         {},
	"stereo":                {"job", "stereo/yuv", "stereo/depth"},
	"scene":                 {"stereo/yuv", "stereo/depth"},
	"media":                 {"stereo/yuv"},
	"media/gputest":         {},
	"clip":                  {"job", "media", "stereo", "stereo/yuv", "stereo/depth"},
	"platform":              {"job"},
	"platform/platformtest": {"job", "platform"},
	"platform/gather":       {},
	"tools/sim":             {"inference", "job", "pipeline", "platform", "platform/aws", "platform/gather", "platform/memory", "tools/blank", "worker"},
	"tools/blank":           {"inference", "job", "media", "pipeline", "platform", "pause"},
	"tools/bench": {"job", "client", "media", "clip", "inference", "pipeline", "platform", "platform/local", "platform/aws", "platform/aws/awstest",
		"worker", "web", "scene", "stereo", "stereo/yuv", "stereo/depth", "stereo/depth/onnx", "stereo/depth/onnx/onnxtest", "platform/memory", "tools/blank"},
	"platform/memory":      {"job", "platform"},
	"platform/local":       {"job", "platform"},
	"platform/aws":         {"job", "platform", "platform/gather", "pause"},
	"platform/aws/awstest": {"infra/stack", "platform", "platform/aws"},
	"infra/terraform":      {},
	"infra/stack":          {"infra/terraform", "platform"},
	"report":               {"job", "stereo"},
	"inference":            {"job", "platform", "clip", "media", "report", "stereo", "pause"},
	"pipeline":             {"job", "platform", "inference", "clip", "media", "report"},
	"worker":               {"platform", "pipeline", "pause"},
	"protection":           {"platform", "worker"},
	"emf":                  {},
	"preview":              {"job", "media", "clip", "stereo", "stereo/yuv", "stereo/depth"},
	"client":               {"job", "platform", "pause"},
	"doctor":               {"job", "media", "models", "platform/local"},
	"infra":                {},
	"cli": {"job", "client", "doctor", "config", "media", "clip", "inference", "pipeline", "platform", "platform/local", "platform/aws", "emf", "preview", "protection", "worker", "models", "stereo/depth/onnx",
		"infra", "web", "web/auth", "telemetry",
		"scene", "stereo", "stereo/yuv", "stereo/depth",
		"inference/service", "inference/child", "inference/sagemaker", "report", "pause"},
	"web/hub":                    {},
	"web/auth":                   {"platform"},
	"web/static":                 {},
	"web/browsertest":            {},
	"telemetry":                  {},
	"webhook":                    {"job", "platform"},
	"web":                        {"job", "platform", "pipeline", "clip", "media", "preview", "webhook", "web/auth", "web/hub", "web/static", "routes"},
	"stereo/depth/onnx":          {"stereo/depth"},
	"stereo/depth/onnx/onnxtest": {},
	"models":                     {"job", "stereo/depth", "stereo/depth/onnx", "pause"},
	"models/modelstest":          {},
	"tools/scalesim":             {"infra/stack", "platform"},
	"tools/emulator":             {"infra", "platform/aws", "platform/aws/awstest"},
	"tools/quality":              {"job", "scene", "stereo", "stereo/yuv", "stereo/depth"},

	"inference/child":           {"job", "clip", "stereo/depth", "pause"},
	"inference/child/childtest": {"inference/child", "job", "stereo/depth"},
	"inference/service":         {"job", "clip", "inference", "inference/child", "media", "platform", "routes"},
	"inference/sagemaker":       {"inference", "platform"},
	"inference/sagemakertest":   {"inference"},
	"inference/inferencetest":   {"inference", "job", "media", "platform", "scene", "stereo/yuv"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestPackagesImportOnlyWhatTheArchitectureAllows(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 10 {
		t.Fatalf("only %d packages found", len(packages))
	}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		if p.ImportPath+"/" == module {
			continue // this test's own folder
		}
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s has no line in the architecture", name)
			continue
		}
		for _, imported := range p.Imports {
			inner, ours := strings.CutPrefix(imported, module)
			if ours && !slices.Contains(allowed, inner) {
				t.Errorf("%s imports %s: the architecture has no such arrow", name, inner)
			}
			if name == "job" && strings.Contains(strings.Split(imported, "/")[0], ".") {
				t.Errorf("job imports %s: it may use the standard library only", imported)
			}
		}
	}
}

func TestOnlyMediaAndChildStartProcesses(t *testing.T) {
	for _, p := range listPackages(t) {
		allowed := p.ImportPath == module+"media" || p.ImportPath == module+"inference/child" || // which runs this program
			p.ImportPath == module+"tools/bench" || // which runs the references
			p.ImportPath == module+"web/browsertest" || // which finds a browser
			p.ImportPath == module+"platform/aws/awstest" || // which starts an emulator
			p.ImportPath == module+"inference/inferencetest" // which decodes results
		if slices.Contains(p.Imports, "os/exec") && !allowed {
			t.Errorf("%s imports os/exec: FFmpeg runs through package media only, networks apart through inference/child", p.ImportPath)
		}
	}
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	return packages
}
