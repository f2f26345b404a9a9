package media

import (
	"context"
	"math"
	"path/filepath"
	"strings"
)

// Compare holds a converted film against its source: as many frames, shown at the same instants, every packet of sound,
// and the stereo tag of the layout. It is for whoever didn't make the film; the source is read whole. An *Error says
// what differs.
func Compare(ctx context.Context, source, result string, layout Layout) (*AssembleReport, error) {
	src, err := Probe(ctx, source)
	if err != nil {
		return nil, err
	}
	timeline, err := ReadTimeline(ctx, src)
	if err != nil {
		return nil, err
	}
	plan, err := NewPlan(src, timeline, PlanOptions{SegmentFrames: math.MaxInt32})
	if err != nil {
		return nil, err
	}
	times, _, err := newClock(plan)
	if err != nil {
		return nil, err
	}
	container := strings.TrimPrefix(strings.ToLower(filepath.Ext(result)), ".")
	m := &muxing{
		AssembleRequest: AssembleRequest{Plan: plan, SourcePath: source, Container: container},
		streams:         filled(plan, container), track: &videoTrack{clock: times},
	}
	var sound []soundTrack
	if m.holds("audio") {
		args := append([]string{"-copyts"}, inputArgs(source, m.sourceOptions()...)...)
		args = append(append(args, m.soundOnly(0)...), "-f", "framecrc", "pipe:1")
		if sound, err = listSound(ctx, source, args); err != nil {
			return nil, err
		}
	}
	return verifyFinal(ctx, result, expectation{
		times: times.times, scale: times.scale, sound: sound, movieScale: m.movieScale(), layout: layout, container: container,
	})
}
