package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestTheHelpOfEveryCommandHasAnExample(t *testing.T) {
	parser, err := newParser(streams{nil, new(bytes.Buffer), new(bytes.Buffer)})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		if command := commandLine(leaf); command != "stereospot version" && !strings.Contains(leaf.Detail, "  "+command) {
			t.Errorf("%s --help shows no example", command)
		}
		if strings.HasPrefix(leaf.Detail, " ") { // which kong takes away
			t.Errorf("the first example of %s --help stands out: put a line above it", commandLine(leaf))
		}
	}
}

func TestWrongUsageNamesTheHelpThatHelps(t *testing.T) {
	for args, want := range map[string]string{
		"convert": "stereospot convert", "models pull": "stereospot models pull", "jobs frobnicate": "stereospot jobs",
		"convert film.mkv --fromat depth": "stereospot convert", "covert film.mkv": "stereospot", "--wrong": "stereospot",
	} {
		var out bytes.Buffer
		code := run(t.Context(), strings.Fields(args), streams{nil, &out, &out})
		if code != exitUsage || !strings.HasSuffix(out.String(), "(see "+want+" --help)\n") || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: exit %d, %s", args, code, &out)
		}
	}
}

// commandLine is how a command is called, without arguments.
func commandLine(n *kong.Node) string {
	if n.Parent == nil {
		return n.Name
	}
	return commandLine(n.Parent) + " " + n.Name
}

func TestTheHelpSaysTheDefaults(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--help"}, streams{nil, &out, &out}); code != exitDone {
		t.Fatalf("exit %d: %s", code, &out)
	}
	help := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"less room than this. Default: 2GiB ($STEREOSPOT_MIN_FREE)", "Address to listen on. Default: 127.0.0.1:8080 ($STEREOSPOT_ADDR)",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q: %s", want, help)
		}
	}
}
