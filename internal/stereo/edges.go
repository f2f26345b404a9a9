package stereo

import "github.com/stereospot/stereospot/internal/stereo/yuv"

// swatch is the mean colour of a cell, in code values, and the mean square of its luma.
type swatch struct{ y, u, v, yy float32 }

// edge tells two surfaces apart around a cell: the near one and the far one. A pixel's log-odds of
// lying on the near one are
//
//	by depth:  steep · (d - middle)          d is the interpolated depth
//	by colour: cy·Y + cu·U + cv·V + c0       held within ±colorSay
//
// Colour speaks as a linear discriminant does (R. A. Fisher, 1936): for two normal distributions with
// equal, uncorrelated variances its log-odds are the sum of (near mean - far mean)/variance times the
// distance from the middle of the means. Where the surfaces look alike or vary much it stays silent,
// and the silhouette follows the interpolated depth.
type edge struct {
	middle, half   float32 // of the two surfaces' depths: mean and half difference, in depth steps
	steep          float32
	cy, cu, cv, c0 float32
	strength       float32 // 0: plain interpolation; 1: the pixel lies on one surface or the other
}

const (
	// edgeRadius is how far around a cell it looks for two surfaces, in strides; a stride is a cell, or two of a fine map.
	edgeRadius = 2
	// fineSide is the longer side from which on a map is fine: a network's silhouettes are soft over some of its cells
	// however many it has, and what lies within two cells of one may belong to no surface.
	fineSide = 600
	// edgeSpan is the difference of depths from which on there are two surfaces; from twice that on
	// they are told apart in full.
	edgeSpan = 0.06
	// depthSay is the log-odds by depth of a pixel whose interpolated depth is that of one surface.
	depthSay = 6
	colorSay = 4
)

// decide moves depth d of a pixel with the given colour to the surface that it belongs to.
func (e *edge) decide(d, y, u, v float32) float32 {
	color := e.cy*y + e.cu*u + e.cv*v + e.c0
	odds := e.steep*(d-e.middle) + min(max(color, -colorSay), colorSay)
	return e.at(d, min(max(odds, -1), 1))
}

// at moves depth d to the near surface (side 1), the far one (-1) or between them.
func (e *edge) at(d, side float32) float32 { return d + e.strength*(e.middle+e.half*side-d) }

// settled returns the side on which a pixel of interpolated depth d lies whatever its colour, or 0.
func (e *edge) settled(d float32) float32 {
	switch odds := e.steep * (d - e.middle); {
	case odds >= colorSay+1:
		return 1
	case odds <= -colorSay-1:
		return -1
	}
	return 0
}

// towards interpolates between the edges of two cells. A cell without one has no opinion on where
// the surfaces part; it only weakens the other's say.
func (e *edge) towards(o *edge, w float32) edge {
	if e.strength == 0 {
		only := *o
		only.strength *= w
		return only
	}
	if o.strength == 0 {
		only := *e
		only.strength *= 1 - w
		return only
	}
	return edge{
		middle: e.middle + (o.middle-e.middle)*w, half: e.half + (o.half-e.half)*w,
		steep: e.steep + (o.steep-e.steep)*w,
		cy:    e.cy + (o.cy-e.cy)*w, cu: e.cu + (o.cu-e.cu)*w, cv: e.cv + (o.cv-e.cv)*w, c0: e.c0 + (o.c0-e.c0)*w,
		strength: e.strength + (o.strength-e.strength)*w,
	}
}

// shrink computes the colours of row y of cells, and the range of depths along the row.
func (g *upsampler[T]) shrink(y int) {
	row := y * g.mw
	y0, y1 := cellSpan(y, g.mh, g.h)
	step := 1
	if y1-y0 >= 4 {
		step = 2 // every other row tells enough of a cell
	}
	c0, c1 := y0/2, (y1-1)/2+1
	d := g.depth[row : row+g.mw]
	for x := range d {
		x0, x1 := cellSpan(x, g.mw, g.w)
		s := &g.colors[row+x]
		s.y, s.yy = moments(&g.src.Y, x0, x1, y0, y1, step)
		s.u, _ = moments(&g.src.U, x0/2, (x1-1)/2+1, c0, c1, step)
		s.v, _ = moments(&g.src.V, x0/2, (x1-1)/2+1, c0, c1, step)
		lo, hi := d[x], d[x]
		for k := g.firstOf(x); k <= min(x+edgeRadius*g.stride, g.mw-1); k += g.stride {
			lo, hi = min(lo, d[k]), max(hi, d[k])
		}
		g.low[row+x], g.high[row+x] = lo, hi
	}
}

// firstOf returns the first of the cells, a stride apart, that cell i looks at along its row or column.
func (g *upsampler[T]) firstOf(i int) int {
	if first := i - edgeRadius*g.stride; first >= 0 {
		return first
	}
	return i % g.stride
}

// cellSpan returns the pixels that cell i of n covers.
func cellSpan(i, n, pixels int) (from, to int) {
	from = i * pixels / n
	return from, max((i+1)*pixels/n, from+1)
}

// moments returns the mean and the mean square of a rectangle of a plane, every step-th row of it.
func moments[T yuv.Sample](p *yuv.Plane[T], x0, x1, y0, y1, step int) (mean, square float32) {
	sum, squares, n := uint32(0), uint64(0), 0
	for y := y0; y < y1; y += step {
		for _, v := range p.Row(y)[x0:x1] {
			sum += uint32(v)
			squares += uint64(uint32(v) * uint32(v))
		}
		n += x1 - x0
	}
	k := 1 / float32(n)
	return float32(sum) * k, float32(squares) * k
}

// fit finds the edges of row y of cells.
func (g *upsampler[T]) fit(y int) {
	found := false
	y0, y1 := g.firstOf(y), min(y+edgeRadius*g.stride, g.mh-1)
	for x := range g.mw {
		at := y*g.mw + x
		lo, hi := g.low[at], g.high[at]
		for k := y0; k <= y1; k += g.stride {
			lo, hi = min(lo, g.low[k*g.mw+x]), max(hi, g.high[k*g.mw+x])
		}
		g.edges[at] = edge{}
		if hi-lo > edgeSpan {
			found = true
			g.edges[at] = g.fitEdge(x, y, lo, hi)
		}
	}
	g.sharp[y] = found
}

// surface gathers the cells of one side of an edge.
type surface struct{ n, depth, y, u, v, yy, uu, vv float32 }

func (s *surface) add(d float32, c *swatch) {
	s.n++
	s.depth += d
	s.y, s.u, s.v = s.y+c.y, s.u+c.u, s.v+c.v
	s.yy, s.uu, s.vv = s.yy+c.yy, s.uu+c.u*c.u, s.vv+c.v*c.v
}

// fitEdge looks at the cells around (x, y), whose depths lie in [lo, hi]. Cells within a third of
// either end belong to that surface; those between straddle the edge and don't count.
func (g *upsampler[T]) fitEdge(x, y int, lo, hi float32) edge {
	var far, near surface
	third := (hi - lo) / 3
	x0, x1 := g.firstOf(x), min(x+edgeRadius*g.stride, g.mw-1)
	for j := g.firstOf(y); j <= min(y+edgeRadius*g.stride, g.mh-1); j += g.stride {
		for i := x0; i <= x1; i += g.stride {
			k := j*g.mw + i
			if d := g.depth[k]; d <= lo+third {
				far.add(d, &g.colors[k])
			} else if d >= hi-third {
				near.add(d, &g.colors[k])
			}
		}
	}
	span := hi - lo
	near.normalise()
	far.normalise()
	e := edge{
		middle:   (near.depth + far.depth) / 2 * (depthSteps - 1),
		half:     (near.depth - far.depth) / 2 * (depthSteps - 1),
		strength: min((span-edgeSpan)/edgeSpan, 1),
		steep:    2 * depthSay / (span * (depthSteps - 1)),
	}
	unit := float32(int(1) << (g.src.Bits - 8))
	e.cy = discriminant(near.y, far.y, near.yy, far.yy, 3*unit)
	e.cu = discriminant(near.u, far.u, near.uu, far.uu, 3*unit)
	e.cv = discriminant(near.v, far.v, near.vv, far.vv, 3*unit)
	e.c0 = -(e.cy*(near.y+far.y) + e.cu*(near.u+far.u) + e.cv*(near.v+far.v)) / 2
	return e
}

// normalise turns sums into means.
func (s *surface) normalise() {
	k := 1 / max(s.n, 1)
	*s = surface{s.n, s.depth * k, s.y * k, s.u * k, s.v * k, s.yy * k, s.uu * k, s.vv * k}
}

// discriminant returns the log-odds for a code value nearer to the first mean than to the second.
// floor is the deviation, in code values, that any surface is granted.
func discriminant(a, b, squareA, squareB, floor float32) float32 {
	variance := (max(squareA-a*a, 0)+max(squareB-b*b, 0))/2 + floor*floor
	return (a - b) / variance
}
