package pipeline

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/report"
)

func (b *bench) report(t *testing.T) *report.Report {
	t.Helper()
	r, _, err := b.Output.Get(t.Context(), job.ReportKey(b.job), 0, -1)
	b.must(t, err)
	defer r.Close()
	text, err := io.ReadAll(r)
	b.must(t, err)
	parsed, err := report.Parse(text)
	b.must(t, err)
	return parsed
}

// TestReportSaysWhichFiguresAreGone removes what one segment said and damages what another did: their outputs are kept,
// the film is made, and its report is about the rest. Removing the job removes it.
func TestReportSaysWhichFiguresAreGone(t *testing.T) {
	b := newBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	b.convertAll(t)
	key := func(i int) string { return job.FiguresKey(job.OutputKey(b.job, i)) }
	b.must(t, b.Output.Delete(t.Context(), key(1)))
	_, err := b.Output.Put(t.Context(), key(2), strings.NewReader(`{"request":"another","frames":[]}`), platform.PutOptions{})
	b.must(t, err)
	b.must(t, b.Reassemble(t.Context(), b.job))
	b.checkFinal(t)
	r := b.report(t)
	if !reflect.DeepEqual(r.Missing, []int{1, 2}) || r.Frames != testFrames {
		t.Errorf("missing %v of %d frames", r.Missing, r.Frames)
	}
	known := 0
	for _, c := range r.Columns {
		known += c.Known
	}
	if known != testFrames/2 {
		t.Errorf("the figures of %d frames", known)
	}
	if _, err := b.Output.Head(t.Context(), job.ReportPictureKey(b.job)); err != nil {
		t.Errorf("the picture: %v", err)
	}
	b.must(t, b.Remove(t.Context(), b.job))
	if _, err := b.Output.Head(t.Context(), job.ReportKey(b.job)); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("the report of a removed job: %v", err)
	}
}
