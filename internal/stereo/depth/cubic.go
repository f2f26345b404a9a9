package depth

import (
	"math"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// cubic reduces planes as the networks' own image processors do: by a cubic (R. Keys, "Cubic convolution interpolation
// for digital image processing", 1981, with a = -1/2) that is widened by the reduction, so that nothing aliases.
// Nothing is rounded to eight bits on the way. Chroma is sampled where luma is, from its own plane.
type cubic struct {
	w, h         int // of the picture
	luma, chroma [2]taps
	rows         []float32 // the plane after its rows are reduced
}

// taps are the weights of the samples that make each place of a line, n a place.
type taps struct {
	n       int
	first   []int32   // by place: the first sample
	weights []float32 // by place and sample, sum 1
}

func newCubic(w, h int, s Sampling, c Coding) *cubic {
	half := func(sited bool) float64 {
		if sited {
			return 0.5 // the sample's middle lies half a chroma sample after its left edge, on a luma sample's middle
		}
		return 0
	}
	// A luma place p (pixels from the left edge) is place p/2 + shift of chroma.
	across, down := half(c.ChromaLeft)/2, half(c.ChromaTop)/2
	cw, ch := (w+1)/2, (h+1)/2
	return &cubic{
		w: s.W, h: s.H,
		luma:   [2]taps{newTaps(w, s.W, float64(w)/float64(s.W), 0), newTaps(h, s.H, float64(h)/float64(s.H), 0)},
		chroma: [2]taps{newTaps(cw, s.W, float64(w)/float64(s.W)/2, across), newTaps(ch, s.H, float64(h)/float64(s.H)/2, down)},
	}
}

// newTaps returns the weights that make places of n samples, each scale samples wide, moved by shift samples.
func newTaps(n, places int, scale, shift float64) taps {
	width := max(scale, 1)
	reach := 2 * width
	t := taps{n: min(n, int(math.Ceil(reach))*2+1), first: make([]int32, places)}
	t.weights = make([]float32, places*t.n)
	for i := range places {
		middle := (float64(i)+0.5)*scale + shift
		from := min(max(int(middle-reach+0.5), 0), n-1)
		to := max(min(int(middle+reach+0.5), n), from+1)
		from = min(from, n-t.n)
		t.first[i] = int32(from)
		line := make([]float64, t.n)
		var sum float64
		for k := range line {
			if from+k < to {
				line[k] = keys((float64(from+k) - middle + 0.5) / width)
				sum += line[k]
			}
		}
		for k, v := range line {
			t.weights[i*t.n+k] = float32(v / sum)
		}
	}
	return t
}

// keys is the cubic at a distance of x samples.
func keys(x float64) float64 {
	const a = -0.5
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// resample writes the plane's picture, clamped to [0, 1].
func resample[T yuv.Sample](c *cubic, p *yuv.Plane[T], dst []float32, by [2]taps, to plane) {
	if len(c.rows) < p.H*c.w {
		c.rows = make([]float32, p.H*c.w)
	}
	across, down := by[0], by[1]
	for y := range p.H {
		reduceRow(p.Row(y), c.rows[y*c.w:(y+1)*c.w], across)
	}
	for y := range c.h {
		out := dst[y*c.w : (y+1)*c.w]
		clear(out)
		for k, weight := range down.weights[y*down.n : (y+1)*down.n] {
			if weight == 0 {
				continue
			}
			for x, v := range c.rows[(int(down.first[y])+k)*c.w:][:len(out)] {
				out[x] += weight * v
			}
		}
		for x, v := range out {
			out[x] = min(max(to.offset+to.scale*v, 0), 1)
		}
	}
}

func reduceRow[T yuv.Sample](row []T, out []float32, by taps) {
	for x := range out {
		weights := by.weights[x*by.n : (x+1)*by.n]
		samples := row[by.first[x]:][:len(weights)]
		var sum float32
		for k, weight := range weights {
			sum += weight * float32(samples[k])
		}
		out[x] = sum
	}
}
