package stereo

import "math"

// Positions and disparities along a row are fixed point with 8 fractional bits: 1/256 pixel.
const (
	fixBits = 8
	fixOne  = 1 << fixBits
)

// depthSteps is the number of depth levels that disparity tells apart.
const depthSteps = 4096

// Setting is what of the disparity may change from frame to frame.
type Setting struct {
	// Convergence is the depth in [0, 1], bent, that lies in the screen plane.
	Convergence float64
	// Left and Right say how far in front of the screen the window's edges stand: their total disparity, at least 0,
	// in percent of max(width, height).
	Left, Right float64
}

// shifts turns depth into the shift of one view, and keeps it from tearing the frame's border.
type shifts struct {
	cfg   Config
	unit  float64             // pixels of one percent
	share float64             // of the total disparity that one view has
	bent  [depthSteps]float64 // bend of each depth level
	now   Setting
	// byDepth is the shift of each depth level, in 1/256 pixel: the left view adds it, the right view
	// takes it away.
	byDepth     [depthSteps]int32
	left, right border
}

// border is how shifts go over into that of the window's edge.
type border struct {
	window int32 // the edge's shift, in 1/256 pixel
	// ramp holds the weights, in 1/32768, of the columns from the border inwards, growing from 0.
	ramp []int32
}

// rampSlope is the width of the border's ramp in units of the largest shift. Three stretches the
// picture by at most a third there, and no point leaves the frame further than the window's edge does.
const rampSlope = 3

func newShifts(c *Config, w, h int) *shifts {
	s := &shifts{cfg: *c, unit: float64(max(w, h)) / 100, share: 0.5}
	if c.RightOnly {
		s.share = 1
	}
	for i := range s.bent {
		s.bent[i] = bend(float64(i)/(depthSteps-1), c.ForegroundScale)
	}
	s.left.ramp, s.right.ramp = make([]int32, 0, (w+1)/2), make([]int32, 0, w/2)
	s.now.Convergence = math.NaN() // unlike any
	s.set(Setting{Convergence: c.Convergence})
	return s
}

// set makes the tables anew, without allocating, if now they are of another setting.
func (s *shifts) set(now Setting) {
	if s.now == now {
		return
	}
	s.now, s.cfg.Convergence = now, now.Convergence
	for i, b := range s.bent {
		s.byDepth[i] = int32(math.Round(s.shift(s.cfg.Parallax(b)) * fixOne))
	}
	far, near := s.shift(s.cfg.Parallax(0)), s.shift(s.cfg.Parallax(1))
	s.left.set(s.shift(now.Left), far, near)
	s.right.set(s.shift(now.Right), far, near)
}

// shift returns the pixels by which one view moves what has the given parallax in percent.
func (s *shifts) shift(percent float64) float64 { return s.share * s.unit * percent }

// set makes the ramp between a window's edge and shifts from far to near, in pixels.
func (b *border) set(window, far, near float64) {
	width := int(math.Ceil(rampSlope * max(math.Abs(far-window), math.Abs(near-window))))
	b.window = int32(math.Round(window * fixOne))
	b.ramp = b.ramp[:min(width, cap(b.ramp))]
	for i := range b.ramp {
		b.ramp[i] = int32(float64(i) / float64(width) * (1 << 15))
	}
}

// margin returns the pixels by which a view may reach beyond the frame.
func (s *shifts) margin() int {
	if !s.cfg.FloatingWindow {
		return 0
	}
	return int(math.Ceil(s.shift(s.cfg.Divergence))) + 1
}

// atBorder scales the shifts of a row down to those of the window's edges towards both ends.
func (s *shifts) atBorder(row []int32) {
	window := s.left.window
	for i, k := range s.left.ramp {
		row[i] = window + scaleDown(row[i]-window, k)
	}
	last := len(row) - 1
	window = s.right.window
	for i, k := range s.right.ramp {
		row[last-i] = window + scaleDown(row[last-i]-window, k)
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

// widen lets near surfaces reach a few pixels further over their far neighbours at a cliff of shifts, from row
// to out: the shifts themselves, or what grows with them. The pixels there mix the colours of both; carried with
// the near surface they remain its soft edge, left behind they would be a ghost of the outline.
func widen(out, row, shifts []int32, reach int) {
	out, shifts = out[:len(row)], shifts[:len(row)]
	copy(out, row)
	for x := 1; x < len(row); x++ {
		d := shifts[x] - shifts[x-1]
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
