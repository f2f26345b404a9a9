package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/stereospot/stereospot/internal/infra/stack"
)

// days plays them once for all tests.
var days = sync.OnceValues(func() ([]outcome, error) {
	s, err := deployment()
	if err != nil {
		return nil, err
	}
	return play(s)
})

func played(t *testing.T) []outcome {
	t.Helper()
	outcomes, err := days()
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// The most that people wait for the first task: the minute of the arrival, a minute until it can be read, and the start.
const patience = 4 * 60

func TestWorkersComeFromZeroAndGoBackToIt(t *testing.T) {
	for _, o := range played(t) {
		t.Run(o.name, func(t *testing.T) {
			if o.films != len(o.arrivals) {
				t.Errorf("%d of %d films were finished", o.films, len(o.arrivals))
			}
			if o.firstTask <= 0 || o.firstTask > patience {
				t.Errorf("the first task came after %d s", o.firstTask)
			}
			for minute := range o.arrivals[0] / period {
				if s := o.samples[minute]; s != (sample{}) {
					t.Fatalf("something ran or waited in minute %d, before the first film: %+v", minute, s)
				}
			}
			if end := o.samples[len(o.samples)-1]; end != (sample{}) {
				t.Errorf("the day ends with %+v", end)
			}
			if o.cutShort != 0 {
				t.Errorf("tasks were taken away %d times while messages were visible or in flight", o.cutShort)
			}
		})
	}
}

func TestABurstBringsAsManyAsAllowedAndNoMore(t *testing.T) {
	s, err := deployment()
	if err != nil {
		t.Fatal(err)
	}
	scalings, err := s.Scalings()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range played(t) {
		if o.name != "burst" {
			continue
		}
		got := [3]int{o.mediaPeak, o.videoPeak, o.instances}
		want := [3]int{scalings["media-worker"].Max, scalings["video-worker"].Max, scalings["inference"].Max}
		if got != want {
			t.Errorf("at most %v ran, allowed were %v", got, want)
		}
	}
}

// The page shows what the numbers of today do.
func TestTheTableOfThePageIsOfToday(t *testing.T) {
	page := filepath.Join("..", "..", "..", "docs", "aws", "scaling.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want, err := withTable(string(text), table(played(t)))
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != want {
		t.Errorf("%s shows other figures: run make scaling", page)
	}
}

// Policies that take tasks from their work, or never bring any, are seen.
func TestWrongPoliciesAreSeen(t *testing.T) {
	one := scenarios()[0]
	for name, c := range map[string]struct {
		old, new string
		values   stack.Values
		wrong    func(outcome) bool
	}{
		"IdleForgetsMessagesInFlight": {
			` + ${local.sums[each.key].inflight}`, ``, stack.Values{"idle_minutes": cty.NumberIntVal(5)},
			func(o outcome) bool { return o.cutShort > 0 },
		},
		"WakeAtTwoMessages": {
			"threshold           = 1\n", "threshold           = 2\n", nil,
			func(o outcome) bool { return o.films == 0 && o.mediaPeak == 0 },
		},
		"NeverBack": {
			"threshold           = 0\n", "threshold           = -1\n", nil,
			func(o outcome) bool { return o.samples[len(o.samples)-1].media > 0 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			values := stack.Values{"image_tag": cty.StringVal("x"), "inference_image_tag": cty.StringVal("x")}
			for k, v := range c.values {
				values[k] = v
			}
			s, err := stack.ReadFrom(mutated(t, c.old, c.new), values)
			if err != nil {
				t.Fatal(err)
			}
			o, err := simulate(s, one)
			if err != nil {
				t.Fatal(err)
			}
			if !c.wrong(o) {
				o.samples = nil
				t.Errorf("nothing is wrong with %+v", o)
			}
		})
	}
}

// mutated copies the Terraform project with one text of scaling.tf replaced.
func mutated(t *testing.T, old, new string) string {
	t.Helper()
	from, err := stack.Directory("aws-infra")
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	files, err := filepath.Glob(filepath.Join(from, "*.tf*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "scaling.tf" {
			if !strings.Contains(string(text), old) {
				t.Fatalf("scaling.tf doesn't hold %q", old)
			}
			text = []byte(strings.ReplaceAll(string(text), old, new))
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestMetricMath(t *testing.T) {
	for _, c := range []struct {
		text string
		a, b value
		want value
	}{
		{"a + b", of(1), of(2), of(3)},
		{"a + b", of(1), value{}, value{}},
		{"a + FILL(b, 0)", of(1), value{}, of(1)},
		{"(FILL(a, 0)) / IF(FILL(b, 0) < 1, 1, b)", of(6), value{}, of(6)},
		{"(FILL(a, 0)) / IF(FILL(b, 0) < 1, 1, b)", of(6), of(3), of(2)},
		{"IF(FILL(b, 0) < 1, FILL(a, 0), 0)", of(6), of(2), of(0)},
	} {
		f, err := parseFormula(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.at(map[string]value{"a": c.a, "b": c.b}); err != nil || got != c.want {
			t.Errorf("%s of %+v and %+v is %+v, %v; want %+v", c.text, c.a, c.b, got, err, c.want)
		}
	}
	f, err := parseFormula("a + c")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.at(map[string]value{"a": of(1)}); err == nil {
		t.Error("a metric that isn't there was taken")
	}
}

func FuzzFormula(f *testing.F) {
	f.Add("(FILL(a, 0)) / IF(FILL(b, 0) < 1, 1, b)")
	f.Fuzz(func(t *testing.T, text string) {
		if parsed, err := parseFormula(text); err == nil {
			_, _ = parsed.at(map[string]value{"a": of(1), "b": {}})
		}
	})
}
