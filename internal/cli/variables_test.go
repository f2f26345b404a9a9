package cli

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/config"
)

// variableBlocks are the tables of variables in the docs: <!-- variables: service -->, the table, <!-- end of variables -->.
var variableBlocks = regexp.MustCompile(`(?s)(<!-- variables: ([a-z-]+) -->\n).*?(<!-- end of variables -->)`)

// TestDocsListTheVariablesThatTheServicesRead keeps docs/aws/configuration.md true. With -update it writes the tables.
func TestDocsListTheVariablesThatTheServicesRead(t *testing.T) {
	const page = "../../docs/aws/configuration.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	want := variableBlocks.ReplaceAllFunc(text, func(block []byte) []byte {
		m := variableBlocks.FindSubmatch(block)
		described[string(m[2])] = true
		return bytes.Join([][]byte{m[1], []byte(variableTable(t, string(m[2]))), m[3]}, nil)
	})
	for _, service := range config.Services() {
		if !described[service] {
			t.Errorf("%s has no table of what %s reads", page, service)
		}
	}
	if bytes.Equal(text, want) {
		return
	}
	if !*update {
		t.Fatalf("%s lists other variables than the services read: go test ./internal/cli -run Docs -update", page)
	}
	if err := os.WriteFile(page, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// variableTable writes what a service reads as a Markdown table.
func variableTable(t *testing.T, service string) string {
	t.Helper()
	list, err := config.Variables(service)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintln(&out, "| variable | meaning | default |\n|---|---|---|")
	for _, v := range list {
		value := code(v.Default)
		switch {
		case v.Unused:
			continue
		case v.Required:
			value = "required"
		case v.Secret:
			value = "a secret"
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", code(v.Name), cell(v.Help), value)
	}
	return out.String()
}
