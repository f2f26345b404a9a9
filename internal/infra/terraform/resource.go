package terraform

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"
)

// Resource is one instance of a resource or data source.
type Resource struct {
	// Address as Terraform writes it, with the key of for_each or count: `aws_sqs_queue.pipeline["chunking"]`. What
	// refers to it begins with it.
	Address string
	Key     string // of for_each; "" without one
	Block
}

// Block is what stands between braces, worked out.
type Block struct {
	Arguments map[string]cty.Value
	Blocks    map[string][]Block
}

// Resources returns the instances of every resource of a type (data sources: "data.TYPE"), in order of their addresses.
func (p *Project) Resources(kind string) ([]Resource, error) {
	var list []Resource
	for _, address := range sortedKeys(p.resources) {
		if !strings.HasPrefix(address, kind+".") {
			continue
		}
		instances, err := p.instances(address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", address, err)
		}
		list = append(list, instances...)
	}
	return list, nil
}

// Types returns the types of the resources that the project manages, sorted.
func (p *Project) Types() []string {
	types := map[string]bool{}
	for address := range p.resources {
		if kind, _, _ := strings.Cut(address, "."); kind != "data" && kind != "ephemeral" {
			types[kind] = true
		}
	}
	return sortedKeys(types)
}

// instances works a resource's instances out.
func (p *Project) instances(address string) ([]Resource, error) {
	block := p.resources[address]
	scopes, err := p.scopes(block.Body)
	if err != nil {
		return nil, err
	}
	list := make([]Resource, 0, len(scopes))
	for _, own := range scopes {
		r := Resource{Address: address}
		switch each, count := own["each"], own["count"]; {
		case each != cty.NilVal:
			if key := each.GetAttr("key"); key.Type() != cty.String || key.IsNull() {
				return nil, fmt.Errorf("a key of for_each is no text")
			}
			r.Key = each.GetAttr("key").AsString()
			r.Address += fmt.Sprintf("[%q]", r.Key)
		case count != cty.NilVal:
			r.Address += fmt.Sprintf("[%s]", count.GetAttr("index").AsBigFloat().Text('f', 0))
		}
		if r.Block, err = p.block(block.Body, own); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// maxInstances bounds what a wrong count may cost.
const maxInstances = 1000

// scopes returns the scope of each instance, by count or for_each; one without either.
func (p *Project) scopes(body *hclsyntax.Body) ([]scope, error) {
	if count := body.Attributes["count"]; count != nil {
		v, err := p.evaluate(count.Expr, nil)
		if err != nil {
			return nil, err
		}
		var n int
		if err := gocty.FromCtyValue(v, &n); err != nil || n < 0 || n > maxInstances {
			return nil, fmt.Errorf("%s: count is no number from 0 to %d", count.SrcRange, maxInstances)
		}
		list := make([]scope, n)
		for i := range list {
			list[i] = scope{"count": cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})}
		}
		return list, nil
	}
	if each := body.Attributes["for_each"]; each != nil {
		v, err := p.evaluate(each.Expr, nil)
		if err != nil {
			return nil, err
		}
		return eachScopes(v, "each")
	}
	return []scope{{}}, nil
}

// eachScopes returns a scope for every element of v, whose key and value are those of the iterator of that name.
func eachScopes(v cty.Value, iterator string) ([]scope, error) {
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return nil, fmt.Errorf("for_each is no list, set or map")
	}
	var list []scope
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if v.Type().IsSetType() {
			key = value
		}
		list = append(list, scope{iterator: cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})})
	}
	return list, nil
}

// meta are arguments and blocks that are Terraform's own.
var meta = map[string]bool{"count": true, "for_each": true, "depends_on": true, "provider": true, "lifecycle": true, "timeouts": true}

// block works a block's arguments and nested blocks out.
func (p *Project) block(body *hclsyntax.Body, own scope) (Block, error) {
	b := Block{Arguments: map[string]cty.Value{}, Blocks: map[string][]Block{}}
	for name, attribute := range body.Attributes {
		if meta[name] {
			continue
		}
		v, err := p.evaluate(attribute.Expr, own)
		if err != nil {
			return b, err
		}
		b.Arguments[name] = v
	}
	for _, nested := range body.Blocks {
		if meta[nested.Type] {
			continue
		}
		if nested.Type == "dynamic" {
			if err := p.dynamic(&b, nested, own); err != nil {
				return b, err
			}
			continue
		}
		inner, err := p.block(nested.Body, own)
		if err != nil {
			return b, err
		}
		b.Blocks[nested.Type] = append(b.Blocks[nested.Type], inner)
	}
	return b, nil
}

// dynamic adds the blocks that a dynamic block stands for.
func (p *Project) dynamic(b *Block, block *hclsyntax.Block, own scope) error {
	each := block.Body.Attributes["for_each"]
	if len(block.Labels) != 1 || each == nil || len(block.Body.Blocks) != 1 {
		return fmt.Errorf("%s: a dynamic block needs a name, for_each and one content", block.Range())
	}
	v, err := p.evaluate(each.Expr, own)
	if err != nil {
		return err
	}
	scopes, err := eachScopes(v, block.Labels[0])
	if err != nil {
		return fmt.Errorf("%s: %w", each.SrcRange, err)
	}
	for _, inner := range scopes {
		for name, v := range own {
			if _, hidden := inner[name]; !hidden {
				inner[name] = v
			}
		}
		content, err := p.block(block.Body.Blocks[0].Body, inner)
		if err != nil {
			return err
		}
		b.Blocks[block.Labels[0]] = append(b.Blocks[block.Labels[0]], content)
	}
	return nil
}
