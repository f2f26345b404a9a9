package terraform

import (
	"errors"

	"github.com/zclconf/go-cty/cty"
)

// The account and region that everything is worked out for.
const (
	Account = "123456789012"
	Region  = "eu-central-1"
)

// computed are attributes that only AWS knows, of any type of resource: what refers to one gets the reference itself.
var computed = []string{
	"arn", "arn_suffix", "dns_name", "hex", "id", "json", "key_id", "name", "prefix_list_id", "repository_url", "result", "revision",
	"thumbprint", "url", "zone_id", "default_route_table_id", "default_security_group_id", "default_network_acl_id", "allocation_id",
}

// answers are what data sources say of the account and region.
var answers = map[string]map[string]cty.Value{
	"data.aws_caller_identity":    {"account_id": cty.StringVal(Account)},
	"data.aws_region":             {"region": cty.StringVal(Region), "name": cty.StringVal(Region)},
	"data.aws_partition":          {"partition": cty.StringVal("aws"), "dns_suffix": cty.StringVal("amazonaws.com")},
	"data.aws_availability_zones": {"names": cty.ListVal([]cty.Value{cty.StringVal(Region + "a"), cty.StringVal(Region + "b"), cty.StringVal(Region + "c")})},
}

// resource returns what a reference to a resource gets: an object, a list of them by count or a map by for_each.
func (p *Project) resource(address string) (cty.Value, error) {
	return p.once(address, func() (cty.Value, error) {
		block := p.resources[address]
		if block == nil {
			return cty.NilVal, errors.New("not declared")
		}
		instances, err := p.instances(address)
		if err != nil {
			return cty.NilVal, err
		}
		byKey := map[string]cty.Value{}
		list := make([]cty.Value, len(instances))
		for i, r := range instances {
			list[i] = r.object(block.Type + "." + block.Labels[0])
			byKey[r.Key] = list[i]
		}
		switch {
		case block.Body.Attributes["for_each"] != nil:
			return cty.ObjectVal(byKey), nil
		case block.Body.Attributes["count"] != nil:
			return cty.TupleVal(list), nil
		}
		return list[0], nil
	})
}

// object returns a resource as other expressions see it: its arguments, its blocks as lists, and what AWS adds.
func (r Resource) object(kind string) cty.Value {
	members := r.Block.object()
	for name, v := range answers[kind] {
		members[name] = v
	}
	for _, name := range computed {
		if _, configured := members[name]; !configured {
			members[name] = cty.StringVal(r.Address + "." + name)
		}
	}
	return cty.ObjectVal(members)
}

func (b Block) object() map[string]cty.Value {
	members := map[string]cty.Value{}
	for name, v := range b.Arguments {
		members[name] = v
	}
	for name, blocks := range b.Blocks {
		list := make([]cty.Value, len(blocks))
		for i, inner := range blocks {
			list[i] = cty.ObjectVal(inner.object())
		}
		members[name] = cty.TupleVal(list)
	}
	return members
}
