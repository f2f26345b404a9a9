package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// documents are the pages whose commands people copy.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{"../../README.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/aws/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		pages = append(pages, found...)
	}
	return pages
}

// TestCommandsInTheDocsExist holds every line of a code block, and every inline code, that begins with a program of
// ours against what that program knows.
func TestCommandsInTheDocsExist(t *testing.T) {
	parser, err := newParser(streams{err: &bytes.Buffer{}, out: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	targets := nxTargets(t)
	seen := 0
	for _, page := range documents(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandsIn(string(text)) {
			words := strings.Fields(line)
			switch {
			case words[0] == "stereospot":
				checkOurs(t, page, parser.Model.Node, words[1:])
			case len(words) > 2 && words[0] == "npx" && words[1] == "nx":
				checkNx(t, page, targets, words[2:])
			default:
				continue
			}
			seen++
		}
	}
	if seen < 60 {
		t.Errorf("only %d commands were found", seen)
	}
}

var (
	codeBlock  = regexp.MustCompile("(?ms)^ *```[a-z]*\n(.*?)^ *```")
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	prompt     = regexp.MustCompile(`^\s*(?:[A-Z_]+=\S+ )*`) // variables before a command
)

// commandsIn returns the lines of code of a page, without what stands before and behind a command.
func commandsIn(page string) []string {
	var lines []string
	for _, m := range codeBlock.FindAllStringSubmatch(page, -1) {
		lines = append(lines, strings.Split(m[1], "\n")...)
	}
	rest := codeBlock.ReplaceAllString(page, "")
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "    ") {
			lines = append(lines, line)
		}
	}
	for _, m := range inlineCode.FindAllStringSubmatch(rest, -1) {
		lines = append(lines, m[1])
	}
	var commands []string
	for _, line := range lines {
		line, _, _ = strings.Cut(prompt.ReplaceAllString(line, ""), " # ")
		line, _, _ = strings.Cut(line, " | ")
		if strings.TrimSpace(line) != "" {
			commands = append(commands, line)
		}
	}
	return commands
}

// checkOurs follows the words down the tree of commands, and looks flags up where they end.
func checkOurs(t *testing.T, page string, node *kong.Node, words []string) {
	t.Helper()
	for _, word := range words {
		if flag, isFlag := strings.CutPrefix(word, "--"); isFlag {
			flag, _, _ = strings.Cut(flag, "=")
			if !hasFlag(node, strings.TrimRight(flag, ",;)")) {
				t.Errorf("%s: stereospot %s: there is no flag --%s", page, strings.Join(words, " "), flag)
			}
			continue
		}
		if next := child(node, word); next != nil {
			node = next
		} else if len(node.Children) > 0 && !strings.Contains(word, "|") && word != "…" && !strings.HasPrefix(word, "-") {
			t.Errorf("%s: stereospot %s: there is no command %s", page, strings.Join(words, " "), word)
			return
		} else if strings.Contains(word, "|") { // a choice of commands
			for choice := range strings.SplitSeq(word, "|") {
				if len(node.Children) > 0 && child(node, choice) == nil {
					t.Errorf("%s: stereospot %s: there is no command %s", page, strings.Join(words, " "), choice)
				}
			}
			return
		}
	}
}

// hasFlag reports whether a command, or one that it is part of, takes a flag.
func hasFlag(node *kong.Node, name string) bool {
	for ; node != nil; node = node.Parent {
		if slices.ContainsFunc(node.Flags, func(f *kong.Flag) bool { return f.Name == name }) {
			return true
		}
	}
	return false
}

// nxTargets returns every project's targets: its own, and those that the plugin infers of its kind.
func nxTargets(t *testing.T) map[string][]string {
	t.Helper()
	inferred := func(file string) []string {
		text, err := os.ReadFile(filepath.Join("../../tools/nx-plugin", file))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range regexp.MustCompile(`(?m)^      '?([a-z][a-z-]*)'?: `).FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		return names
	}
	terraform, image := inferred("terraform.mjs"), inferred("image.mjs")
	projects := map[string][]string{}
	for _, pattern := range []string{"../../project.json", "../../*/*/project.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name, targets := nxProject(t, file)
			switch filepath.Base(filepath.Dir(filepath.Dir(file))) {
			case "infra":
				targets = append(targets, terraform...)
			case "docker":
				targets = append(targets, image...)
			}
			projects[name] = targets
		}
	}
	if !slices.Contains(projects["aws-infra"], "terraform-apply") || !slices.Contains(projects["web-ui"], "deploy") {
		t.Fatalf("the plugin's targets weren't found: %v", projects)
	}
	return projects
}

// nxProject returns the name and targets that a project.json states.
func nxProject(t *testing.T, file string) (name string, targets []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var project struct {
		Name    string
		Targets map[string]any
	}
	if err := json.Unmarshal(text, &project); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for target := range project.Targets {
		targets = append(targets, target)
	}
	return project.Name, targets
}

// checkNx looks projects and targets of a call of Nx up.
func checkNx(t *testing.T, page string, projects map[string][]string, words []string) {
	t.Helper()
	missing := func(project, target string) {
		if !slices.Contains(projects[project], target) {
			t.Errorf("%s: npx nx %s: project %s has no target %s", page, strings.Join(words, " "), project, target)
		}
	}
	switch words[0] {
	case "run":
		project, target, _ := strings.Cut(words[1], ":")
		missing(project, target)
	case "run-many":
		at := slices.Index(words, "-p")
		for project := range strings.SplitSeq(words[at+1], ",") {
			missing(project, words[slices.Index(words, "-t")+1])
		}
	case "affected":
		missing("stereospot", words[slices.Index(words, "-t")+1])
	case "graph", "show":
	default:
		t.Errorf("%s: npx nx %s: what is %s?", page, strings.Join(words, " "), words[0])
	}
}
