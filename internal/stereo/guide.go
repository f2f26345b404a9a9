package stereo

import (
	"fmt"

	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// upsampler brings a depth map to the picture's size. Where depth is smooth it is interpolated
// between the map's cells, and the picture has no say, so that texture never prints through. Where a
// cell's surroundings hold two surfaces (edges.go), each pixel goes to the near or to the far one: by
// its colour as far as colour tells them apart there, and by the interpolated depth. A map that
// already has the picture's size is used as it is.
type upsampler[T yuv.Sample] struct {
	w, h   int // of the picture
	mw, mh int // of the map
	stride int // cells between those that a cell looks at
	src    *yuv.Frame[T]
	depth  []float32

	colors []swatch  // of the picture, by cell
	low    []float32 // least depth of a cell and its neighbours in the row
	high   []float32 // greatest
	edges  []edge
	sharp  []bool // whether a row of cells has any edge

	starts []int32   // by cell: first column of the picture that lies between it and the next; one more ends the last
	weight []float32 // by column: how far it lies on the way from its cell's centre to the next
}

// prepare takes the frame's picture and map, and makes room if the map's size is new.
func (g *upsampler[T]) prepare(src *yuv.Frame[T], m *depth.Map) error {
	if m.W < 1 || m.H < 1 || len(m.D) != m.W*m.H {
		return fmt.Errorf("depth map of %d×%d holds %d values", m.W, m.H, len(m.D))
	}
	g.src, g.depth = src, m.D
	if m.W == g.mw && m.H == g.mh {
		return nil
	}
	g.mw, g.mh, g.stride = m.W, m.H, 1
	if max(m.W, m.H) >= fineSide {
		g.stride = 2
	}
	if g.whole() {
		return nil
	}
	n := m.W * m.H
	g.colors, g.edges, g.sharp = make([]swatch, n), make([]edge, n), make([]bool, m.H)
	g.low, g.high = make([]float32, n), make([]float32, n)
	g.starts, g.weight = make([]int32, m.W+1), make([]float32, g.w)
	for x := range g.weight {
		cell, w := between(x, g.w, g.mw)
		g.weight[x] = w
		g.starts[cell+1] = int32(x + 1)
	}
	for k := range m.W { // a map wider than the picture has cells without columns
		g.starts[k+1] = max(g.starts[k+1], g.starts[k])
	}
	return nil
}

// whole reports that the map needs no upsampling.
func (g *upsampler[T]) whole() bool { return g.mw == g.w && g.mh == g.h }

// softness returns how many pixels beside a silhouette may carry colours of both sides: one where
// the map is as fine as the picture, another where the silhouette had to be found.
func (g *upsampler[T]) softness() int {
	if g.whole() {
		return 1
	}
	return 2
}

// pixels returns how many of the picture's columns so many cells of the map are wide.
func (g *upsampler[T]) pixels(cells float64) int { return int(cells*float64(g.w)/float64(g.mw) + 0.5) }

// between returns the cell whose centre is at or before pixel i of n, and how far the pixel lies on
// the way to the next one's. At the ends the first or last cell counts alone.
func between(i, n, cells int) (cell int, w float32) {
	at := (float64(i)+0.5)*float64(cells)/float64(n) - 0.5
	if at <= 0 || cells == 1 {
		return 0, 0
	}
	cell = int(at)
	if cell >= cells-1 {
		return cells - 1, 0
	}
	return cell, float32(at - float64(cell))
}

// shiftRow writes what table holds for the depth of each pixel of row y. spare has room for a row
// of cells.
func (g *upsampler[T]) shiftRow(out []int32, y int, table *[depthSteps]int32, spare []cell) {
	if g.whole() {
		for x, d := range g.depth[y*g.w : (y+1)*g.w] {
			out[x] = table[depthStep(d*(depthSteps-1))]
		}
		return
	}
	cells := g.cellRow(spare, y)
	for k := range cells {
		from, to := g.starts[k], g.starts[k+1]
		if from == to {
			continue
		}
		here, next := &cells[k], &cells[min(k+1, g.mw-1)]
		if a, b, ok := settle(here, next); ok {
			plain(out[from:to], g.weight[from:to], a, b-a, table)
		} else {
			g.split(out, y, int(from), int(to), here, next, table)
		}
	}
}

// settle returns the depths at two neighbouring cells if those between them follow without a look
// at the colours.
func settle(a, b *cell) (da, db float32, ok bool) {
	ea, eb := &a.edge, &b.edge
	switch {
	case ea.strength == 0 && eb.strength == 0:
		return a.depth, b.depth, true
	case ea.strength == 0:
		ea = eb
	case eb.strength == 0:
		eb = ea
	}
	side := ea.settled(a.depth)
	if side == 0 || side != eb.settled(b.depth) {
		return 0, 0, false
	}
	da, db = a.depth, b.depth
	if a.edge.strength > 0 {
		da = ea.at(da, side)
	}
	if b.edge.strength > 0 {
		db = eb.at(db, side)
	}
	return da, db, true
}

// cell is what a row of the picture finds at a column of the map. depth counts depthSteps-1.
type cell struct {
	depth float32
	edge  edge
}

// cellRow interpolates the map to row y of the picture.
func (g *upsampler[T]) cellRow(out []cell, y int) []cell {
	top, w := between(y, g.h, g.mh)
	bottom := min(top+1, g.mh-1)
	upper, lower := g.depth[top*g.mw:(top+1)*g.mw], g.depth[bottom*g.mw:(bottom+1)*g.mw]
	out = out[:len(upper)]
	lower = lower[:len(upper)]
	for x, d := range upper {
		out[x].depth = (d + (lower[x]-d)*w) * (depthSteps - 1)
		out[x].edge.strength = 0
	}
	if !g.sharp[top] && !g.sharp[bottom] {
		return out
	}
	a, b := g.edges[top*g.mw:(top+1)*g.mw], g.edges[bottom*g.mw:(bottom+1)*g.mw]
	for x := range out {
		if a[x].strength > 0 || b[x].strength > 0 {
			out[x].edge = a[x].towards(&b[x], w)
		}
	}
	return out
}

// plain interpolates between two cells.
func plain(out []int32, weight []float32, d, slope float32, table *[depthSteps]int32) {
	weight = weight[:len(out)]
	for x := range out {
		out[x] = table[depthStep(d+slope*weight[x])]
	}
}

// split is plain where a silhouette runs between or near the cells.
func (g *upsampler[T]) split(out []int32, y, from, to int, here, next *cell, table *[depthSteps]int32) {
	luma, u, v := g.src.Y.Row(y), g.src.U.Row(y/2), g.src.V.Row(y/2)
	for x := from; x < to; x++ {
		w := g.weight[x]
		e := here.edge.towards(&next.edge, w)
		d := here.depth + (next.depth-here.depth)*w
		d = e.decide(d, float32(luma[x]), float32(u[x/2]), float32(v[x/2]))
		out[x] = table[depthStep(d)]
	}
}
