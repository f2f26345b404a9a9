package terraform

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Text returns a string argument; "" when it is absent, null or no string.
func (b Block) Text(name string) string {
	v, err := convert.Convert(b.value(name), cty.String)
	if err != nil || v.IsNull() || !v.IsKnown() {
		return ""
	}
	return v.AsString()
}

// Number returns a numeric argument; 0 when it is absent, null or no number.
func (b Block) Number(name string) float64 {
	v, err := convert.Convert(b.value(name), cty.Number)
	if err != nil || v.IsNull() || !v.IsKnown() {
		return 0
	}
	n, _ := v.AsBigFloat().Float64()
	return n
}

// Truth returns a boolean argument; false when it is absent, null or neither true nor false.
func (b Block) Truth(name string) bool {
	v, err := convert.Convert(b.value(name), cty.Bool)
	return err == nil && !v.IsNull() && v.IsKnown() && v.True()
}

// Texts returns a list or set of strings; nil when it is absent or null.
func (b Block) Texts(name string) []string {
	v, err := convert.Convert(b.value(name), cty.List(cty.String))
	if err != nil || v.IsNull() || !v.IsKnown() {
		return nil
	}
	var list []string
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !e.IsNull() {
			list = append(list, e.AsString())
		}
	}
	return list
}

// Map returns a map of strings; nil when it is absent or null.
func (b Block) Map(name string) map[string]string {
	v, err := convert.Convert(b.value(name), cty.Map(cty.String))
	if err != nil || v.IsNull() || !v.IsKnown() {
		return nil
	}
	m := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		if key, e := it.Element(); !e.IsNull() {
			m[key.AsString()] = e.AsString()
		}
	}
	return m
}

// One returns the only block of a name, or an empty one.
func (b Block) One(name string) Block {
	if list := b.Blocks[name]; len(list) == 1 {
		return list[0]
	}
	return Block{}
}

// value returns an argument, or a null of no type.
func (b Block) value(name string) cty.Value {
	if v, ok := b.Arguments[name]; ok && v != cty.NilVal {
		return v
	}
	return cty.NullVal(cty.DynamicPseudoType)
}
