package depth

import (
	"context"
	"math"
)

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

// Interruptible is a Net whose runs can be cut off.
type Interruptible interface {
	Net
	// Until returns the network with runs that fail soon after ctx has ended, with its cause.
	Until(ctx context.Context) Net
}

// Until returns net with runs that end with ctx, if they can.
func Until(ctx context.Context, net Net) Net {
	if n, ok := net.(Interruptible); ok {
		return n.Until(ctx)
	}
	return net
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
	// FixedW and FixedH are the one size that every picture has, because the network takes no other or was made with none; 0
	// otherwise.
	FixedW, FixedH int
	Mean, Std      [3]float32 // of red, green and blue in [0, 1]
	// Metric says that the output is distance, in metres or in a unit of the network's own: larger = farther. Otherwise
	// larger = nearer.
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

// leastDistance is how near, in metres, the nearest point of a network of distances counts: its inverse must not run away.
// Where half of a map is nearer than a metre (a close-up, or distances that have no unit, as Depth Anything 3's) the map's
// median is the metre, so that no unit flattens a scene.
const leastDistance = 1e-2

// greatest bounds what a network says, so that sums over a window of frames stay finite.
const greatest = 1e30

// nearness turns a network's output into relative inverse depth, in place. NaN, which a half-precision network may give, is
// as far as can be. An infinity is the nearest or the farthest of the map's other values: as a value of its own it would
// leave those no range.
func (s Spec) nearness(lent *scratch, m Map) {
	farthest, lo, hi := float32(0), float32(-greatest), float32(greatest)
	if s.Metric {
		farthest = greatest
	} else {
		lo, hi = extremes(m.D)
	}
	for i, v := range m.D {
		if v != v {
			m.D[i] = farthest
		} else {
			m.D[i] = min(max(v, lo), hi)
		}
	}
	if s.Metric {
		invert(m.D, floorOf(lent, m.D))
	}
}

// extremes returns the smallest and the largest of the values within greatest; zeros where there are none.
func extremes(values []float32) (lo, hi float32) {
	lo, hi = greatest, -greatest
	for _, v := range values {
		if v >= -greatest && v <= greatest {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if lo > hi {
		return 0, 0
	}
	return lo, hi
}

// floorOf returns the distance at which nearer points count; see leastDistance.
func floorOf(lent *scratch, distances []float32) float32 {
	median, _ := percentiles(lent, distances, 0.5, 0.5)
	if median <= 0 { // nothing to go by
		return leastDistance
	}
	return max(leastDistance*min(median, 1), 1/greatest)
}

func invert(distances []float32, floor float32) {
	for i, v := range distances {
		distances[i] = 1 / max(v, floor)
	}
}
