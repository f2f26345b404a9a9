package pipeline

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
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

// replaceFigures publishes a converted segment anew, with something else for its figures.
func (b *bench) replaceFigures(t *testing.T, index int, figures string) {
	t.Helper()
	key := job.OutputKey(b.job, index)
	r, o, err := b.Output.Get(t.Context(), key, 0, -1)
	b.must(t, err)
	defer r.Close()
	film, err := io.ReadAll(r)
	b.must(t, err)
	at := bytes.LastIndex(film, []byte("uuid"+report.SegmentBox))
	if at < 0 {
		t.Fatalf("%s has no figures", key)
	}
	path := filepath.Join(t.TempDir(), "segment.mp4")
	b.must(t, os.WriteFile(path, film[:at-4], 0o600))
	if figures != "" {
		b.must(t, media.UserBox([]byte(report.SegmentBox)).Append(path, []byte(figures)))
	}
	o.Metadata[inference.MetaContent], err = platform.HashFile(path)
	b.must(t, err)
	_, err = platform.PutFile(t.Context(), b.Output, key, path, platform.PutOptions{Metadata: o.Metadata})
	b.must(t, err)
}

// TestReportSaysWhichFiguresAreGone removes what one segment said and damages what another did: their outputs are kept,
// the film is made, and its report is about the rest. Removing the job removes it.
func TestReportSaysWhichFiguresAreGone(t *testing.T) {
	b := newBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	b.convertAll(t)
	b.replaceFigures(t, 1, "")
	b.replaceFigures(t, 2, `{"request":"another","frames":[]}`)
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
