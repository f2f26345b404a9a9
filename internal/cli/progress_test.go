package cli

import (
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/pipeline"
)

// fakeClock advances only when told.
type fakeClock struct{ at time.Time }

func (c *fakeClock) now() time.Time { return c.at }

func TestTallyAddsSegmentsUnderWayAndKeptOnes(t *testing.T) {
	clock := &fakeClock{at: time.Unix(1000, 0)}
	tally := newTally(clock.now)
	tally.current.total = 300
	tally.add(pipeline.Event{Stage: pipeline.Converting, Segment: 0, Frames: 100, Kept: true, SegmentDone: true})
	tally.add(pipeline.Event{Stage: pipeline.Converting, Segment: 1, Frames: 10})
	clock.at = clock.at.Add(2 * time.Second)
	s := tally.add(pipeline.Event{Stage: pipeline.Converting, Segment: 1, Frames: 30})
	if s.frames != 130 || s.kept != 100 {
		t.Errorf("frames %d kept %d, want 130 and 100", s.frames, s.kept)
	}
	if s.fps < 9.9 || s.fps > 15.1 {
		t.Errorf("fps %v counts kept frames or the wrong span", s.fps)
	}
	if want := time.Duration(170 / s.fps * float64(time.Second)); s.left != want {
		t.Errorf("left %v, want %v", s.left, want)
	}
	s = tally.add(pipeline.Event{Stage: pipeline.Converting, Segment: 1, Frames: 100, SegmentDone: true})
	if s.frames != 200 {
		t.Errorf("a finished segment counts %d frames in all, want 200", s.frames)
	}
}

func TestTallyForgetsSpeedsOlderThanItsWindow(t *testing.T) {
	clock := &fakeClock{at: time.Unix(1000, 0)}
	tally := newTally(clock.now)
	tally.current.total = 1 << 20
	frames := 0
	var s snapshot
	step := func(seconds, perSecond int) {
		for range seconds {
			clock.at = clock.at.Add(time.Second)
			frames += perSecond
			s = tally.add(pipeline.Event{Stage: pipeline.Converting, Frames: frames})
		}
	}
	step(60, 100)
	step(30, 10)
	if s.fps < 9.9 || s.fps > 10.1 {
		t.Errorf("fps %v long after the speed fell to 10", s.fps)
	}
}

func TestTallySaysConvertingFromASegmentsStart(t *testing.T) {
	clock := &fakeClock{at: time.Unix(1000, 0)}
	tally := newTally(clock.now)
	tally.add(pipeline.Event{Stage: pipeline.Splitting, Segment: 0, SegmentDone: true})
	if s := tally.add(pipeline.Event{Stage: pipeline.Converting}); s.stage != pipeline.Converting || s.frames != 0 {
		t.Errorf("at a segment's start: %+v", s)
	}
	if s := tally.add(pipeline.Event{Stage: pipeline.Splitting, Segment: 1, SegmentDone: true}); s.stage != pipeline.Converting {
		t.Errorf("while a later segment is written: %s", s.stage)
	}
	clock.at = clock.at.Add(time.Minute)
	tally.add(pipeline.Event{Stage: pipeline.Converting, Frames: 1})
	clock.at = clock.at.Add(2 * time.Second)
	if s := tally.add(pipeline.Event{Stage: pipeline.Converting, Frames: 5}); s.fps != 2 {
		t.Errorf("%v frames per second: the wait for the first frame counts", s.fps)
	}
}
