package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/stereospot/stereospot/internal/job"
)

// chosen returns the stereo options that come of a command line.
func chosen(t *testing.T, args ...string) job.StereoOptions {
	t.Helper()
	var f optionFlags
	parser, err := kong.New(&f)
	if err == nil {
		_, err = parser.Parse(args)
	}
	if err != nil {
		t.Fatal(err)
	}
	o, err := f.options()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return o.Stereo
}

// presetTable are the rows of the table in docs/convert.md that says what presets set, without the one of their names.
func presetTable(t *testing.T) (names []string, rows map[string][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/convert.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "## How deep")
	_, table, _ := strings.Cut(after, "\n| |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows = map[string][]string{}
	for i, line := range strings.Split(table, "\n") {
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.Trim(cell, " `"))
		}
		if i == 0 {
			names = cells
		} else {
			rows[cells[0]] = cells[1:]
		}
	}
	return names, rows
}

func TestDocumentSaysWhatEveryPresetSets(t *testing.T) {
	names, rows := presetTable(t)
	if len(names) != len(job.Presets()) {
		t.Fatalf("presets %q", names)
	}
	for i, p := range job.Presets() {
		o := chosen(t, "--preset", string(p))
		want := map[string]string{
			"--divergence": fmt.Sprint(o.Divergence), "--convergence": fmt.Sprint(o.Convergence), "--max-parallax": "none", "--floating-window": "no",
		}
		if o.AutoConvergence {
			want["--convergence"] = "auto"
		}
		if o.MaxNear > 0 || o.MaxFar > 0 {
			want["--max-parallax"] = fmt.Sprintf("%v,%v", o.MaxNear, o.MaxFar)
		}
		if o.FloatingWindow {
			want["--floating-window"] = "yes"
		}
		if !strings.HasPrefix(names[i], string(p)) {
			t.Errorf("column %d is %s, not %s", i+1, names[i], p)
		}
		for flag, value := range want {
			if cells := rows[flag]; len(cells) != len(names) || cells[i] != value {
				t.Errorf("%s sets %s %s, the document says %q", p, flag, value, cells)
			}
		}
	}
}

func TestWhatIsGivenBesideAPresetGoesBeforeIt(t *testing.T) {
	got := chosen(t, "--preset", "comfort", "--divergence", "3", "--convergence", "0.25", "--max-parallax", "1.5", "--no-floating-window", "--foreground-scale", "1")
	want := chosen(t)
	want.Divergence, want.Convergence, want.MaxNear, want.MaxFar, want.ForegroundScale = 3, 0.25, 1.5, 1.5, 1
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if o := chosen(t, "--preset", "strong", "--convergence", "auto", "--max-parallax", "0,2"); !o.AutoConvergence || o.MaxNear != 0 || o.MaxFar != 2 || o.Divergence != 3.5 {
		t.Errorf("%+v", o)
	}
}
