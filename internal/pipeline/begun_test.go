package pipeline_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/memory"
	"github.com/stereospot/stereospot/internal/tools/blank"
)

// forgetful publishes results, but says once that it failed.
type forgetful struct {
	inference.Converter
	fail, made int
}

func (f *forgetful) Convert(ctx context.Context, r inference.Request, progress func(int)) (inference.Result, error) {
	res, err := f.Converter.Convert(ctx, r, progress)
	if f.made++; f.made <= f.fail {
		return inference.Result{}, errors.New("the answer was lost")
	}
	return res, err
}

// TestResultIsLookedForOnlyWhereASegmentWasBegunBefore converts a segment again after a failure whose result is there, and
// after its job failed and was retried: the result is found, and not made again. Of a segment that nobody has begun no
// result is looked for.
func TestResultIsLookedForOnlyWhereASegmentWasBegunBefore(t *testing.T) {
	looks := 0
	store := memory.New(memory.Options{Saw: func(c memory.Call) {
		if c.Method == "Objects.Head" && strings.HasPrefix(c.On, "output/") {
			looks++
		}
	}})
	converter := &forgetful{Converter: blank.Converter{Output: store.Platform().Output}, fail: 1}
	p := &pipeline.Pipeline{
		Platform: store.Platform(), Converter: converter, Films: blank.Films{}, Scratch: t.TempDir(), Owner: "test",
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Pulse: time.Minute,
	}
	ctx, now := t.Context(), time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	o := job.DefaultOptions()
	o.SegmentFrames = blank.SegmentFrames
	j := job.Job{ID: job.NewID(now), Title: "film", Status: job.Created, Options: o, Uploaded: true, CreatedAt: now, UpdatedAt: now, StartedAt: now}
	must(p.Jobs.Create(ctx, j))
	_, err := p.Input.Put(ctx, job.SourceKey(j.ID), strings.NewReader(blank.Source(2)), platform.PutOptions{})
	must(err)
	must(p.Chunk(ctx, j.ID))
	segment := func(i int) string { return job.SegmentKey(j.ID, i, 2, o.Format) }

	if err := p.Convert(ctx, segment(0)); err == nil {
		t.Fatal("the converter's failure was not told")
	}
	must(p.Convert(ctx, segment(1)))
	if looks != 0 || converter.made != 2 {
		t.Errorf("%d looks for results of segments that nobody had begun, %d conversions", looks, converter.made)
	}
	must(p.Convert(ctx, segment(0)))
	must(p.Fail(ctx, j.ID, "for a test"))
	must(p.Retry(ctx, j.ID))
	must(p.Chunk(ctx, j.ID))
	must(p.Convert(ctx, segment(1)))
	if looks != 2 || converter.made != 2 {
		t.Errorf("%d looks for results of segments that were begun before, %d conversions; want 2 and 2", looks, converter.made)
	}
	if j, err := p.Jobs.Get(ctx, j.ID); err != nil || j.CompletedSegments != 2 {
		t.Errorf("%d segments are recorded, %v", j.CompletedSegments, err)
	}
}
