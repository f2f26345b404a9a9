package stereo

import "math"

// Positions and disparities along a row are fixed point with 8 fractional bits: 1/256 pixel.
const (
	fixBits = 8
	fixOne  = 1 << fixBits
)

// depthSteps is the number of depth levels that disparity tells apart.
const depthSteps = 4096

// shifts turns depth into the shift of one view, and keeps it from tearing the frame's border.
type shifts struct {
	// byDepth is the shift of each depth level, in 1/256 pixel: the left view adds it, the right view
	// takes it away.
	byDepth [depthSteps]int32
	// ramp holds the weights, in 1/32768, of the columns from the border inwards, growing from 0.
	ramp []int32
}

// rampSlope is the width of the border's ramp in units of the largest shift. Three stretches the
// picture by at most a third there, and no point leaves the frame.
const rampSlope = 3

func newShifts(c *Config, w, h int) *shifts {
	s := &shifts{}
	share := 0.5 // of the total disparity
	if c.RightOnly {
		share = 1
	}
	largest := 0.0
	for i := range s.byDepth {
		v := share * c.Disparity(float64(i)/(depthSteps-1), w, h)
		s.byDepth[i] = int32(math.Round(v * fixOne))
		largest = max(largest, math.Abs(v))
	}
	width := int(math.Ceil(rampSlope * largest))
	s.ramp = make([]int32, min(width, (w+1)/2))
	for i := range s.ramp {
		s.ramp[i] = int32(float64(i) / float64(width) * (1 << 15))
	}
	return s
}

// atBorder scales the shifts of a row down to zero towards both ends.
func (s *shifts) atBorder(row []int32) {
	last := len(row) - 1
	for i, k := range s.ramp {
		row[i] = scaleDown(row[i], k)
		if j := last - i; j != i {
			row[j] = scaleDown(row[j], k)
		}
	}
}

// scaleDown multiplies by k/32768, towards zero.
func scaleDown(v, k int32) int32 { return int32(int64(v) * int64(k) / (1 << 15)) }

// depthStep is the nearest level of a depth times depthSteps-1; NaN counts as far.
func depthStep(v float32) int32 {
	if v >= depthSteps-1 {
		return depthSteps - 1
	}
	if v > 0 {
		return int32(v + 0.5)
	}
	return 0
}

// cliff is the difference between neighbours' shifts, in 1/256 pixel, above which they belong to
// different surfaces; below it the surface between them is stretched or squeezed.
const cliff = fixOne

// widen lets near surfaces reach a few pixels further over their far neighbours at a cliff, from row
// to out. The pixels there mix the colours of both; carried with the near surface they remain its soft
// edge, left behind they would be a ghost of the outline.
func widen(out, row []int32, reach int) {
	out = out[:len(row)]
	copy(out, row)
	for x := 1; x < len(row); x++ {
		d := row[x] - row[x-1]
		if uint32(d+cliff) <= 2*cliff {
			continue
		}
		if d > 0 {
			for i := max(x-reach, 0); i < x; i++ {
				out[i] = max(out[i], row[x])
			}
		} else {
			for i := x; i < min(x+reach, len(row)); i++ {
				out[i] = max(out[i], row[x-1])
			}
		}
	}
}
