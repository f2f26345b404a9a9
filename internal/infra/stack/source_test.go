package stack_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/infra/stack"
	"github.com/stereospot/stereospot/internal/infra/terraform"
)

// projects calls check for each of the two Terraform projects, read with the values of its example.
func projects(t *testing.T, check func(t *testing.T, dir string, p *terraform.Project)) {
	t.Helper()
	for _, name := range []string{"aws-infra-setup", "aws-infra"} {
		t.Run(name, func(t *testing.T) {
			dir, err := stack.Directory(name)
			if err != nil {
				t.Fatal(err)
			}
			values, err := terraform.ReadValues(filepath.Join(dir, "terraform.tfvars.example"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := terraform.Open(dir, values)
			if err != nil {
				t.Fatal(err)
			}
			check(t, dir, p)
		})
	}
}

// As `terraform fmt -check` does, where there is no Terraform.
func TestTerraformFilesAreFormatted(t *testing.T) {
	projects(t, func(t *testing.T, dir string, _ *terraform.Project) {
		files, err := filepath.Glob(filepath.Join(dir, "*.tf*"))
		if err != nil || len(files) < 5 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(hclwrite.Format(text), text) {
				t.Errorf("%s: run terraform fmt", file)
			}
		}
	})
}

func TestVariablesAreTypedDescribedAndTheExampleIsValid(t *testing.T) {
	projects(t, func(t *testing.T, dir string, p *terraform.Project) {
		for _, name := range p.Variables() {
			if !p.Described(name) {
				t.Errorf("variable %s has no type or no description", name)
			}
		}
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
	})
}

func TestEveryResourceAndOutputCanBeWorkedOut(t *testing.T) {
	projects(t, func(t *testing.T, dir string, p *terraform.Project) {
		for _, kind := range p.Types() {
			if _, err := p.Resources(kind); err != nil {
				t.Error(err)
			}
		}
		for _, name := range p.Outputs() {
			if _, err := p.Output(name); err != nil {
				t.Error(err)
			}
		}
	})
}

// An account, a region or a moving tag written down works for one person only.
func TestNothingOfOneAccountIsWrittenDown(t *testing.T) {
	projects(t, func(t *testing.T, dir string, _ *terraform.Project) {
		files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"eu-central-1", "us-east-1\"", "us-east-1.", ":latest", "123456789012", "111122223333"} {
				if strings.Contains(string(text), word) {
					t.Errorf("%s holds %q", file, word)
				}
			}
		}
	})
}

// The smoke test, and a service run by hand, find all names in the file that the outputs become.
func TestOutputsNameWhatServicesRead(t *testing.T) {
	s, err := stack.Read(imaged)
	if err != nil {
		t.Fatal(err)
	}
	names := s.OutputNames()
	for _, service := range config.Services() {
		variables, err := config.Variables(service)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variables {
			if v.Required && !slices.Contains(names, v.Name) {
				t.Errorf("%s has to be told %s, which is no output", service, v.Name)
			}
		}
	}
	for _, name := range []string{"ECR_REPOSITORY_URL", "ECS_CLUSTER_NAME", "ECS_SERVICE_NAME", "ALB_URL", "CODEBUILD_PROJECT_NAME", "HF_TOKEN_SECRET_ARN", "SAGEMAKER_ENDPOINT_NAME", "SAGEMAKER_ENDPOINT_CONFIG_NAME"} {
		if !slices.Contains(names, name) {
			t.Errorf("there is no output %s", name)
		}
	}
}
