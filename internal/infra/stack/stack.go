// Package stack says what the Terraform projects under infra/ deploy, in the words of the program: its queues, tables,
// events, roles, environment and scaling. Tests hold it against the code; the emulator of the AWS tests and the scaling
// simulator are laid out from it. So neither side can change alone.
package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zclconf/go-cty/cty"

	"github.com/stereospot/stereospot/internal/infra/terraform"
)

// Stack is the deployment that infra/aws-infra describes.
type Stack struct {
	project *terraform.Project
}

// Values are variables of the Terraform project, beside those that its example sets because they have no default.
type Values map[string]cty.Value

// Directory returns the path of a Terraform project, "aws-infra" or "aws-infra-setup", in the source tree around the
// current directory.
func Directory(project string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "infra", project), nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside the source tree: there is no go.mod above")
		}
	}
}

// Read reads infra/aws-infra of the source tree around the current directory.
func Read(values Values) (*Stack, error) {
	dir, err := Directory("aws-infra")
	if err != nil {
		return nil, err
	}
	return ReadFrom(dir, values)
}

// required are the variables without a default. The example file says what they may be.
var required = []string{"certificate_arn", "domain_name"}

// ReadFrom reads the project in dir.
func ReadFrom(dir string, values Values) (*Stack, error) {
	example, err := terraform.ReadValues(filepath.Join(dir, "terraform.tfvars.example"))
	if err != nil {
		return nil, err
	}
	all := map[string]cty.Value{}
	for _, name := range required {
		v, ok := example[name]
		if !ok {
			return nil, fmt.Errorf("terraform.tfvars.example doesn't set %s", name)
		}
		all[name] = v
	}
	for name, v := range values {
		all[name] = v
	}
	p, err := terraform.Open(dir, all)
	if err != nil {
		return nil, err
	}
	return &Stack{project: p}, nil
}
