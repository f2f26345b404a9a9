package terraform

import (
	"crypto/sha256"
	"fmt"
	"net/netip"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those of Terraform that the projects call.
func functions() map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc,
		"format": stdlib.FormatFunc, "join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc,
		"replace": stdlib.ReplaceFunc, "split": stdlib.SplitFunc, "title": stdlib.TitleFunc, "substr": stdlib.SubstrFunc,
		"trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc,
		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc,
		"contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"keys": stdlib.KeysFunc, "length": length(), "lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "range": stdlib.RangeFunc,
		"setproduct": stdlib.SetProductFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		"jsonencode": stdlib.JSONEncodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "sha256": hash(),
		"try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
		"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
		"tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), "toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"tomap":   stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
		"alltrue": allTrue(), "one": one(), "cidrsubnet": subnet(), "startswith": startsWith(), "file": fileReference(), "sensitive": same(), "nonsensitive": same(),
	}
}

// length counts elements, as cty's does, and also the letters of a text and the attributes of an object, as Terraform's.
func length() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			switch t := args[0].Type(); {
			case t.IsObjectType():
				return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
			case t == cty.String:
				return stdlib.Strlen(args[0])
			}
			return stdlib.Length(args[0])
		},
	})
}

// hash returns the SHA-256 of a text, hexadecimal.
func hash() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(fmt.Sprintf("%x", sha256.Sum256([]byte(args[0].AsString())))), nil
		},
	})
}

// allTrue is true for a list without a false element.
func allTrue() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				if _, v := it.Element(); v.IsNull() || v.False() {
					return cty.False, nil
				}
			}
			return cty.True, nil
		},
	})
}

// one returns the only element of a list, or null for an empty one.
func one() function.Function {
	kind := func(args []cty.Value) (cty.Type, error) {
		v, err := onlyElement(args[0])
		return v.Type(), err
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type:   kind,
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return onlyElement(args[0]) },
	})
}

func onlyElement(list cty.Value) (cty.Value, error) {
	null := cty.NullVal(cty.DynamicPseudoType)
	if !list.CanIterateElements() {
		return null, fmt.Errorf("no list or set")
	}
	switch it := list.ElementIterator(); list.LengthInt() {
	case 0:
		return null, nil
	case 1:
		it.Next()
		_, v := it.Element()
		return v, nil
	}
	return null, fmt.Errorf("has %d elements", list.LengthInt())
}

// subnet is cidrsubnet for IPv4: the network of that number when a prefix is made longer by new bits.
func subnet() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			prefix, err := netip.ParsePrefix(args[0].AsString())
			if err != nil || !prefix.Addr().Is4() {
				return cty.NilVal, fmt.Errorf("%q is no IPv4 prefix", args[0].AsString())
			}
			more, _ := args[1].AsBigFloat().Int64()
			number, _ := args[2].AsBigFloat().Int64()
			bits := prefix.Bits() + int(more)
			if more < 0 || bits > 32 || number < 0 || number >= 1<<more {
				return cty.NilVal, fmt.Errorf("%s has no subnet %d of %d more bits", prefix, number, more)
			}
			a := prefix.Masked().Addr().As4()
			whole := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
			whole |= uint32(number) << (32 - bits)
			address := netip.AddrFrom4([4]byte{byte(whole >> 24), byte(whole >> 16), byte(whole >> 8), byte(whole)})
			return cty.StringVal(netip.PrefixFrom(address, bits).String()), nil
		},
	})
}

func startsWith() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "prefix", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, prefix := args[0].AsString(), args[1].AsString()
			return cty.BoolVal(len(text) >= len(prefix) && text[:len(prefix)] == prefix), nil
		},
	})
}

// fileReference stands in for file: no fact depends on what another file holds, so its name will do.
func fileReference() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal("file:" + args[0].AsString()), nil
		},
	})
}

// same returns what it is given.
func same() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl:   func(args []cty.Value, kind cty.Type) (cty.Value, error) { return convert.Convert(args[0], kind) },
	})
}
