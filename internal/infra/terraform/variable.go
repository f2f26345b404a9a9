package terraform

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable returns a variable's value, converted to its type and with the defaults of optional attributes filled in.
func (p *Project) variable(name string) (cty.Value, error) {
	return p.once("var."+name, func() (cty.Value, error) {
		block := p.variables[name]
		if block == nil {
			return cty.NilVal, errors.New("not declared")
		}
		v, given := p.given[name]
		if !given {
			attribute := block.Body.Attributes["default"]
			if attribute == nil {
				return cty.NilVal, errors.New("has no default and was not given")
			}
			var diags hcl.Diagnostics
			if v, diags = attribute.Expr.Value(nil); diags.HasErrors() {
				return cty.NilVal, diags
			}
		}
		return typed(block, v)
	})
}

// typed converts v to the type that a variable's block states.
func typed(block *hclsyntax.Block, v cty.Value) (cty.Value, error) {
	attribute := block.Body.Attributes["type"]
	if attribute == nil {
		return v, nil
	}
	kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(attribute.Expr)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	if defaults != nil && !v.IsNull() {
		v = defaults.Apply(v)
	}
	return convert.Convert(v, kind)
}

// Variables returns the names of the variables, sorted.
func (p *Project) Variables() []string { return sortedKeys(p.variables) }

// Described reports whether a variable has both a type and a description.
func (p *Project) Described(variable string) bool {
	body := p.variables[variable].Body
	return body.Attributes["type"] != nil && body.Attributes["description"] != nil
}

// Validate holds every variable's value against its validations and returns all that fail.
func (p *Project) Validate() error {
	var errs []error
	for _, name := range p.Variables() {
		for _, block := range p.variables[name].Body.Blocks {
			if block.Type == "validation" {
				errs = append(errs, p.validate(name, block.Body))
			}
		}
	}
	return errors.Join(errs...)
}

func (p *Project) validate(name string, body *hclsyntax.Body) error {
	condition, message := body.Attributes["condition"], body.Attributes["error_message"]
	if condition == nil || message == nil {
		return fmt.Errorf("%s: a validation needs a condition and a message", body.SrcRange)
	}
	v, err := p.evaluate(condition.Expr, nil)
	if err != nil {
		return err
	}
	if v, err = convert.Convert(v, cty.Bool); err != nil || v.IsNull() || !v.IsKnown() {
		return fmt.Errorf("%s: the condition is no truth value", condition.SrcRange)
	}
	if v.True() {
		return nil
	}
	text, err := p.evaluate(message.Expr, nil)
	if err != nil {
		return err
	}
	return fmt.Errorf("variable %s: %s", name, text.AsString())
}

// ReadValues reads a file of values for variables (terraform.tfvars).
func ReadValues(path string) (map[string]cty.Value, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, diags := hclsyntax.ParseConfig(source, path, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	attributes, diags := file.Body.JustAttributes()
	if diags.HasErrors() {
		return nil, diags
	}
	values := map[string]cty.Value{}
	for name, attribute := range attributes {
		if values[name], diags = attribute.Expr.Value(nil); diags.HasErrors() {
			return nil, diags
		}
	}
	return values, nil
}
