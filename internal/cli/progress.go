package cli

import (
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/pipeline"
)

// snapshot is where a conversion stands.
type snapshot struct {
	stage    pipeline.Stage
	frames   int // converted so far, kept ones included
	kept     int // of those, found from an earlier run
	total    int // 0 until planned
	segments int
	fps      float64 // over the last seconds; 0 while unknown
	left     time.Duration
}

// tally adds up progress events from all segments under way.
type tally struct {
	mu      sync.Mutex
	now     func() time.Time
	current snapshot
	under   map[int]int // frames of each segment under way
	done    int         // frames of finished segments
	recent  []mark      // converted frames over the last rateWindow, oldest first
}

type mark struct {
	at     time.Time
	frames int // converted in this run
}

// rateWindow is how far back the speed looks: long enough to be steady, short enough to follow a change.
const rateWindow = 15 * time.Second

func newTally(now func() time.Time) *tally { return &tally{now: now, under: map[int]int{}} }

// add takes one event in and returns where things stand.
func (t *tally) add(e pipeline.Event) snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Plan != nil {
		t.current.total, t.current.segments = e.Plan.Frames(), len(e.Plan.Segments)
	}
	if e.Stage == pipeline.Splitting && e.Plan != nil { // also when everything starts again
		t.done, t.current.kept, t.recent = 0, 0, nil
		clear(t.under)
	}
	t.current.stage = e.Stage
	if e.Stage == pipeline.Converting {
		t.count(e)
	}
	return t.current
}

func (t *tally) count(e pipeline.Event) {
	if e.SegmentDone {
		delete(t.under, e.Segment)
		t.done += e.Frames
	} else {
		t.under[e.Segment] = e.Frames
	}
	if e.Kept {
		t.current.kept += e.Frames
	}
	t.current.frames = t.done
	for _, n := range t.under {
		t.current.frames += n
	}
	t.rate()
}

// rate derives speed and time left from the frames converted in this run.
func (t *tally) rate() {
	now, made := t.now(), t.current.frames-t.current.kept
	t.recent = append(t.recent, mark{now, made})
	for len(t.recent) > 2 && now.Sub(t.recent[1].at) >= rateWindow {
		t.recent = t.recent[1:]
	}
	first := t.recent[0]
	span := now.Sub(first.at).Seconds()
	if span < 0.5 || made <= first.frames {
		return
	}
	t.current.fps = float64(made-first.frames) / span
	t.current.left = time.Duration(float64(t.current.total-t.current.frames) / t.current.fps * float64(time.Second))
}
