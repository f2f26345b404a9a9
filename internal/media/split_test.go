package media

import (
	"slices"
	"testing"
)

// TestSegmentsHoldEveryFrameOfTheSource splits each kind of source into segments of several lengths: the segments' own
// frames, one after the other, must be what FFmpeg decodes from the whole, at the same timestamps.
func TestSegmentsHoldEveryFrameOfTheSource(t *testing.T) {
	for _, c := range sourceCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := c.source(t)
			var want decoded
			for _, length := range c.lengths() {
				plan := planned(t, path, PlanOptions{SegmentFrames: length, Support: 3})
				if want.sums == nil {
					want = reference(t, path, plan.Video)
				}
				if got := plan.Lossless != ""; got != c.lossless {
					t.Errorf("re-encoded = %v because %q, want %v", got, plan.Lossless, c.lossless)
				}
				compare(t, plan, splitAndDecode(t, path, plan), want)
			}
		})
	}
}

// TestPartsOfASourceHoldTheirFrames chooses a part that begins and ends between entry points.
func TestPartsOfASourceHoldTheirFrames(t *testing.T) {
	for _, name := range []string{"opengop.mp4", "opengop.ts", "hevc.mp4", "packed.avi"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := caseNamed(name).source(t)
			plan := planned(t, path, PlanOptions{SegmentFrames: 9, Support: 3, Start: 0.7, Duration: 0.4})
			want := reference(t, path, plan.Video)
			first := slices.Index(want.pts, plan.Times.At(0))
			if first < 14 || plan.Frames() != 10 {
				t.Fatalf("%d frames from frame %d", plan.Frames(), first)
			}
			want = decoded{sums: want.sums[first : first+10], pts: want.pts[first : first+10]}
			compare(t, plan, splitAndDecode(t, path, plan), want)
		})
	}
}

func TestLosslessSegmentsCanBeAskedFor(t *testing.T) {
	for _, name := range []string{"opengop.mp4", "hdr10.mkv", "rotated90.mp4"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := caseNamed(name).source(t)
			plan := planned(t, path, PlanOptions{SegmentFrames: 20, Support: 3, Lossless: true})
			if plan.Lossless == "" {
				t.Error("segments would be copies")
			}
			compare(t, plan, splitAndDecode(t, path, plan), reference(t, path, plan.Video))
		})
	}
}

func compare[S comparable](t *testing.T, plan *Plan, got []S, want decoded) {
	t.Helper()
	if len(got) != len(want.sums) {
		t.Fatalf("segments of %d hold %d frames, FFmpeg decodes %d", plan.Segments[0].Frames, len(got), len(want.sums))
	}
	for i := range got {
		if any(got[i]) != any(want.sums[i]) {
			t.Fatalf("segments of %d: frame %d of %d differs", plan.Segments[0].Frames, i, len(got))
		}
	}
	if !slices.Contains(want.pts, unknownTime) && !slices.Equal(plan.PTS(), want.pts) {
		t.Errorf("timestamps are\n%v, want\n%v", plan.PTS(), want.pts)
	}
}
