package media

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
)

// planVersion is raised when a plan's meaning changes; a plan of another version is made again.
const planVersion = 1

// Plan says how a source is cut and timed. It is a pure function of the source and the options, so
// that making it twice gives the same bytes. Frames are those of the chosen part, numbered from 0.
type Plan struct {
	Version int    `json:"version"`
	Source  Source `json:"source"`
	Video   Video  `json:"video"`
	// TimeBase is the tick of Times, Origin and LastDuration: the source video's.
	TimeBase Rational `json:"time_base"`
	// Times holds the frames' presentation timestamps, as runs.
	Times Times `json:"times"`
	// LastDuration is how long the last frame stands, in ticks.
	LastDuration int64 `json:"last_duration"`
	// Origin is the timestamp that becomes 0 in the output, in ticks.
	Origin int64 `json:"origin"`
	// Partial is set when the plan holds a part of the source: sound is cut at Origin and End then.
	Partial bool `json:"partial,omitempty"`
	// Support is how many frames of lead-in and lead-out the engine may look at.
	Support  int       `json:"support"`
	Segments []Segment `json:"segments"`
	// Shift is added to a frame's time in milliseconds to give its timestamp in a copied segment
	// file, so that none is negative.
	Shift int64 `json:"shift,omitempty"`
	// Before is how many of the source's frames come before the plan's first.
	Before int `json:"before,omitempty"`
	// LosslessFirst is the number of the plan's first frame among the source's, by which lossless
	// segments are timed.
	LosslessFirst int `json:"lossless_first,omitempty"`
	// Packets counts the source's packets by stream index.
	Packets map[int]int `json:"packets"`
	// Lossless says why segments are re-encoded without loss; empty when they are stream copies.
	Lossless string   `json:"lossless,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	// table is where the packets lie in the source; nil in a plan that was read back.
	table *packetTable
}

// PlanOptions are the choices that shape a plan.
type PlanOptions struct {
	SegmentFrames int     // the largest number of frames of a segment
	Support       int     // frames of lead-in and lead-out
	Start         float64 // seconds from the source's origin
	Duration      float64 // seconds; 0 = to the end
	Lossless      bool    // never copy; the timeline must be one of ReadDecodedTimeline
}

// Frames returns how many frames the plan holds.
func (p *Plan) Frames() int { return p.Times.Len() }

// PTS returns every frame's presentation timestamp in ticks of TimeBase.
func (p *Plan) PTS() []int64 { return p.Times.All() }

// End returns the timestamp at which the last frame ends, in ticks of TimeBase.
func (p *Plan) End() int64 { return p.Times.At(p.Times.Len()-1) + p.LastDuration }

// Seconds returns how long the film is shown.
func (p *Plan) Seconds() float64 { return float64(p.End()-p.Times.At(0)) * p.TimeBase.Float() }

// Moment returns when frame i is shown in the output, in seconds; of the frame after the last one, when that ends.
func (p *Plan) Moment(i int) float64 {
	ticks := p.End()
	if i < p.Frames() {
		ticks = p.Times.At(i)
	}
	return float64(ticks-p.Origin) * p.TimeBase.Float()
}

// Lead returns how many of the frames before and after s's own the engine may look at.
func (p *Plan) Lead(s Segment) (in, out int) {
	return min(p.Support, s.First), min(p.Support, p.Frames()-s.First-s.Frames)
}

// NewPlan plans the segments of a source. It fails with an *Error when the chosen part holds no frame.
func NewPlan(src *Source, tl *Timeline, o PlanOptions) (*Plan, error) {
	if o.SegmentFrames < 1 || o.Support < 0 {
		return nil, fmt.Errorf("plan with segments of %d frames and %d frames of support", o.SegmentFrames, o.Support)
	}
	if len(tl.PTS) == 0 || len(tl.Order) != len(tl.PTS) || len(tl.Entries) == 0 {
		return nil, &Error{Reason: fmt.Sprintf("%s holds no frame that can be decoded", src.name())}
	}
	origin := src.origin()
	lo, hi, err := choose(src, tl.PTS, origin, o)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Version: planVersion, Source: *src, Video: src.Video, TimeBase: src.Video.TimeBase,
		Times: NewTimes(tl.PTS[lo:hi]), LastDuration: tl.LastDuration, Origin: origin,
		Partial: lo > 0 || hi < len(tl.PTS), Support: o.Support,
		Packets: tl.Packets, Lossless: tl.NotCopyable, Warnings: slices.Clone(src.Warnings), table: tl.table,
		Before: lo,
	}
	if lo > 0 {
		p.Origin = tl.PTS[lo]
	}
	if hi < len(tl.PTS) {
		p.LastDuration = tl.PTS[hi] - tl.PTS[hi-1]
	}
	p.Video.FrameRate = p.frameRate()
	p.Segments = segments(tl, lo, hi, o)
	if p.Lossless != "" {
		p.LosslessFirst = lo
	}
	if earliest := milliseconds(tl.PTS[0], p.TimeBase); earliest < leadingRoom {
		p.Shift = leadingRoom - earliest
	}
	if p.Lossless != "" {
		p.Warnings = append(p.Warnings, "the film is split by a lossless re-encode, which takes longer and changes no picture: "+p.Lossless)
	}
	return p, nil
}

// frameRate returns what the source says, or the average of the timestamps where it says nothing sensible.
func (p *Plan) frameRate() Rational {
	if p.Video.FrameRate.Num > 0 {
		return p.Video.FrameRate
	}
	ticks := float64(p.End() - p.Times.At(0))
	rate := float64(p.Frames()) / max(ticks*p.TimeBase.Float(), 1e-9)
	return Rational{Num: int64(math.Round(min(max(rate, 1), 240) * 1000)), Den: 1000}
}

// origin returns the timestamp that players show as 0, in ticks: MPEG streams have no zero of their
// own and begin anywhere, other containers begin at 0 even when the first frame comes later.
func (s *Source) origin() int64 {
	if s.Format != "mpegts" && s.Format != "mpeg" {
		return 0
	}
	return int64(math.Round(s.Start / s.Video.TimeBase.Float()))
}

// choose returns the frames [lo, hi) that start within the chosen seconds.
func choose(src *Source, pts []int64, origin int64, o PlanOptions) (lo, hi int, err error) {
	tick := src.Video.TimeBase.Float()
	after := func(seconds float64) int {
		return sort.Search(len(pts), func(i int) bool {
			// Half a tick of tolerance: seconds that people type rarely fall on a tick.
			return (float64(pts[i]-origin)+0.5)*tick >= seconds
		})
	}
	lo, hi = 0, len(pts)
	if o.Start > 0 {
		lo = after(o.Start)
	}
	if o.Duration > 0 {
		hi = after(o.Start + o.Duration)
	}
	if lo >= hi {
		return 0, 0, &Error{Reason: fmt.Sprintf("no frame of %s lies in the chosen part: it lasts %.3f seconds", src.name(), src.Duration)}
	}
	return lo, hi, nil
}

// segments cuts frames [lo, hi) of the timeline into pieces of nearly equal length.
func segments(tl *Timeline, lo, hi int, o PlanOptions) []Segment {
	frames := hi - lo
	n := (frames + o.SegmentFrames - 1) / o.SegmentFrames
	list := make([]Segment, 0, n)
	for i := range n {
		first, end := i*frames/n, (i+1)*frames/n
		s := Segment{Index: i, First: first, Frames: end - first}
		place(&s, tl, lo+max(0, first-o.Support), lo+min(frames, end+o.Support), lo)
		list = append(list, s)
	}
	return list
}

// place finds the packets that let a decoder recover frames [from, to) of the timeline, from the last entry at or before.
func place(s *Segment, tl *Timeline, from, to, lo int) {
	i := sort.Search(len(tl.Entries), func(i int) bool { return tl.Entries[i].Frame > from }) - 1
	e := tl.Entries[max(i, 0)]
	last := int32(e.Packet)
	for _, position := range tl.Order[e.Frame:to] {
		last = max(last, position)
	}
	s.FileFirst, s.FileFrames, s.FileStart = e.Frame-lo, to-e.Frame, tl.PTS[e.Frame]
	s.PacketFirst, s.Packets = e.Packet, int(last)-e.Packet+1
}

// leadingRoom is the smallest timestamp of a frame in a segment file, in milliseconds. Frames that an
// edit list hides before it must not fall below zero either.
const leadingRoom = 600_000

// milliseconds rounds ticks of a time base as FFmpeg's Matroska muxer does: to nearest, halves away from zero.
func milliseconds(ticks int64, base Rational) int64 {
	return rescale(ticks, base.Num*1000, base.Den)
}

// EncodePlan returns the plan's canonical bytes.
func EncodePlan(p *Plan) ([]byte, error) { return json.Marshal(p) }

// DecodePlan reads a plan back and checks that it is one that Split and reassembly can follow.
func DecodePlan(data []byte) (*Plan, error) {
	p := new(Plan)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("plan is damaged: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("plan is damaged: %w", err)
	}
	return p, nil
}

// maxPlanFrames bounds what a damaged plan can make us allocate: 30 days at 60 frames per second are less.
const maxPlanFrames = 200_000_000

func (p *Plan) check() error {
	if p.Version != planVersion {
		return fmt.Errorf("version %d, want %d", p.Version, planVersion)
	}
	if p.TimeBase.Num <= 0 || p.TimeBase.Den <= 0 {
		return fmt.Errorf("time base %v", p.TimeBase)
	}
	if err := p.Times.check(); err != nil {
		return err
	}
	if p.Support < 0 || len(p.Segments) == 0 {
		return fmt.Errorf("%d segments with %d frames of support", len(p.Segments), p.Support)
	}
	next := 0
	for i, s := range p.Segments {
		if s.Index != i || s.First != next || s.Frames < 1 || s.Frames > p.Frames()-next || !s.covers(p) {
			return fmt.Errorf("segment %d of %d doesn't fit", i, len(p.Segments))
		}
		next += s.Frames
	}
	if next != p.Frames() {
		return fmt.Errorf("segments hold %d of %d frames", next, p.Frames())
	}
	return nil
}

// covers reports whether the segment's file holds its own frames and their lead.
func (s Segment) covers(p *Plan) bool {
	in, out := p.Lead(s)
	return s.FileFirst >= -maxPlanFrames && s.FileFirst <= s.First-in &&
		s.FileFrames >= 0 && s.FileFrames <= 2*maxPlanFrames && s.FileFirst+s.FileFrames == s.First+s.Frames+out &&
		s.PacketFirst >= 0 && s.PacketFirst <= maxPlanFrames && s.Packets >= 1 && s.Packets <= maxPlanFrames
}
