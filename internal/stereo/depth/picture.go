package depth

import "github.com/stereospot/stereospot/internal/stereo/yuv"

// Coding is what a frame's code values mean.
type Coding struct {
	FullRange bool    // code values use the whole range ("pc")
	Weights   Weights // of its luma
	// ChromaLeft and ChromaTop say that chroma samples lie on the even columns and rows of luma, not between two.
	ChromaLeft, ChromaTop bool
}

// plane is a plane's way from code values to [0, 1]: offset + scale·value.
type plane struct{ offset, scale float32 }

// planes returns the way of luma and of chroma.
func (c Coding) planes(bits int) (luma, chroma plane) {
	unit := float32(int(1) << (bits - 8))
	black, lumaSpan, colorSpan := 16*unit, 219*unit, 224*unit
	if c.FullRange {
		top := float32(int(1)<<bits - 1)
		black, lumaSpan, colorSpan = 0, top, top
	}
	neutral := float32(int(1) << (bits - 1))
	return plane{-black / lumaSpan, 1 / lumaSpan}, plane{0.5 - neutral/colorSpan, 1 / colorSpan}
}

// Reducer makes pictures of frames of one size. One goroutine uses it.
type Reducer[T yuv.Sample] struct {
	sampling Sampling
	coding   Coding
	cubic    *cubic // nil where areas are averaged
}

// NewReducer returns the reducer of frames of w×h pixels.
func NewReducer[T yuv.Sample](w, h int, s Sampling, c Coding) *Reducer[T] {
	r := &Reducer[T]{sampling: s, coding: c}
	if s.Cubic {
		r.cubic = newCubic(w, h, s, c)
	}
	return r
}

// Reduce makes the picture of a frame. dst is reused where it has the size; nil makes a new one.
func (r *Reducer[T]) Reduce(f *yuv.Frame[T], dst *Picture) *Picture {
	pw, ph := r.sampling.W, r.sampling.H
	if dst == nil || dst.W != pw || dst.H != ph {
		dst = &Picture{W: pw, H: ph, Y: make([]float32, pw*ph), Cb: make([]float32, pw*ph), Cr: make([]float32, pw*ph)}
	}
	dst.Weights = r.coding.Weights
	luma, chroma := r.coding.planes(f.Bits)
	if r.cubic != nil {
		resample(r.cubic, &f.Y, dst.Y, r.cubic.luma, luma)
		resample(r.cubic, &f.U, dst.Cb, r.cubic.chroma, chroma)
		resample(r.cubic, &f.V, dst.Cr, r.cubic.chroma, chroma)
		return dst
	}
	reducePlane(&f.Y, dst.Y, pw, ph, luma)
	reducePlane(&f.U, dst.Cb, pw, ph, chroma)
	reducePlane(&f.V, dst.Cr, pw, ph, chroma)
	return dst
}

// reducePlane averages over the areas of pw×ph picture elements (each covers at least one sample; at most the plane's
// own size makes sense), clamped to [0, 1]. Deterministic: sums are of integers.
func reducePlane[T yuv.Sample](p *yuv.Plane[T], dst []float32, pw, ph int, to plane) {
	lefts := make([]int, pw+1)
	for x := range lefts {
		lefts[x] = x * p.W / pw
	}
	sums := make([]uint64, pw)
	for y := range ph {
		top := y * p.H / ph
		bottom := max((y+1)*p.H/ph, top+1)
		clear(sums)
		for row := top; row < bottom; row++ {
			sumRow(p.Row(row), lefts, sums)
		}
		out := dst[y*pw : (y+1)*pw]
		for x, s := range sums {
			count := (max(lefts[x+1], lefts[x]+1) - lefts[x]) * (bottom - top)
			out[x] = min(max(to.offset+to.scale*float32(s)/float32(count), 0), 1)
		}
	}
}

// sumRow adds a row's samples to the sums of their areas.
func sumRow[T yuv.Sample](row []T, lefts []int, sums []uint64) {
	for x := range sums {
		from, to := lefts[x], max(lefts[x+1], lefts[x]+1)
		var s uint64
		for _, v := range row[from:to] {
			s += uint64(v)
		}
		sums[x] += s
	}
}
