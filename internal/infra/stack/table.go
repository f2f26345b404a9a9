package stack

import (
	"fmt"
	"strings"

	"github.com/stereospot/stereospot/internal/infra/terraform"
)

// TableRole names a table by what it is for.
type TableRole string

// The tables.
const (
	JobsTable                TableRole = "jobs"
	SegmentCompletionsTable  TableRole = "segment_completions"
	ReassemblyTriggeredTable TableRole = "reassembly_triggered"
)

// Attribute is a key's name and type: S for a string, N for a number.
type Attribute struct{ Name, Type string }

// Key is what items are found by. Sort is empty when there is none.
type Key struct{ Partition, Sort Attribute }

// Table is a DynamoDB table.
type Table struct {
	Name    string // in AWS
	Key     Key
	Indexes map[string]Key // global secondary indexes by name
	TTL     string         // attribute; "" for none
	// OnDemand, Recoverable: paid by request, restorable to any moment.
	OnDemand, Recoverable bool
}

// Tables returns the tables.
func (s *Stack) Tables() (map[TableRole]Table, error) {
	all, err := s.project.Resources("aws_dynamodb_table")
	if err != nil {
		return nil, err
	}
	tables := map[TableRole]Table{}
	for _, r := range all {
		t, err := table(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Address, err)
		}
		tables[TableRole(strings.TrimPrefix(r.Address, "aws_dynamodb_table."))] = t
	}
	return tables, nil
}

func table(r terraform.Resource) (Table, error) {
	types := map[string]string{}
	for _, a := range r.Blocks["attribute"] {
		types[a.Text("name")] = a.Text("type")
	}
	used := map[string]bool{}
	key := func(b terraform.Block) Key {
		attribute := func(argument string) Attribute {
			name := b.Text(argument)
			used[name] = true
			return Attribute{name, types[name]}
		}
		return Key{attribute("hash_key"), attribute("range_key")}
	}
	t := Table{
		Name: r.Text("name"), Key: key(r.Block), Indexes: map[string]Key{},
		OnDemand:    r.Text("billing_mode") == "PAY_PER_REQUEST",
		Recoverable: r.One("point_in_time_recovery").Truth("enabled"),
	}
	if ttl := r.One("ttl"); ttl.Truth("enabled") {
		t.TTL = ttl.Text("attribute_name")
	}
	for _, index := range r.Blocks["global_secondary_index"] {
		if index.Text("projection_type") != "ALL" {
			return t, fmt.Errorf("index %s doesn't hold whole items", index.Text("name"))
		}
		t.Indexes[index.Text("name")] = key(index)
	}
	for name := range types {
		if !used[name] {
			return t, fmt.Errorf("attribute %s is no key: DynamoDB refuses it", name)
		}
	}
	return t, nil
}
