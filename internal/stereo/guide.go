package stereo

import (
	"fmt"

	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// upsampler brings a depth map to the picture's size along the picture's edges, by the fast guided
// filter (He and Sun, "Fast guided filter", 2015): around each cell of the map, depth is fitted as a
// linear function a·I + b of luma I; a and b, averaged and interpolated, are applied to the luma of
// the full picture. A map that already has the picture's size is used as it is.
type upsampler[T yuv.Sample] struct {
	w, h   int // of the picture
	mw, mh int // of the map
	src    *yuv.Frame[T]
	depth  []float32

	// Row sums over the window's columns, of mw×mh cells: luma, depth, their product, luma squared.
	luma, sumI, sumD, sumID, sumII []float32
	// Coefficients of one cell summed over the window's columns, then averaged over the window.
	sumA, sumB, meanA, meanB []float32

	columns []column // of the picture
}

// column says between which cells a picture's column lies.
type column struct {
	cell int32
	w    float32 // weight of the cell after it
}

const (
	guideRadius = 2 // cells
	// guideEps is the variance of luma, in [0, 1]², below which an edge is not followed.
	guideEps = 4e-4
)

// prepare takes the frame's picture and map, and makes room if the map's size is new.
func (g *upsampler[T]) prepare(src *yuv.Frame[T], m *depth.Map) error {
	if m.W < 1 || m.H < 1 || len(m.D) != m.W*m.H {
		return fmt.Errorf("depth map of %d×%d holds %d values", m.W, m.H, len(m.D))
	}
	g.src, g.depth = src, m.D
	if m.W == g.mw && m.H == g.mh {
		return nil
	}
	g.mw, g.mh = m.W, m.H
	if g.whole() {
		return nil
	}
	n := m.W * m.H
	for _, p := range []*[]float32{&g.luma, &g.sumI, &g.sumD, &g.sumID, &g.sumII, &g.sumA, &g.sumB, &g.meanA, &g.meanB} {
		*p = make([]float32, n)
	}
	g.columns = make([]column, g.w)
	for x := range g.columns {
		cell, w := between(x, g.w, g.mw)
		g.columns[x] = column{int32(cell), w}
	}
	return nil
}

// whole reports that the map needs no upsampling.
func (g *upsampler[T]) whole() bool { return g.mw == g.w && g.mh == g.h }

// between returns the cell whose centre is at or before pixel i of n, and the weight of the next.
// At the ends the first or last cell counts alone.
func between(i, n, cells int) (cell int, w float32) {
	at := (float64(i)+0.5)*float64(cells)/float64(n) - 0.5
	if at <= 0 || cells == 1 {
		return 0, 0
	}
	cell = int(at)
	if cell >= cells-1 {
		return cells - 2, 1
	}
	return cell, float32(at - float64(cell))
}

// shrink computes row y of the map-sized luma and the row sums over it.
func (g *upsampler[T]) shrink(y int) {
	y0, y1 := y*g.h/g.mh, max((y+1)*g.h/g.mh, y*g.h/g.mh+1)
	step := 1
	if y1-y0 >= 4 {
		step = 2 // every other row tells enough of a cell's mean
	}
	luma := g.luma[y*g.mw : (y+1)*g.mw]
	for x := range luma {
		x0, x1 := x*g.w/g.mw, max((x+1)*g.w/g.mw, x*g.w/g.mw+1)
		sum, n := uint32(0), 0
		for r := y0; r < y1; r += step {
			for _, v := range g.src.Y.Row(r)[x0:x1] {
				sum += uint32(v)
			}
			n += x1 - x0
		}
		luma[x] = float32(sum) / float32(n*(int(1)<<g.src.Bits-1))
	}
	g.sumRow(y, luma)
}

func (g *upsampler[T]) sumRow(y int, luma []float32) {
	row := y * g.mw
	d := g.depth[row : row+g.mw]
	for x := range luma {
		var i, dd, id, ii float32
		for k := max(x-guideRadius, 0); k <= min(x+guideRadius, g.mw-1); k++ {
			l, e := luma[k], d[k]
			i, dd, id, ii = i+l, dd+e, id+l*e, ii+l*l
		}
		g.sumI[row+x], g.sumD[row+x], g.sumID[row+x], g.sumII[row+x] = i, dd, id, ii
	}
}

// fit computes a and b of the cells of row y, and their sums over the window's columns.
func (g *upsampler[T]) fit(y int, a, b []float32) {
	a, b = a[:g.mw], b[:g.mw]
	y0, y1 := max(y-guideRadius, 0), min(y+guideRadius, g.mh-1)
	for x := range a {
		var i, d, id, ii float32
		for k := y0; k <= y1; k++ {
			at := k*g.mw + x
			i, d, id, ii = i+g.sumI[at], d+g.sumD[at], id+g.sumID[at], ii+g.sumII[at]
		}
		n := 1 / float32((y1-y0+1)*g.windowColumns(x))
		i, d = i*n, d*n
		a[x] = (id*n - i*d) / (ii*n - i*i + guideEps)
		b[x] = d - a[x]*i
	}
	for x := range a {
		var sa, sb float32
		for k := max(x-guideRadius, 0); k <= min(x+guideRadius, g.mw-1); k++ {
			sa, sb = sa+a[k], sb+b[k]
		}
		g.sumA[y*g.mw+x], g.sumB[y*g.mw+x] = sa, sb
	}
}

func (g *upsampler[T]) windowColumns(x int) int {
	return min(x+guideRadius, g.mw-1) - max(x-guideRadius, 0) + 1
}

// average computes the mean coefficients of row y, scaled so that they turn code values into depth
// steps.
func (g *upsampler[T]) average(y int) {
	y0, y1 := max(y-guideRadius, 0), min(y+guideRadius, g.mh-1)
	unit := float32(depthSteps-1) / float32(int(1)<<g.src.Bits-1)
	for x := range g.mw {
		var a, b float32
		for k := y0; k <= y1; k++ {
			a, b = a+g.sumA[k*g.mw+x], b+g.sumB[k*g.mw+x]
		}
		n := 1 / float32((y1-y0+1)*g.windowColumns(x))
		g.meanA[y*g.mw+x], g.meanB[y*g.mw+x] = a*n*unit, b*n*(depthSteps-1)
	}
}

// line is a·I + b at one cell, and what to add for the next.
type line struct{ a, b, da, db float32 }

// lines interpolates the coefficients of the picture's row y between the map's rows.
func (g *upsampler[T]) lines(out []line, y int) []line {
	out = out[:g.mw]
	top, w := between(y, g.h, g.mh)
	upper, lower := top*g.mw, min(top+1, g.mh-1)*g.mw
	for x := range out {
		a, b := g.meanA[upper+x], g.meanB[upper+x]
		out[x].a = a + (g.meanA[lower+x]-a)*w
		out[x].b = b + (g.meanB[lower+x]-b)*w
	}
	for x := range out[1:] {
		out[x].da, out[x].db = out[x+1].a-out[x].a, out[x+1].b-out[x].b
	}
	out[g.mw-1].da, out[g.mw-1].db = 0, 0
	return out
}

// shiftRow writes what table holds for the depth of each pixel of row y.
func (g *upsampler[T]) shiftRow(out []int32, y int, table *[depthSteps]int32, spare []line) {
	if g.whole() {
		for x, d := range g.depth[y*g.w : (y+1)*g.w] {
			out[x] = table[depthStep(d*(depthSteps-1))]
		}
		return
	}
	cells := g.lines(spare, y)
	luma := g.src.Y.Row(y)
	columns := g.columns[:len(luma)]
	out = out[:len(luma)]
	for x, v := range luma {
		c := columns[x]
		l := &cells[c.cell]
		d := (l.a+l.da*c.w)*float32(v) + l.b + l.db*c.w
		out[x] = table[depthStep(d)]
	}
}
