package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// stepTable is what became of a run's steps.
type stepTable struct{ rows []stepRow }

type stepRow struct {
	name, about string
	took        time.Duration
	err         error
}

// take takes a step and remembers how it went. The error names the step.
func (t *stepTable) take(name string, do func() (about string, err error)) error {
	begin := time.Now()
	about, err := do()
	if errors.Is(err, context.Canceled) {
		err = errors.New("stopped")
	}
	t.rows = append(t.rows, stepRow{name, about, time.Since(begin), err})
	if err != nil {
		return fmt.Errorf("%s failed: %w", name, err)
	}
	return nil
}

// print writes a line for each step that was taken, and the sum.
func (t *stepTable) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "STEP\tRESULT\tSECONDS\t")
	var sum time.Duration
	for _, r := range t.rows {
		result, about := "ok", r.about
		if r.err != nil {
			result, about = "FAILED", oneLine(r.err)
		}
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%s\n", r.name, result, r.took.Seconds(), about)
		sum += r.took
	}
	fmt.Fprintf(w, "all\t\t%.1f\t\n", sum.Seconds())
	return w.Flush()
}
