package main

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// formula is an expression of CloudWatch's metric math. As far as the projects use it (arithmetic, comparisons, FILL and
// IF) it reads as HCL does.
type formula struct {
	text      string
	expr      hclsyntax.Expression
	functions map[string]function.Function
}

func parseFormula(text string) (formula, error) {
	expr, diags := hclsyntax.ParseExpression([]byte(text), "expression", hcl.InitialPos)
	if diags.HasErrors() {
		return formula{}, fmt.Errorf("%q: %w", text, diags)
	}
	return formula{text, expr, map[string]function.Function{"FILL": fill(), "IF": choose()}}, nil
}

// value is a metric's value of one minute, or none.
type value struct {
	number float64
	known  bool
}

func of(n float64) value { return value{n, true} }

// at works the expression out for one minute. As in CloudWatch, what is computed from a missing value is missing, but for
// FILL. A comparison counts as 1 or 0.
func (f formula) at(metrics map[string]value) (value, error) {
	variables := map[string]cty.Value{}
	for id, v := range metrics {
		if variables[id] = cty.NullVal(cty.Number); v.known {
			variables[id] = cty.NumberFloatVal(v.number)
		}
	}
	for _, name := range f.expr.Variables() {
		if _, there := variables[name.RootName()]; !there {
			return value{}, fmt.Errorf("%q uses %s, which is no metric of it", f.text, name.RootName())
		}
	}
	got, diags := f.expr.Value(&hcl.EvalContext{Variables: variables, Functions: f.functions})
	if diags.HasErrors() || got.IsNull() || got.Type() != cty.Number {
		return value{}, nil // arithmetic with nothing
	}
	n, _ := got.AsBigFloat().Float64()
	return of(n), nil
}

// fill is FILL(metric, number).
func fill() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "metric", Type: cty.Number, AllowNull: true}, {Name: "with", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].IsNull() {
				return args[1], nil
			}
			return args[0], nil
		},
	})
}

// choose is IF(condition, then, else).
func choose() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "condition", Type: cty.Bool}, {Name: "then", Type: cty.Number, AllowNull: true}, {Name: "else", Type: cty.Number, AllowNull: true}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].True() {
				return args[1], nil
			}
			return args[2], nil
		},
	})
}
