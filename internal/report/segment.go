// Package report says how deep a converted film is and how comfortable to watch: every converted segment carries the
// figures of its frames, and a job's report puts them together.
package report

import (
	"encoding/json"
	"fmt"

	"github.com/stereospot/stereospot/internal/stereo"
)

// Segment holds the figures of a converted segment's frames.
type Segment struct {
	Request string `json:"request"` // the hash of the request that the segment answers
	// From and To are the range of the frames' histograms, in percent.
	From   float64          `json:"from"`
	To     float64          `json:"to"`
	Frames []stereo.Figures `json:"frames"`
}

// SegmentBox names the box of a converted segment's file that holds its figures, encoded.
const SegmentBox = "stereospotfigure"

// MaxSegmentBytes bounds a segment's encoded figures: about 400 bytes for each of a million frames.
const MaxSegmentBytes = 512 << 20

// Encode returns the segment's figures as they are stored.
func (s Segment) Encode() ([]byte, error) { return json.Marshal(s) }

// ParseSegment is the inverse of Encode. It refuses figures that can't be.
func ParseSegment(text []byte) (Segment, error) {
	var s Segment
	if err := json.Unmarshal(text, &s); err != nil {
		return Segment{}, err
	}
	if !(s.From <= s.To) {
		return Segment{}, fmt.Errorf("its histograms go from %v to %v", s.From, s.To)
	}
	for i, f := range s.Frames {
		for _, n := range f.Histogram {
			if n < 0 || n > 1000 {
				return Segment{}, fmt.Errorf("frame %d has %d thousandths of one parallax", i, n)
			}
		}
	}
	return s, nil
}
