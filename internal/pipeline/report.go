package pipeline

import (
	"bytes"
	"context"
	"fmt"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/report"
)

// publishReport publishes what a job's segments say of their frames, put together, as JSON and as a picture, and returns what
// people are warned of. answers are the hashes of the requests that the segments' files answer.
func (p *Pipeline) publishReport(ctx context.Context, j job.Job, plan *media.Plan, files []media.SegmentOutput, answers []string) (warnings []string, err error) {
	b := report.NewBuilder(plan.Frames(), plan.Moment, j.Options.Stereo)
	for i, s := range plan.Segments {
		figures, ok, err := figures(files[i].Path, answers[i])
		if err != nil {
			return nil, err
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
		return nil, err
	}
	picture, err := r.PNG()
	if err != nil {
		return nil, err
	}
	_, err = p.Output.Put(ctx, job.ReportKey(j.ID), bytes.NewReader(text), platform.PutOptions{ContentType: "application/json"})
	if err != nil {
		return nil, err
	}
	_, err = p.Output.Put(ctx, job.ReportPictureKey(j.ID), bytes.NewReader(picture), platform.PutOptions{ContentType: "image/png"})
	return depthless(j.Options.Depth, r), err
}

// depthless is the warning of a film in which its model saw nothing. Classic depth always has some.
func depthless(d job.DepthOptions, r *report.Report) []string {
	if d.Model == job.Classic || !r.Depthless() {
		return nil
	}
	return []string{fmt.Sprintf("the depth model %s saw no depth in %d of %d frames: the film is flat, choose another model", d.Model, r.Flat, r.Frames)}
}

// figures reads what a converted segment's file says of its frames. Figures that are absent, damaged or another request's
// count as missing: the report says so, and the film is no worse for it.
func figures(path, answers string) (s report.Segment, ok bool, err error) {
	text, err := media.UserBox([]byte(report.SegmentBox)).Read(path, report.MaxSegmentBytes)
	if err != nil {
		return s, false, err
	}
	s, parseErr := report.ParseSegment(text)
	return s, parseErr == nil && s.Request == answers, nil
}
