package report

import (
	"encoding/json"
	"math"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo"
)

// Guides are what counts as comfortable where a job sets no limits, in percent of the width, for a film that is shown on
// screens of any size.
const (
	GuideNear = 1.0 // in front of the screen
	GuideFar  = 2.0 // behind it
	// flatShare is the share of a job's divergence below which the parallax of a frame's points differs too little to be seen:
	// half a pixel of 1080p at most, for the usual two percent.
	flatShare = 0.01
	// leastDivergence is, in percent, below which figures, which are rounded to thousandths, don't tell depth from none.
	leastDivergence = 0.1
	// cutTolerance is by how much a near thing may be cut by the frame's border before that counts as a violation.
	cutTolerance = 0.1
)

// maxColumns is the number of columns that a film's histogram has at most.
const maxColumns = 960

// Report is what one job made. Parallax is in percent of max(width, height), positive in front of the screen.
type Report struct {
	Frames  int     `json:"frames"`
	Seconds float64 `json:"seconds"`
	// Missing are the segments whose figures are not there; everything else is about the other ones' frames.
	Missing  []int             `json:"missing_segments,omitempty"`
	Stereo   job.StereoOptions `json:"stereo"`
	Parallax Spread            `json:"parallax"`
	Flat     int               `json:"flat_frames"` // whose points all have the same parallax
	Comfort  Comfort           `json:"comfort"`
	Scenes   []Scene           `json:"scenes"`
	// From and To are the range of the columns' histograms, of stereo.FigureBins bins.
	From    float64  `json:"histogram_from"`
	To      float64  `json:"histogram_to"`
	Columns []Column `json:"columns"`
}

// Spread says how parallax is spread over points and frames.
type Spread struct {
	Least  float64 `json:"min"`
	Low    float64 `json:"p1"`
	Median float64 `json:"p50"`
	High   float64 `json:"p99"`
	Most   float64 `json:"max"`
}

// Comfort counts the frames that strain the eyes.
type Comfort struct {
	Near float64 `json:"near_limit"` // what is held against: the job's own limits, or the guides
	Far  float64 `json:"far_limit"`
	// OverNear and OverFar are the shares of frames of whose points more than a hundredth would lie beyond a limit. Where
	// the limit is the job's own, they were held back.
	OverNear float64 `json:"frames_over_near"`
	OverFar  float64 `json:"frames_over_far"`
	Held     bool    `json:"held"` // the job has limits, or one
	// Violations is the share of frames whose left or right border cuts something in front of the window.
	Violations float64 `json:"window_violations"`
}

// Column is a part of the film: some frames in a row.
type Column struct {
	First  int `json:"first"`
	Frames int `json:"frames"`
	Known  int `json:"known"` // frames whose figures are there; without any the rest is 0
	Spread
	Convergence float64                `json:"convergence"`
	Violations  int                    `json:"window_violations"` // frames
	Histogram   [stereo.FigureBins]int `json:"histogram"`         // thousandths, mean of the frames
}

// Builder puts a report together, segment by segment.
type Builder struct {
	report Report
	times  func(frame int) float64
	sums   []columnSum
	cuts   []int // frames
	known  int
	over   [3]int // frames over near, over far, with a violation
}

type columnSum struct {
	histogram                             [stereo.FigureBins]int
	least, low, median, high, most, plane float64
}

// NewBuilder begins the report of a film of so many frames. times gives the moment of a frame in the result, and that
// of its end for the number of frames, in seconds.
func NewBuilder(frames int, times func(frame int) float64, o job.StereoOptions) *Builder {
	n := min(frames, maxColumns)
	b := &Builder{times: times, sums: make([]columnSum, n)}
	b.report = Report{Frames: frames, Seconds: milli(times(frames)), Stereo: o, Columns: make([]Column, n)}
	b.report.Comfort = Comfort{Near: orGuide(o.MaxNear, GuideNear), Far: orGuide(o.MaxFar, GuideFar), Held: o.MaxNear > 0 || o.MaxFar > 0}
	for i := range frames {
		c := &b.report.Columns[i*n/frames]
		if c.Frames == 0 {
			c.First = i
		}
		c.Frames++
	}
	return b
}

func orGuide(limit, guide float64) float64 {
	if limit > 0 {
		return limit
	}
	return guide
}

// Missing says that a segment's figures are not there.
func (b *Builder) Missing(index int) { b.report.Missing = append(b.report.Missing, index) }

// Add takes the figures of the frames from number first on. Frames beyond the film's end don't count.
func (b *Builder) Add(first int, s Segment) {
	r := &b.report
	r.From, r.To = s.From, s.To
	for i, f := range s.Frames {
		if first+i >= r.Frames {
			return
		}
		if f.Cut && first+i > 0 {
			b.cuts = append(b.cuts, first+i)
		}
		b.frame((first+i)*len(r.Columns)/r.Frames, f)
	}
}

func (b *Builder) frame(column int, f stereo.Figures) {
	c, sum := &b.report.Columns[column], &b.sums[column]
	if c.Known == 0 {
		sum.least, sum.most = f.Least, f.Most
	}
	c.Known++
	b.known++
	sum.least, sum.most = min(sum.least, f.Least), max(sum.most, f.Most)
	sum.low, sum.median, sum.high = sum.low+f.Low, sum.median+f.Median, sum.high+f.High
	sum.plane += f.Convergence
	for i, n := range f.Histogram {
		sum.histogram[i] += n
	}
	limits := b.report.Comfort
	if b.flat(f) {
		b.report.Flat++
	}
	for i, over := range []bool{f.AskedHigh > limits.Near, f.AskedLow < -limits.Far, violates(f)} {
		if over {
			b.over[i]++
		}
	}
	if violates(f) {
		c.Violations++
	}
}

// flat reports that all points of a frame have the same parallax, and would have it without limits.
func (b *Builder) flat(f stereo.Figures) bool {
	seen := flatShare * b.report.Stereo.Divergence
	return f.Most-f.Least < seen && f.AskedHigh-f.AskedLow < seen
}

// violates reports that a border cuts something in front of the window.
func violates(f stereo.Figures) bool {
	return f.LeftCut-f.LeftWindow > cutTolerance || f.RightCut-f.RightWindow > cutTolerance
}

// Report returns the whole.
func (b *Builder) Report() *Report {
	r := &b.report
	for i := range r.Columns {
		r.Columns[i].finish(&b.sums[i])
	}
	n := float64(max(b.known, 1))
	r.Comfort.OverNear, r.Comfort.OverFar, r.Comfort.Violations = share(b.over[0], n), share(b.over[1], n), share(b.over[2], n)
	r.Parallax = r.spread()
	r.Scenes = Scenes(b.cuts, r.Frames, b.times)
	return r
}

func share(count int, of float64) float64 { return math.Round(10000*float64(count)/of) / 10000 }

// milli rounds to thousandths.
func milli(v float64) float64 { return math.Round(1000*v) / 1000 }

func (c *Column) finish(s *columnSum) {
	if c.Known == 0 {
		return
	}
	n := float64(c.Known)
	c.Spread = Spread{Least: s.least, Low: milli(s.low / n), Median: milli(s.median / n), High: milli(s.high / n), Most: s.most}
	c.Convergence = milli(s.plane / n)
	for i, v := range s.histogram {
		c.Histogram[i] = (v + c.Known/2) / c.Known
	}
}

// spread sums up the columns. Percentiles are as fine as the histogram's bins.
func (r *Report) spread() Spread {
	var counts [stereo.FigureBins]float64
	total, s := 0.0, Spread{Least: math.Inf(1), Most: math.Inf(-1)}
	for _, c := range r.Columns {
		if c.Known == 0 {
			continue
		}
		s.Least, s.Most = min(s.Least, c.Least), max(s.Most, c.Most)
		for i, n := range c.Histogram {
			counts[i] += float64(n * c.Known)
			total += float64(n * c.Known)
		}
	}
	if total == 0 {
		return Spread{}
	}
	at := func(q float64) float64 {
		seen := 0.0
		for i, n := range counts {
			if seen+n >= q*total && n > 0 {
				part := (float64(i) + (q*total-seen)/n) / stereo.FigureBins
				return milli(min(max(r.From+(r.To-r.From)*part, s.Least), s.Most))
			}
			seen += n
		}
		return s.Most
	}
	s.Low, s.Median, s.High = at(0.01), at(0.5), at(0.99)
	return s
}

// Depthless reports that the job asks for depth and every single frame is known to be flat. Titles and dark frames are flat
// in good films, too; a whole film is only where its depth was never seen.
func (r *Report) Depthless() bool {
	return r.Frames > 0 && r.Flat == r.Frames && r.Stereo.Divergence >= leastDivergence
}

// Encode returns the report as JSON.
func (r *Report) Encode() ([]byte, error) { return json.Marshal(r) }

// Parse is the inverse of Encode.
func Parse(text []byte) (*Report, error) {
	r := &Report{}
	return r, json.Unmarshal(text, r)
}
