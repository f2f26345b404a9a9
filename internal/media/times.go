package media

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"sort"
)

// Times is a list of timestamps kept as runs of equal distances, so that a film with a constant frame rate is one run.
type Times struct {
	runs  []timeRun
	count int
}

// timeRun is count timestamps: first, first+step, first+2·step, …
type timeRun struct {
	first, step int64
	at, count   int // index of the first one; how many
}

// NewTimes packs timestamps.
func NewTimes(pts []int64) Times {
	t := Times{count: len(pts)}
	for i := 0; i < len(pts); {
		r := timeRun{first: pts[i], at: i, count: 1}
		if i+1 < len(pts) {
			r.step = pts[i+1] - pts[i]
			for i+r.count < len(pts) && pts[i+r.count] == r.first+int64(r.count)*r.step {
				r.count++
			}
		}
		t.runs = append(t.runs, r)
		i += r.count
	}
	return t
}

// Len returns the number of timestamps.
func (t Times) Len() int { return t.count }

// At returns timestamp i in [0, Len()).
func (t Times) At(i int) int64 {
	n := sort.Search(len(t.runs), func(n int) bool { return t.runs[n].at > i }) - 1
	r := t.runs[n]
	return r.first + int64(i-r.at)*r.step
}

// All returns every timestamp.
func (t Times) All() []int64 {
	pts := make([]int64, 0, t.count)
	for _, r := range t.runs {
		for k := range r.count {
			pts = append(pts, r.first+int64(k)*r.step)
		}
	}
	return pts
}

// check reports whether the timestamps rise and stay within bounds that no sum overflows.
func (t Times) check() error {
	if t.count < 1 {
		return fmt.Errorf("no timestamps")
	}
	const bound = math.MaxInt64 / 4
	last := int64(-bound)
	for _, r := range t.runs {
		if r.first <= last || r.first > bound || r.step < 0 || r.count > 1 && (r.step == 0 || r.step > (bound-max(r.first, 0))/int64(r.count)) {
			return fmt.Errorf("timestamps don't rise")
		}
		last = r.first + int64(r.count-1)*r.step
	}
	return nil
}

// MarshalJSON writes the runs as one flat list: the distance from the end of the run before, the step
// within the run, the count, and so on.
func (t Times) MarshalJSON() ([]byte, error) {
	flat := make([]int64, 0, 3*len(t.runs))
	var last int64
	for _, r := range t.runs {
		flat = append(flat, r.first-last, r.step, int64(r.count))
		last = r.first + int64(r.count-1)*r.step
	}
	return json.Marshal(flat)
}

// UnmarshalJSON reads what MarshalJSON writes and refuses what can't be timestamps.
func (t *Times) UnmarshalJSON(data []byte) error {
	var flat []int64
	if err := json.Unmarshal(data, &flat); err != nil {
		return err
	}
	if len(flat)%3 != 0 {
		return fmt.Errorf("timestamps: %d numbers are not triples", len(flat))
	}
	*t = Times{}
	var last int64
	const bound = math.MaxInt64 / 4
	for i := 0; i < len(flat); i += 3 {
		gap, step, count := flat[i], flat[i+1], flat[i+2]
		if count < 1 || count > int64(maxPlanFrames-t.count) || gap < -bound || gap > bound || step < 0 || step > bound/count {
			return fmt.Errorf("timestamps: run %d is out of range", i/3)
		}
		r := timeRun{first: last + gap, step: step, at: t.count, count: int(count)}
		t.runs = append(t.runs, r)
		t.count += r.count
		last = r.first + (count-1)*step
		if last < -bound || last > bound {
			return fmt.Errorf("timestamps: run %d is out of range", i/3)
		}
	}
	return nil
}

// rescale returns a·b/c, rounded to nearest with halves away from zero, as FFmpeg's av_rescale_q
// does; b and c are positive. It saturates instead of overflowing.
func rescale(a, b, c int64) int64 {
	if a < 0 {
		if a == math.MinInt64 {
			a++
		}
		return -rescale(-a, b, c)
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(c)/2, 0)
	hi += carry
	if hi >= uint64(c) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, math.MaxInt64))
}

// Constant reports whether all frames are equally far apart, to a tick: clocks that don't divide the frame rate
// alternate between two distances.
func (t Times) Constant() bool {
	var lo, hi int64 = math.MaxInt64, 0
	for i, r := range t.runs {
		if r.count > 1 {
			lo, hi = min(lo, r.step), max(hi, r.step)
		}
		if i > 0 {
			before := t.runs[i-1]
			gap := r.first - (before.first + int64(before.count-1)*before.step)
			lo, hi = min(lo, gap), max(hi, gap)
		}
	}
	return hi <= lo+1 || t.count < 2
}
