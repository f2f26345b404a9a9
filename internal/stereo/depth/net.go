package depth

import "math"

// Net is a neural network that says of single pictures how near each point is. It may be used by several goroutines.
type Net interface {
	// Spec says what the network wants and means.
	Spec() Spec
	// Batch is how many pictures are best given at once.
	Batch() int
	// Infer returns the network's output for each picture, in order. All pictures have one size. The values are the
	// network's own: see Spec.Metric.
	Infer(pictures []Input) ([]Map, error)
}

// Input is a picture as a network is to see it.
type Input struct {
	*Picture
	Mirrored bool // left and right changed; the output is mirrored too
}

// Spec is what a network wants and means. It has the meaning of the fields of a DPTImageProcessor's configuration in
// the transformers library.
type Spec struct {
	Side     int // of the picture, in pixels: the shorter one, where the picture isn't smaller than that
	Multiple int // sides are multiples of it
	// FixedW and FixedH are the network's own size, where it takes no other; 0 otherwise.
	FixedW, FixedH int
	Mean, Std      [3]float32 // of red, green and blue in [0, 1]
	// Metric says that the output is distance: larger = farther. Otherwise larger = nearer.
	Metric bool
}

// longest bounds the longer side of a picture, in shorter ones.
const longest = 4

// Size returns the picture size for frames of w×h pixels: the aspect is kept as far as multiples allow, by the factor
// that changes the frame the least, as the reference does.
func (s Spec) Size(w, h int) (pw, ph int) {
	scale := float64(s.Side) / float64(h)
	if other := float64(s.Side) / float64(w); math.Abs(1-other) < math.Abs(1-scale) {
		scale = other
	}
	side := func(n int) int {
		units := math.RoundToEven(scale * float64(n) / float64(s.Multiple)) // as Python's round
		return min(max(int(units), 1), longest*s.Side/s.Multiple) * s.Multiple
	}
	pw, ph = side(w), side(h)
	if s.FixedW > 0 {
		pw = s.FixedW
	}
	if s.FixedH > 0 {
		ph = s.FixedH
	}
	return pw, ph
}

// Tensor writes the picture as the network's input: three planes of red, green and blue, normalised by mean and
// deviation. dst has 3·W·H values.
func (s Spec) Tensor(dst []float32, p Input) {
	n := p.W * p.H
	red, green, blue := dst[:n], dst[n:2*n], dst[2*n:3*n]
	kr, kb := p.Weights.R, p.Weights.B
	kg := 1 - kr - kb
	var scale [3]float32
	for i := range scale {
		scale[i] = 1 / s.Std[i]
	}
	for i, y := range p.Y {
		r := y + 2*(1-kr)*(p.Cr[i]-0.5)
		b := y + 2*(1-kb)*(p.Cb[i]-0.5)
		g := (y - kr*r - kb*b) / kg
		to := i
		if p.Mirrored {
			x := i % p.W
			to += p.W - 1 - 2*x
		}
		red[to] = (min(max(r, 0), 1) - s.Mean[0]) * scale[0]
		green[to] = (min(max(g, 0), 1) - s.Mean[1]) * scale[1]
		blue[to] = (min(max(b, 0), 1) - s.Mean[2]) * scale[2]
	}
}

// leastDistance bounds what a metric network calls near, in its own unit (metres): its inverse must not run away.
const leastDistance = 1e-2

// nearness turns a network's output into relative inverse depth, in place.
func (s Spec) nearness(m Map) {
	for i, v := range m.D {
		if v != v { // NaN, which a half-precision network may give: as far as can be
			v = float32(math.Inf(1))
			if !s.Metric {
				v = 0
			}
		}
		if s.Metric {
			v = 1 / max(v, leastDistance)
		}
		m.D[i] = min(max(v, -math.MaxFloat32), math.MaxFloat32)
	}
}
