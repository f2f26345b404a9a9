package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the tables of flags into docs/ anew")

// flagBlocks are the tables of flags in the docs: <!-- flags: command -->, the table, <!-- end of flags -->.
var flagBlocks = regexp.MustCompile(`(?s)(<!-- flags: ([a-z -]+) -->\n).*?(<!-- end of flags -->)`)

// TestDocsListTheFlagsThatTheCommandsTake keeps the docs' tables true. With -update it writes them.
func TestDocsListTheFlagsThatTheCommandsTake(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%v, %v", pages, err)
	}
	described := map[string]bool{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		want := flagBlocks.ReplaceAllFunc(text, func(block []byte) []byte {
			m := flagBlocks.FindSubmatch(block)
			described[string(m[2])] = true
			return bytes.Join([][]byte{m[1], []byte(flagTable(t, string(m[2]))), m[3]}, nil)
		})
		if bytes.Equal(text, want) {
			continue
		}
		if !*update {
			t.Errorf("%s lists other flags than the commands take: go test ./internal/cli -run Docs -update", page)
		} else if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"convert", "serve", "submit", "jobs watch", "doctor", "backup"} {
		if !described[command] {
			t.Errorf("no page has a table of the flags of %s", command)
		}
	}
}

// flagTable writes the flags of a command, such as "jobs list", as a Markdown table.
func flagTable(t *testing.T, command string) string {
	t.Helper()
	parser, err := newParser(streams{err: &bytes.Buffer{}, out: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	node := parser.Model.Node
	for name := range strings.FieldsSeq(command) {
		if node = child(node, name); node == nil {
			t.Fatalf("there is no command %q", command)
		}
	}
	var out strings.Builder
	fmt.Fprintln(&out, "| flag | meaning | default | environment |\n|---|---|---|---|")
	for _, f := range node.Flags {
		if f.Hidden || f.Name == "help" {
			continue
		}
		value := f.Default
		if strings.Contains(f.Help, "Default: ") { // in words, for what the value stands for
			value = ""
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", flagName(f), cell(f.Help), code(value), code(strings.Join(f.Envs, ", ")))
	}
	return out.String()
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func flagName(f *kong.Flag) string {
	name := "--" + f.Name
	if f.Short != 0 {
		name = fmt.Sprintf("-%c, %s", f.Short, name)
	}
	if f.PlaceHolder != "" {
		name += " " + f.PlaceHolder
	}
	return code(name)
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + cell(s) + "`"
}

// cell keeps a text from ending its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
