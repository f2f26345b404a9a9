// Package terraform reads a Terraform project without Terraform: it parses the files of one directory and works out
// what every argument comes to when the project is applied with given variables. What only AWS knows, such as the ARN of
// a queue, is written as the reference that asked for it: `aws_sqs_queue.pipeline["chunking"].arn`. So whoever compares
// two arguments compares what they refer to.
//
// It knows variables with their types and validations, locals, count, for_each, dynamic blocks, data sources and the
// functions of functions.go; no modules and no provisioners. Anything else is an error, never a guess.
package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Project is the source of one directory with the values of its variables. Not safe for concurrent use: values are
// worked out when they are asked for, and kept.
type Project struct {
	variables map[string]*hclsyntax.Block
	locals    map[string]*hclsyntax.Attribute
	outputs   map[string]*hclsyntax.Block
	resources map[string]*hclsyntax.Block // by address without key: "TYPE.NAME", "data.TYPE.NAME", "ephemeral.TYPE.NAME"

	functions map[string]function.Function

	given map[string]cty.Value // variables that aren't left at their defaults
	known map[string]cty.Value // what was worked out: "var.NAME", "local.NAME" or an address
	busy  map[string]bool      // what is being worked out
}

// Open parses the .tf files of dir. vars override the defaults of variables; those without a default have to be there.
func Open(dir string, vars map[string]cty.Value) (*Project, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s holds no Terraform files: %w", dir, os.ErrNotExist)
	}
	sources := map[string][]byte{}
	for _, path := range paths {
		if sources[path], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return Parse(sources, vars)
}

// Parse is Open with the files' contents by name.
func Parse(sources map[string][]byte, vars map[string]cty.Value) (*Project, error) {
	p := &Project{
		variables: map[string]*hclsyntax.Block{}, locals: map[string]*hclsyntax.Attribute{}, outputs: map[string]*hclsyntax.Block{},
		resources: map[string]*hclsyntax.Block{}, given: vars, known: map[string]cty.Value{}, busy: map[string]bool{},
		functions: functions(),
	}
	var errs []error
	for name, source := range sources {
		file, diags := hclsyntax.ParseConfig(source, name, hcl.InitialPos)
		if diags.HasErrors() {
			errs = append(errs, diags)
			continue
		}
		body, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			return nil, fmt.Errorf("%s is not in HCL's native syntax", name)
		}
		for _, block := range body.Blocks {
			errs = append(errs, p.declare(block))
		}
	}
	for name := range vars {
		if p.variables[name] == nil {
			errs = append(errs, fmt.Errorf("there is no variable %q", name))
		}
	}
	return p, errors.Join(errs...)
}

// declare files a top-level block away under its name.
func (p *Project) declare(block *hclsyntax.Block) error {
	address := addressOf(block)
	switch {
	case block.Type == "terraform" || block.Type == "provider":
		return nil
	case block.Type == "locals":
		for name, attribute := range block.Body.Attributes {
			if p.locals[name] != nil {
				return fmt.Errorf("%s: local.%s is declared twice", attribute.SrcRange, name)
			}
			p.locals[name] = attribute
		}
		return nil
	case block.Type == "variable" && len(block.Labels) == 1:
		return put(p.variables, block.Labels[0], block)
	case block.Type == "output" && len(block.Labels) == 1:
		return put(p.outputs, block.Labels[0], block)
	case address != "":
		return put(p.resources, address, block)
	}
	return fmt.Errorf("%s: a %q block can't be read here", block.Range(), block.Type)
}

// addressOf returns the address of a resource, data source or ephemeral resource; "" for other blocks.
func addressOf(block *hclsyntax.Block) string {
	if len(block.Labels) != 2 {
		return ""
	}
	switch address := block.Labels[0] + "." + block.Labels[1]; block.Type {
	case "resource":
		return address
	case "data", "ephemeral":
		return block.Type + "." + address
	}
	return ""
}

func put(blocks map[string]*hclsyntax.Block, name string, block *hclsyntax.Block) error {
	if other := blocks[name]; other != nil {
		return fmt.Errorf("%s: %s is declared at %s already", block.Range(), name, other.Range())
	}
	blocks[name] = block
	return nil
}

// Outputs returns the names of the outputs, sorted.
func (p *Project) Outputs() []string { return sortedKeys(p.outputs) }

// Output returns the value of an output.
func (p *Project) Output(name string) (cty.Value, error) {
	block := p.outputs[name]
	if block == nil || block.Body.Attributes["value"] == nil {
		return cty.NilVal, fmt.Errorf("there is no output %q", name)
	}
	return p.evaluate(block.Body.Attributes["value"].Expr, nil)
}

// Local returns the value of a local.
func (p *Project) Local(name string) (cty.Value, error) { return p.local(name) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
