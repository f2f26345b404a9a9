package internal_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of Go modules into docs/licences.md anew")

const licencesPage = "../docs/licences.md"

func TestLicencesOfAllModulesAreListed(t *testing.T) {
	page, err := os.ReadFile(licencesPage)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(page), "<!-- go modules -->\n")
	_, after, ok2 := strings.Cut(after, "<!-- end -->\n")
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table of Go modules", licencesPage)
	}
	want := before + "<!-- go modules -->\n" + moduleTable(t) + "<!-- end -->\n" + after
	if *update {
		if err := os.WriteFile(licencesPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("%s isn't what go.mod and the modules' licences say: look at the difference that `make licences` makes", licencesPage)
	}
}

// goModule is a module that is linked into the program, or that go.mod names for tests and tools.
type goModule struct {
	Path, Dir, licence, use string
}

// moduleTable lists the modules. A module of another's repository, such as a client of an SDK, has no row of its own if it
// has the same licence and use.
func moduleTable(t *testing.T) string {
	t.Helper()
	linked := linkedModules(t)
	var all []goModule
	for _, m := range describeModules(t, slices.Concat(linked, directModules(t))) {
		m.licence, m.use = licenceOf(t, m), "tests and tools"
		if slices.Contains(linked, m.Path) {
			m.use = "program"
		}
		part := func(of goModule) bool {
			return strings.HasPrefix(m.Path, of.Path+"/") && m.licence == of.licence && m.use == of.use
		}
		if !slices.ContainsFunc(all, part) {
			all = append(all, m)
		}
	}
	var b strings.Builder
	b.WriteString("| module | licence | in |\n|---|---|---|\n")
	for _, m := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Path, m.licence, m.use)
	}
	return b.String()
}

// linkedModules returns the modules whose code is in the program, with neural depth, on Linux.
func linkedModules(t *testing.T) []string {
	t.Helper()
	paths := strings.Fields(goCommand(t, "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", ".."))
	slices.Sort(paths)
	return slices.Compact(paths)
}

// directModules returns the modules that go.mod requires for code of this repository.
func directModules(t *testing.T) []string {
	t.Helper()
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal([]byte(goCommand(t, "mod", "edit", "-json")), &mod); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, r := range mod.Require {
		if !r.Indirect {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

// describeModules finds out where modules are, in the order of their paths.
func describeModules(t *testing.T, paths []string) []goModule {
	t.Helper()
	slices.Sort(paths)
	var modules []goModule
	out := goCommand(t, append([]string{"list", "-m", "-json=Path,Dir"}, slices.Compact(paths)...)...)
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var m goModule
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		modules = append(modules, m)
	}
	return modules
}

// sentences tell licences by what no other says; SPDX identifiers.
var sentences = []struct{ licence, sentence string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"BSD-3-Clause", "used to endorse or promote products"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"MPL-2.0", "Mozilla Public License, version 2.0"},
	{"Unlicense", "free and unencumbered software released into the public domain"},
}

// licenceOf reads a module's licence out of its LICENSE file.
func licenceOf(t *testing.T, m goModule) string {
	t.Helper()
	var found []string
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING", "UNLICENSE"} {
		text, err := os.ReadFile(filepath.Join(m.Dir, name))
		if err != nil {
			continue
		}
		words := strings.Join(strings.Fields(string(text)), " ")
		for _, s := range sentences {
			if strings.Contains(words, s.sentence) {
				found = append(found, s.licence)
			}
		}
	}
	if len(found) == 0 {
		t.Errorf("%s in %q has no licence that this test knows: read it, and say whether it may be used", m.Path, m.Dir)
	}
	return strings.Join(found, ", ")
}

// goCommand runs the go command for a build with cgo on Linux, whatever this machine is.
func goCommand(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOOS=linux", "GOARCH=amd64")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
