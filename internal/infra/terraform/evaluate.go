package terraform

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// scope holds the names of a block's own: each, count, and the iterators of dynamic blocks.
type scope map[string]cty.Value

// evaluate works an expression out, and first whatever it refers to.
func (p *Project) evaluate(expr hclsyntax.Expression, own scope) (cty.Value, error) {
	roots := map[string]map[string]cty.Value{}
	variables := map[string]cty.Value{}
	for name, v := range own {
		variables[name] = v
	}
	for _, traversal := range expr.Variables() {
		root := traversal.RootName()
		if _, ours := own[root]; ours {
			continue
		}
		if err := p.refer(roots, root, traversal); err != nil {
			return cty.NilVal, fmt.Errorf("%s: %w", traversal.SourceRange(), err)
		}
	}
	for root, members := range roots {
		variables[root] = cty.ObjectVal(members)
	}
	v, diags := expr.Value(&hcl.EvalContext{Variables: variables, Functions: p.functions})
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return v, nil
}

// refer adds what a reference needs to the variables of an expression.
func (p *Project) refer(roots map[string]map[string]cty.Value, root string, traversal hcl.Traversal) error {
	names := namesOf(traversal)
	into := func(name string, v cty.Value, err error) error {
		if err != nil {
			return err
		}
		if roots[root] == nil {
			roots[root] = map[string]cty.Value{}
		}
		roots[root][name] = v
		return nil
	}
	if len(names) == 0 {
		return fmt.Errorf("%q alone is nothing", root)
	}
	switch root {
	case "var":
		v, err := p.variable(names[0])
		return into(names[0], v, err)
	case "local":
		v, err := p.local(names[0])
		return into(names[0], v, err)
	case "path":
		return into(names[0], cty.StringVal("."), nil)
	case "data", "ephemeral":
		if len(names) < 2 {
			return fmt.Errorf("%s.%s is no whole reference", root, names[0])
		}
		return p.referNested(roots, root, names[0], names[1])
	}
	v, err := p.resource(root + "." + names[0])
	return into(names[0], v, err)
}

// referNested adds data.TYPE.NAME or ephemeral.TYPE.NAME beside others of the same type.
func (p *Project) referNested(roots map[string]map[string]cty.Value, root, kind, name string) error {
	v, err := p.resource(root + "." + kind + "." + name)
	if err != nil {
		return err
	}
	if roots[root] == nil {
		roots[root] = map[string]cty.Value{}
	}
	members := map[string]cty.Value{}
	if others, ok := roots[root][kind]; ok {
		members = others.AsValueMap()
	}
	members[name] = v
	roots[root][kind] = cty.ObjectVal(members)
	return nil
}

// namesOf returns the attribute names that follow a reference's root.
func namesOf(traversal hcl.Traversal) []string {
	var names []string
	for _, step := range traversal[1:] {
		attribute, ok := step.(hcl.TraverseAttr)
		if !ok {
			break
		}
		names = append(names, attribute.Name)
	}
	return names
}

// once works something out that has a name, and keeps it.
func (p *Project) once(name string, work func() (cty.Value, error)) (cty.Value, error) {
	if v, ok := p.known[name]; ok {
		return v, nil
	}
	if p.busy[name] {
		return cty.NilVal, fmt.Errorf("%s depends on itself", name)
	}
	p.busy[name] = true
	defer delete(p.busy, name)
	v, err := work()
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s: %w", name, err)
	}
	p.known[name] = v
	return v, nil
}

func (p *Project) local(name string) (cty.Value, error) {
	return p.once("local."+name, func() (cty.Value, error) {
		attribute := p.locals[name]
		if attribute == nil {
			return cty.NilVal, fmt.Errorf("not declared")
		}
		return p.evaluate(attribute.Expr, nil)
	})
}
