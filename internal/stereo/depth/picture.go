package depth

import "github.com/stereospot/stereospot/internal/stereo/yuv"

// Reduce averages a frame over the areas of pw×ph picture elements (each covers at least one sample; at
// most the frame's own size makes sense). fullRange says that code values use the whole range ("pc").
// dst is reused where it has the size; nil makes a new one. Deterministic: sums are of integers.
func Reduce[T yuv.Sample](f *yuv.Frame[T], pw, ph int, fullRange bool, dst *Picture) *Picture {
	if dst == nil || dst.W != pw || dst.H != ph {
		dst = &Picture{W: pw, H: ph, Y: make([]float32, pw*ph), Cb: make([]float32, pw*ph), Cr: make([]float32, pw*ph)}
	}
	unit := float32(int(1) << (f.Bits - 8))
	black, lumaSpan, colorSpan := 16*unit, 219*unit, 224*unit
	if fullRange {
		top := float32(int(1)<<f.Bits - 1)
		black, lumaSpan, colorSpan = 0, top, top
	}
	neutral := float32(int(1) << (f.Bits - 1))
	reducePlane(&f.Y, dst.Y, pw, ph, -black/lumaSpan, 1/lumaSpan)
	reducePlane(&f.U, dst.Cb, pw, ph, 0.5-neutral/colorSpan, 1/colorSpan)
	reducePlane(&f.V, dst.Cr, pw, ph, 0.5-neutral/colorSpan, 1/colorSpan)
	return dst
}

// reducePlane writes offset + scale·mean of each area, clamped to [0, 1].
func reducePlane[T yuv.Sample](p *yuv.Plane[T], dst []float32, pw, ph int, offset, scale float32) {
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
			out[x] = min(max(offset+scale*float32(s)/float32(count), 0), 1)
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
