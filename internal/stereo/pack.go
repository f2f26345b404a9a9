package stereo

import (
	"math"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

func newPacker[T yuv.Sample](r *Renderer[T]) packer[T] {
	w, h := r.ew, r.eh
	switch r.cfg.Format {
	case job.FullSBS:
		return &tiles[T]{w: 2 * w, h: h, rightX: w}
	case job.CrossEyed:
		return &tiles[T]{w: 2 * w, h: h, leftX: w}
	case job.FullTB:
		return &tiles[T]{w: w, h: 2 * h, rightY: h}
	case job.HalfSBS:
		return newSqueezed[T](w, h, r.cfg.chromaLeft())
	case job.HalfTB:
		return newStacked[T](w, h, r.bits)
	case job.VR180:
		return newDome(r)
	case job.Anaglyph:
		return newGlasses(r)
	case job.RGBD:
		return newGreyMap(r, w)
	}
	return newGreyMap(r, 0)
}

// at returns the rows of a view whose corner lies at (x, y), both even, in f.
func at[T yuv.Sample](f *yuv.Frame[T], x, y, w, j int) viewRows[T] {
	row := y/2 + j
	return viewRows[T]{
		y: [2][]T{f.Y.Row(2 * row)[x : x+w], f.Y.Row(2*row + 1)[x : x+w]},
		u: f.U.Row(row)[x/2 : (x+w)/2],
		v: f.V.Row(row)[x/2 : (x+w)/2],
	}
}

// tiles renders two whole views straight into their places: side by side, one over the other, or
// crossed.
type tiles[T yuv.Sample] struct {
	w, h                         int
	leftX, leftY, rightX, rightY int
}

func (p *tiles[T]) size() (int, int) { return p.w, p.h }
func (p *tiles[T]) finish() int      { return 0 }

func (p *tiles[T]) rows(r *Renderer[T], d *desk[T], j int) {
	left := at(r.dst, p.leftX, p.leftY, r.ew, j)
	right := at(r.dst, p.rightX, p.rightY, r.ew, j)
	r.views(d, j, &left, &right)
}

func (p *tiles[T]) piece(*Renderer[T], *desk[T], int) {}

// halving reduces two samples to one with a Lanczos kernel of two lobes, stretched to the coarser
// grid: enough taps that detail too fine for it is taken out instead of turning into moiré.
type halving struct {
	taps  [8]int32 // weights of the samples from first on
	first int      // of output 0, relative to input 0
}

// newHalving returns the filter whose output k lies at input coordinate 2k + phase.
func newHalving(phase float64) halving {
	h := halving{first: int(math.Floor(phase)) - 3}
	var w [8]float64
	sum := 0.0
	for i := range w {
		w[i] = lanczos2((float64(h.first+i) - phase) / 2)
		sum += w[i]
	}
	rest := int32(1 << tapBits)
	for i := range w {
		h.taps[i] = int32(math.Round(w[i] / sum * (1 << tapBits)))
		rest -= h.taps[i]
	}
	h.taps[3] += rest
	return h
}

func lanczos2(x float64) float64 {
	if x == 0 {
		return 1
	}
	if math.Abs(x) >= 2 {
		return 0
	}
	return 2 * math.Sin(math.Pi*x) * math.Sin(math.Pi*x/2) / (math.Pi * math.Pi * x * x)
}

// halveRow writes one filtered sample for every two of src.
func halveRow[T yuv.Sample](h *halving, dst, src []T, top int32) {
	last, w := len(src)-1, h.taps
	for k := range dst {
		i := 2*k + h.first
		sum := int32(1 << (tapBits - 1))
		if i >= 0 && i+8 <= len(src) {
			q := (*[8]T)(src[i:])
			sum += w[0]*int32(q[0]) + w[1]*int32(q[1]) + w[2]*int32(q[2]) + w[3]*int32(q[3]) +
				w[4]*int32(q[4]) + w[5]*int32(q[5]) + w[6]*int32(q[6]) + w[7]*int32(q[7])
		} else {
			for t, weight := range w {
				sum += weight * int32(src[min(max(i+t, 0), last)])
			}
		}
		sum >>= tapBits
		if uint32(sum) > uint32(top) {
			sum = clampTo(sum, top)
		}
		dst[k] = T(sum)
	}
}

// seam returns how many chroma samples along the packing axis show the first of two half views, of
// half luma samples each. With an odd half, one of them lies on the seam, and the second view's
// first chroma sample is a luma sample further in: shift, in chroma samples of the whole view.
func seam(half int) (first int, shift float64) { return (half + 1) / 2, float64(half % 2) }

// squeezed is side by side with views of half width.
type squeezed[T yuv.Sample] struct {
	w, h   int
	first  int // chroma columns of the left view
	luma   halving
	chroma [2]halving // of the left and the right view
}

func newSqueezed[T yuv.Sample](w, h int, chromaLeft bool) *squeezed[T] {
	// Luma column k of a squeezed view lies between columns 2k and 2k+1 of the whole one. Chroma on the
	// even columns of the squeezed view lies a quarter of a chroma column right of the whole one's.
	phase := 0.5
	if chromaLeft {
		phase = 0.25
	}
	first, shift := seam(w / 2)
	return &squeezed[T]{
		w: w, h: h, first: first, luma: newHalving(0.5),
		chroma: [2]halving{newHalving(phase), newHalving(phase + shift)},
	}
}

func (p *squeezed[T]) size() (int, int)                  { return p.w, p.h }
func (p *squeezed[T]) finish() int                       { return 0 }
func (p *squeezed[T]) piece(*Renderer[T], *desk[T], int) {}

func (p *squeezed[T]) rows(r *Renderer[T], d *desk[T], j int) {
	r.views(d, j, &d.views[0], &d.views[1])
	top := int32(1)<<r.bits - 1
	u, v := r.dst.U.Row(j), r.dst.V.Row(j)
	for i := range 2 {
		out := r.dst.Y.Row(2*j + i)
		halveRow(&p.luma, out[:p.w/2], d.views[0].y[i], top)
		halveRow(&p.luma, out[p.w/2:], d.views[1].y[i], top)
	}
	halveRow(&p.chroma[0], u[:p.first], d.views[0].u, top)
	halveRow(&p.chroma[0], v[:p.first], d.views[0].v, top)
	halveRow(&p.chroma[1], u[p.first:], d.views[1].u, top)
	halveRow(&p.chroma[1], v[p.first:], d.views[1].v, top)
}

// stacked is one over the other with views of half height: whole views first, then their rows are
// filtered.
type stacked[T yuv.Sample] struct {
	w, h   int
	first  int // chroma rows of the upper view
	eyes   [2]*yuv.Frame[T]
	luma   halving
	chroma [2]halving // of the upper and the lower view
}

func newStacked[T yuv.Sample](w, h, bits int) *stacked[T] {
	first, shift := seam(h / 2)
	return &stacked[T]{
		w: w, h: h, first: first, luma: newHalving(0.5),
		chroma: [2]halving{newHalving(0.5), newHalving(0.5 + shift)},
		eyes:   [2]*yuv.Frame[T]{yuv.New[T](w, h, bits), yuv.New[T](w, h, bits)},
	}
}

func (p *stacked[T]) size() (int, int) { return p.w, p.h }

// finish counts luma rows, then rows of both chroma planes.
func (p *stacked[T]) finish() int { return p.h + p.h/2 }

func (p *stacked[T]) rows(r *Renderer[T], d *desk[T], j int) {
	left, right := at(p.eyes[0], 0, 0, p.w, j), at(p.eyes[1], 0, 0, p.w, j)
	r.views(d, j, &left, &right)
}

func (p *stacked[T]) piece(r *Renderer[T], _ *desk[T], i int) {
	top := int32(1)<<r.bits - 1
	if i < p.h {
		eye, k := i/(p.h/2), i%(p.h/2)
		halveColumn(&p.luma, r.dst.Y.Row(i), &p.eyes[eye].Y, k, top)
		return
	}
	i -= p.h
	eye, k := 0, i
	if i >= p.first {
		eye, k = 1, i-p.first
	}
	halveColumn(&p.chroma[eye], r.dst.U.Row(i), &p.eyes[eye].U, k, top)
	halveColumn(&p.chroma[eye], r.dst.V.Row(i), &p.eyes[eye].V, k, top)
}

// halveColumn writes row k of the plane reduced to half its height.
func halveColumn[T yuv.Sample](h *halving, dst []T, src *yuv.Plane[T], k int, top int32) {
	var rows [8][]T
	for t := range rows {
		rows[t] = src.Row(min(max(2*k+h.first+t, 0), src.H-1))[:len(dst)]
	}
	w := &h.taps
	for x := range dst {
		sum := w[0]*int32(rows[0][x]) + w[1]*int32(rows[1][x]) + w[2]*int32(rows[2][x]) + w[3]*int32(rows[3][x]) +
			w[4]*int32(rows[4][x]) + w[5]*int32(rows[5][x]) + w[6]*int32(rows[6][x]) + w[7]*int32(rows[7][x])
		sum = (sum + 1<<(tapBits-1)) >> tapBits
		if uint32(sum) > uint32(top) {
			sum = clampTo(sum, top)
		}
		dst[x] = T(sum)
	}
}

// greyMap is the depth that views are made by as a grey picture, alone or right of the source: at the picture's size, bent,
// and dilated. The engine's own soft edge is left to whoever makes views of it.
type greyMap[T yuv.Sample] struct {
	x     int // where the map begins: 0, or a view's width
	w, h  int // of one tile
	greys [depthSteps]int32
	none  T // chroma of grey
}

func newGreyMap[T yuv.Sample](r *Renderer[T], x int) *greyMap[T] {
	g := &greyMap[T]{x: x, w: r.ew, h: r.eh, none: T(1) << (r.bits - 1)}
	black, white := lumaRange(r.cfg.FullRange, r.bits)
	for i := range g.greys {
		g.greys[i] = int32(math.Round(black + (white-black)*bend(float64(i)/(depthSteps-1), r.cfg.ForegroundScale)))
	}
	return g
}

func (g *greyMap[T]) size() (int, int)                  { return g.x + g.w, g.h }
func (g *greyMap[T]) finish() int                       { return 0 }
func (g *greyMap[T]) piece(*Renderer[T], *desk[T], int) {}

func (g *greyMap[T]) rows(r *Renderer[T], d *desk[T], j int) {
	out := at(r.dst, g.x, 0, g.w, j)
	for i := range 2 {
		y := min(2*j+i, r.h-1)
		for x, v := range g.row(r, d, y) {
			out.y[i][x] = T(v)
		}
		extend(out.y[i], r.w)
		if g.x > 0 {
			beside := r.dst.Y.Row(2*j + i)[:g.x]
			copy(beside, r.src.Y.Row(y))
			extend(beside, r.w)
		}
	}
	for i := range out.u {
		out.u[i], out.v[i] = g.none, g.none
	}
	if g.x > 0 {
		copy(r.dst.U.Row(j), r.src.U.Row(j))
		copy(r.dst.V.Row(j), r.src.V.Row(j))
	}
}

// row returns the greys of row y.
func (g *greyMap[T]) row(r *Renderer[T], d *desk[T], y int) []int32 {
	r.guide.shiftRow(d.depth, y, &g.greys, d.cells)
	reach := r.guide.pixels(r.cfg.EdgeDilation)
	if reach == 0 {
		return d.depth
	}
	r.guide.shiftRow(d.shift, y, &r.shifts.byDepth, d.cells)
	widen(d.grey, d.depth, d.shift, reach)
	return d.grey
}
