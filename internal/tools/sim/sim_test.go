package sim

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

var (
	full    = flag.Bool("full", false, "simulate 10,000 films in 1,000,000 segments, which takes minutes")
	largest = flag.Int("largest", 1000, "with -full: video-workers of the largest fleet")
)

// simulate runs a fleet in a bubble of its own.
func simulate(t *testing.T, f Fleet) (r Report) {
	t.Helper()
	scratch, err := Scratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(scratch) })
	f.Scratch = scratch
	synctest.Test(t, func(t *testing.T) {
		if r, err = Run(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

// usual is a fleet of so many workers with a thousand segments for each.
func usual(workers int) Fleet {
	return Fleet{
		VideoWorkers: workers, MediaWorkers: max(1, workers/50), Films: 10 * workers, Segments: 100,
		Conversion: 40 * time.Second, Spread: 0.5, Seed: uint64(workers),
	}
}

// check wants what docs/scale.md promises.
func check(t *testing.T, r Report) {
	t.Helper()
	segments := r.Films * r.Segments
	if r.Converted != segments {
		t.Errorf("%d workers: %d conversions of %d segments", r.VideoWorkers, r.Converted, segments)
	}
	if e := r.Efficiency(); e < 0.95 || e > 1 {
		t.Errorf("%d workers: %.1f %% of the ideal makespan", r.VideoWorkers, 100*e)
	}
	for kind, limit := range limits {
		if p := r.Hot[kind]; p.PerSecond > limit {
			t.Errorf("%d workers: %d %s a second (%s), of which %d are allowed", r.VideoWorkers, p.PerSecond, kind, p.Of, limit)
		}
	}
}

// linear wants that a segment costs about as many requests in every fleet.
func linear(t *testing.T, reports []Report) {
	t.Helper()
	for _, r := range reports[1:] {
		if first := reports[0].Total(); r.Total() > 1.1*first {
			t.Errorf("%.2f requests per segment with %d films, %.2f with %d", r.Total(), r.Films, first, reports[0].Films)
		}
	}
}

func TestFleetsOfAnySizeKeepBusyAndCostTheSamePerSegment(t *testing.T) {
	small := Fleet{VideoWorkers: 2, MediaWorkers: 1, Films: 10, Segments: 40, Conversion: 40 * time.Second, Spread: 0.5, Seed: 1}
	large := Fleet{VideoWorkers: 10, MediaWorkers: 1, Films: 50, Segments: 40, Conversion: 40 * time.Second, Spread: 0.5, Seed: 2}
	reports := []Report{simulate(t, small), simulate(t, large)}
	for _, r := range reports {
		check(t, r)
	}
	linear(t, reports)
}

// TestScale prints the tables of docs/scale.md.
func TestScale(t *testing.T) {
	if !*full {
		t.Skip("make sim")
	}
	var reports []Report
	for workers := 1; workers <= *largest; workers *= 10 {
		begin := time.Now()
		r := simulate(t, usual(workers))
		check(t, r)
		reports = append(reports, r)
		fmt.Fprintf(os.Stderr, "%d workers: simulated %v in %v\n", workers, r.Makespan.Round(time.Minute), time.Since(begin).Round(time.Second))
	}
	linear(t, reports)
	if err := Print(os.Stdout, reports); err != nil {
		t.Fatal(err)
	}
}
