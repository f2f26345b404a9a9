package stack_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/stereospot/stereospot/internal/infra/stack"
	"github.com/stereospot/stereospot/internal/infra/terraform"
)

// validated returns what the project's validations say of its example with some values changed.
func validated(t *testing.T, change map[string]cty.Value) error {
	t.Helper()
	dir, err := stack.Directory("aws-infra")
	if err != nil {
		t.Fatal(err)
	}
	values, err := terraform.ReadValues(filepath.Join(dir, "terraform.tfvars.example"))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(values, change)
	p, err := terraform.Open(dir, values)
	if err != nil {
		t.Fatal(err)
	}
	return p.Validate()
}

func list(texts ...string) cty.Value {
	values := make([]cty.Value, len(texts))
	for i, s := range texts {
		values[i] = cty.StringVal(s)
	}
	return cty.TupleVal(values)
}

func worker(name string, n int64) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{name: cty.NumberIntVal(n)})
}

func TestVariablesRefuseWhatCannotWork(t *testing.T) {
	for name, wrong := range map[string][]cty.Value{
		"name":                    {cty.StringVal("X"), cty.StringVal("-films"), cty.StringVal("a-name-that-is-much-too-long")},
		"domain_name":             {cty.StringVal("https://films.example"), cty.StringVal("films")},
		"certificate_arn":         {cty.StringVal("films.example")},
		"cors_origins":            {list("*"), list("https://films.example/"), list("films.example")},
		"source_days":             {cty.NumberIntVal(0), cty.NumberFloatVal(1.5)},
		"segment_days":            {cty.NumberIntVal(1)},
		"inference_backend":       {cty.StringVal("local")},
		"inference_http_url":      {cty.StringVal("http://gpu.internal:8080")}, // with sagemaker
		"inference_max_in_flight": {cty.NumberIntVal(0)},
		"image_tag":               {cty.StringVal("latest"), cty.StringVal("a b")},
		"inference_image_tag":     {cty.StringVal("latest")},
		"depth_models":            {list("auto"), list("a b"), list("fine=abc"), list("fine", "fine="+strings.Repeat("0", 64))},
		"sagemaker_instance_type": {cty.StringVal("g4dn.xlarge")},
		"vpc_cidr":                {cty.StringVal("10.0.0.0"), cty.StringVal("10.0.0.0/30")},
		"zones":                   {cty.NumberIntVal(1), cty.NumberIntVal(4)},
		"egress":                  {cty.StringVal("none")},
		"cpu_architecture":        {cty.StringVal("arm")},
		"allowed_cidrs":           {list(), list("everybody")},
		"idle_timeout":            {cty.NumberIntVal(10)},
		"web_ui":                  {worker("min", 0)},
		"media_worker":            {worker("storage", 20), worker("storage", 201), worker("max", 0)},
		"video_worker":            {worker("target_messages", 0)},
		"idle_minutes":            {cty.NumberIntVal(1)},
		"settings":                {cty.ObjectVal(map[string]cty.Value{"web": cty.EmptyObjectVal})},
		"log_days":                {cty.NumberIntVal(2)},
		"alarm_emails":            {list("nobody")},
		"monthly_budget":          {cty.NumberIntVal(-1)},
		"ci_repository":           {cty.StringVal("stereospot")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range wrong {
				if err := validated(t, map[string]cty.Value{name: v}); err == nil || !strings.Contains(err.Error(), "variable ") {
					t.Errorf("%#v was taken, or for another reason refused: %v", v, err)
				}
			}
		})
	}
	right := map[string]cty.Value{
		"inference_backend": cty.StringVal("http"), "inference_http_url": cty.StringVal("http://gpu.internal:8080"), "zones": cty.NumberIntVal(3),
		"depth_models": list("mine="+strings.Repeat("0", 64), "depth-anything-v2-small"), "settings": cty.ObjectVal(map[string]cty.Value{"inference": cty.EmptyObjectVal}),
		"egress": cty.StringVal("endpoints"), "cors_origins": list("https://films.example", "http://localhost:8080"), "image_tag": cty.StringVal("0123abc"),
	}
	if err := validated(t, right); err != nil {
		t.Error(err)
	}
}

// Whatever way tasks reach AWS, and whoever converts, everything can be worked out.
func TestEveryChoiceCanBeWorkedOut(t *testing.T) {
	oidc := cty.ObjectVal(map[string]cty.Value{
		"issuer": cty.StringVal("i"), "authorization_endpoint": cty.StringVal("a"), "token_endpoint": cty.StringVal("t"), "user_info_endpoint": cty.StringVal("u"),
		"client_id": cty.StringVal("c"), "client_secret": cty.StringVal("s"),
	})
	dir, err := stack.Directory("aws-infra")
	if err != nil {
		t.Fatal(err)
	}
	for _, egress := range []string{"public", "nat", "endpoints"} {
		for _, url := range []string{"", "http://gpu.internal:8080", "https://gpu.example"} {
			t.Run(egress+" "+url, func(t *testing.T) {
				values, err := terraform.ReadValues(filepath.Join(dir, "terraform.tfvars.example"))
				if err != nil {
					t.Fatal(err)
				}
				maps.Copy(values, map[string]cty.Value{
					"egress": cty.StringVal(egress), "image_tag": cty.StringVal("1"), "inference_image_tag": cty.StringVal("1"), "oidc": oidc,
					"ci_repository": cty.StringVal("a/b"), "zones": cty.NumberIntVal(3), "inference_http_url": cty.StringVal(url),
					"inference_backend": cty.StringVal(map[bool]string{true: "sagemaker", false: "http"}[url == ""]),
				})
				p, err := terraform.Open(dir, values)
				if err != nil {
					t.Fatal(err)
				}
				sagemaker := 0
				for _, kind := range p.Types() {
					made, err := p.Resources(kind)
					if err != nil {
						t.Error(err)
					}
					if strings.HasPrefix(kind, "aws_sagemaker_") {
						sagemaker += len(made)
					}
				}
				if (sagemaker > 0) != (url == "") {
					t.Errorf("%d resources of SageMaker with %q", sagemaker, url)
				}
			})
		}
	}
}

// The first apply has no image to run, so it makes nothing that runs one.
func TestNothingRunsWithoutAnImage(t *testing.T) {
	s, err := stack.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	scalings, err := s.Scalings()
	if err != nil || len(scalings) != 0 {
		t.Errorf("%v scale, %v", scalings, err)
	}
	if told, err := s.InferenceEnvironment(); told != nil || err != nil {
		t.Errorf("a model is made: %v, %v", told, err)
	}
}
