package cli

import (
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
)

func TestDocumentsNameEveryFieldOfTheJSON(t *testing.T) {
	page, err := os.ReadFile("../../docs/convert.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{jsonEvent{}, findings{}, media.CarriedStream{}, media.Segment{}} {
		kind := reflect.TypeOf(v)
		for i := range kind.NumField() {
			name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if name == "" || name == "event" || name == "index" {
				continue
			}
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/convert.md doesn't name %q of %s", name, kind)
			}
		}
	}
}

// commandLines are the lines of a page's examples that begin with the program's name.
var commandLines = regexp.MustCompile("(?m)^stereospot .*$")

func TestRunbooksHoldCommandsThatCanBeRun(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := commandLines.FindAllString(string(page), -1)
	if len(lines) < 30 {
		t.Fatalf("only %d commands found", len(lines))
	}
	parser, err := newParser(streams{err: io.Discard, out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if _, err := parser.Parse(strings.Fields(line)[1:]); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestEveryStatusAndAlarmHasARunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
			for name := range strings.SplitSeq(title, ", ") {
				headings[name] = true
			}
		}
	}
	want := []string{"page-down", "page-errors", "inference-failures", "monthly", "Backlog without capacity", "Disk full", "Throttling"}
	for _, s := range job.Statuses() {
		want = append(want, string(s))
	}
	for _, q := range platform.QueueNames() {
		want = append(want, string(q)+"-dead-letters", string(q)+"-age")
	}
	for _, name := range want {
		if !headings[name] {
			t.Errorf("docs/operations.md has no runbook of %s", name)
		}
	}
}
