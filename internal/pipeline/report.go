package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/report"
)

// publishReport publishes what a job's segments say of their frames, put together, as JSON and as a picture. answers are the
// hashes of the requests that the segments answer.
func (p *Pipeline) publishReport(ctx context.Context, j job.Job, plan *media.Plan, answers []string) error {
	b := report.NewBuilder(plan.Frames(), plan.Moment, j.Options.Stereo)
	for i, s := range plan.Segments {
		figures, ok, err := p.figures(ctx, job.OutputKey(j.ID, s.Index), answers[i])
		if err != nil {
			return err
		}
		if !ok || len(figures.Frames) != s.Frames {
			b.Missing(s.Index)
			continue
		}
		b.Add(s.First, figures)
	}
	r := b.Report()
	text, err := r.Encode()
	if err != nil {
		return err
	}
	picture, err := r.PNG()
	if err != nil {
		return err
	}
	_, err = p.Output.Put(ctx, job.ReportKey(j.ID), bytes.NewReader(text), platform.PutOptions{ContentType: "application/json"})
	if err != nil {
		return err
	}
	_, err = p.Output.Put(ctx, job.ReportPictureKey(j.ID), bytes.NewReader(picture), platform.PutOptions{ContentType: "image/png"})
	return err
}

// figures reads what a converted segment says of its frames. Figures that are gone, damaged or another request's count as
// missing: the report says so, and the film is no worse for it.
func (p *Pipeline) figures(ctx context.Context, output, answers string) (s report.Segment, ok bool, err error) {
	r, o, err := p.Output.Get(ctx, job.FiguresKey(output), 0, -1)
	if errors.Is(err, platform.ErrNotFound) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	defer r.Close()
	if o.Size > report.MaxSegmentBytes {
		return s, false, nil
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return s, false, fmt.Errorf("read %s: %w", o.Key, err)
	}
	s, parseErr := report.ParseSegment(text)
	return s, parseErr == nil && s.Request == answers, nil
}
