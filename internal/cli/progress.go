package cli

import (
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/pipeline"
)

// measure is what a snapshot counts.
type measure int

const (
	inFrames measure = iota
	inBytes          // transfers
)

// snapshot is where a conversion, or a transfer, stands. Frames are bytes where it counts those.
type snapshot struct {
	stage    pipeline.Stage
	measure  measure
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
	speed   speed       // of frames converted in this run
}

func newTally(now func() time.Time) *tally { return &tally{now: now, under: map[int]int{}} }

// add takes one event in and returns where things stand.
func (t *tally) add(e pipeline.Event) snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Plan != nil {
		t.current.total, t.current.segments = e.Plan.Frames(), len(e.Plan.Segments)
	}
	if e.Stage == pipeline.Splitting && e.Plan != nil { // also when everything starts again
		t.done, t.current.kept, t.speed = 0, 0, speed{}
		clear(t.under)
	}
	if late := e.Stage == pipeline.Splitting && e.Plan == nil && t.current.stage == pipeline.Converting; !late {
		t.current.stage = e.Stage // segments are converted while later ones are written
	}
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
	if e.Frames > 0 { // what comes before a segment's first frame says nothing of the speed
		t.rate()
	}
}

// rate derives speed and time left from the frames converted in this run.
func (t *tally) rate() {
	if fps, known := t.speed.at(t.now(), t.current.frames-t.current.kept); known {
		t.current.fps = fps
		t.current.left = timeLeft(t.current.total-t.current.frames, fps)
	}
}

func timeLeft(amount int, perSecond float64) time.Duration {
	return time.Duration(float64(amount) / perSecond * float64(time.Second))
}

// speed measures how fast an amount grows. The zero value is ready.
type speed struct {
	recent []mark // over the last rateWindow, oldest first
}

type mark struct {
	at     time.Time
	amount int
}

// rateWindow is how far back the speed looks: long enough to be steady, short enough to follow a change.
const rateWindow = 15 * time.Second

// at takes the amount reached now and returns the growth per second, once it can be told.
func (s *speed) at(now time.Time, amount int) (perSecond float64, known bool) {
	s.recent = append(s.recent, mark{now, amount})
	for len(s.recent) > 2 && now.Sub(s.recent[1].at) >= rateWindow {
		s.recent = s.recent[1:]
	}
	first := s.recent[0]
	span := now.Sub(first.at).Seconds()
	if span < 0.5 || amount <= first.amount {
		return 0, false
	}
	return float64(amount-first.amount) / span, true
}
