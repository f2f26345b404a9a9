package depth

// pyramid is a luma picture at halving sizes, finest first.
type pyramid []layer

type layer struct {
	w, h int
	v    []float32
}

// coarsest is the smallest side of a pyramid's top.
const coarsest = 12

func newPyramid(y []float32, w, h int) pyramid {
	p := pyramid{{w, h, boxMean(y, w, h, 1)}}
	for {
		l := p[len(p)-1]
		if min(l.w, l.h)/2 < coarsest {
			return p
		}
		p = append(p, halve(l))
	}
}

func halve(l layer) layer {
	out := layer{w: l.w / 2, h: l.h / 2}
	out.v = make([]float32, out.w*out.h)
	for y := range out.h {
		a, b := l.v[2*y*l.w:], l.v[(2*y+1)*l.w:]
		for x := range out.w {
			out.v[y*out.w+x] = (a[2*x] + a[2*x+1] + b[2*x] + b[2*x+1]) / 4
		}
	}
	return out
}

// flow is where each pixel of one picture is in another: (x+u, y+v), in pixels.
type flow struct {
	w, h int
	u, v []float32
	// trust is how much structure there is to follow, in [0, 1].
	trust []float32
}

// Parameters of the flow.
const (
	flowRadius = 3    // of the window that one motion is fitted to, pixels
	flowRounds = 3    // of warping, at each layer
	flowDamp   = 4e-4 // added to the structure tensor: motion of flat regions comes from around
	flowTrust  = 2e-3 // structure that counts as half trusted
)

// newFlow follows from's pixels into to, coarse to fine, by least squares over small windows with warping (B. Lucas and
// T. Kanade, "An iterative image registration technique", IJCAI 1981; J.-Y. Bouguet's pyramid), smoothed at each layer.
func newFlow(from, to pyramid) flow {
	var f flow
	for i := len(from) - 1; i >= 0; i-- {
		f = grow(f, from[i].w, from[i].h)
		tracker := newTracker(from[i])
		for range flowRounds {
			tracker.refine(&f, to[i])
		}
		f.trust = tracker.trust
	}
	return f
}

// grow resamples a flow to the next finer layer.
func grow(f flow, w, h int) flow {
	g := flow{w: w, h: h, u: make([]float32, w*h), v: make([]float32, w*h)}
	if f.w == 0 {
		return g
	}
	sx, sy := float32(f.w)/float32(w), float32(f.h)/float32(h)
	for y := range h {
		for x := range w {
			px, py := (float32(x)+0.5)*sx-0.5, (float32(y)+0.5)*sy-0.5
			g.u[y*w+x] = bilinear(f.u, f.w, f.h, px, py) / sx
			g.v[y*w+x] = bilinear(f.v, f.w, f.h, px, py) / sy
		}
	}
	return g
}

// bilinear reads v at a place between pixels; outside, the border goes on.
func bilinear(v []float32, w, h int, x, y float32) float32 {
	x, y = min(max(x, 0), float32(w-1)), min(max(y, 0), float32(h-1))
	x0, y0 := min(int(x), max(w-2, 0)), min(int(y), max(h-2, 0))
	x1, y1 := min(x0+1, w-1), min(y0+1, h-1)
	fx, fy := x-float32(x0), y-float32(y0)
	top := v[y0*w+x0] + fx*(v[y0*w+x1]-v[y0*w+x0])
	bottom := v[y1*w+x0] + fx*(v[y1*w+x1]-v[y1*w+x0])
	return top + fy*(bottom-top)
}

// at is bilinear, quick where the place is inside.
func (l *layer) at(x, y float32) float32 {
	x0, y0 := int(x), int(y)
	if x < 0 || y < 0 || x0 >= l.w-1 || y0 >= l.h-1 {
		return bilinear(l.v, l.w, l.h, x, y)
	}
	fx, fy := x-float32(x0), y-float32(y0)
	a := l.v[y0*l.w+x0:]
	b := a[l.w : l.w+2]
	a = a[:2]
	top := a[0] + fx*(a[1]-a[0])
	bottom := b[0] + fx*(b[1]-b[0])
	return top + fy*(bottom-top)
}

// tracker holds what of a layer doesn't change while its flow is refined.
type tracker struct {
	layer
	gx, gy        []float32
	xx, xy, yy    []float32 // structure tensor, averaged over the window
	trust         []float32
	bx, by, scrap []float32
}

func newTracker(l layer) *tracker {
	n := len(l.v)
	t := &tracker{layer: l, gx: make([]float32, n), gy: make([]float32, n), trust: make([]float32, n), bx: make([]float32, n), by: make([]float32, n)}
	xx, xy, yy := make([]float32, n), make([]float32, n), make([]float32, n)
	for y := range l.h {
		up, down := max(y-1, 0)*l.w, min(y+1, l.h-1)*l.w
		for x := range l.w {
			i := y*l.w + x
			gx := (l.v[y*l.w+min(x+1, l.w-1)] - l.v[y*l.w+max(x-1, 0)]) / 2
			gy := (l.v[down+x] - l.v[up+x]) / 2
			t.gx[i], t.gy[i] = gx, gy
			xx[i], xy[i], yy[i] = gx*gx, gx*gy, gy*gy
		}
	}
	t.xx, t.xy, t.yy = boxMean(xx, l.w, l.h, flowRadius), boxMean(xy, l.w, l.h, flowRadius), boxMean(yy, l.w, l.h, flowRadius)
	for i := range t.trust {
		s := t.xx[i] + t.yy[i]
		t.trust[i] = s / (s + flowTrust)
	}
	return t
}

// refine adds to f what the difference between the layer and the warped other picture asks for.
func (t *tracker) refine(f *flow, to layer) {
	for y := range t.h {
		for x := range t.w {
			i := y*t.w + x
			d := t.v[i] - to.at(float32(x)+f.u[i], float32(y)+f.v[i])
			// A pixel that is covered or leaves the picture must not pull its window along.
			d = min(max(d, -0.15), 0.15)
			t.bx[i], t.by[i] = t.gx[i]*d, t.gy[i]*d
		}
	}
	bx, by := boxMean(t.bx, t.w, t.h, flowRadius), boxMean(t.by, t.w, t.h, flowRadius)
	for i := range bx {
		a, b, c := t.xx[i]+flowDamp, t.xy[i], t.yy[i]+flowDamp
		det := a*c - b*b
		f.u[i] += min(max((c*bx[i]-b*by[i])/det, -2), 2)
		f.v[i] += min(max((a*by[i]-b*bx[i])/det, -2), 2)
	}
	f.u, f.v = t.spread(f.u), t.spread(f.v)
}

// spread averages motion over the neighbourhood, weighted by trust, so that flat regions take over their borders'.
func (t *tracker) spread(u []float32) []float32 {
	weighted := make([]float32, len(u))
	for i, v := range u {
		weighted[i] = v * (t.trust[i] + 0.01)
	}
	sum := boxMean(weighted, t.w, t.h, 2)
	if t.scrap == nil {
		weights := make([]float32, len(u))
		for i := range weights {
			weights[i] = t.trust[i] + 0.01
		}
		t.scrap = boxMean(weights, t.w, t.h, 2)
	}
	for i := range sum {
		sum[i] /= t.scrap[i]
	}
	return sum
}
