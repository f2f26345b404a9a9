package depth

// pyramid is a luma picture at halving sizes, finest first.
type pyramid []layer

type layer struct {
	w, h int
	v    []float32
}

// coarsest is the smallest side of a pyramid's top.
const coarsest = 12

func newPyramid(s *scratch, y []float32, w, h int) pyramid {
	p := pyramid{{w, h, make([]float32, len(y))}}
	boxMeanTo(s, p[0].v, y, w, h, 1)
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

	spreadRadius = 2    // of the window that motion is averaged over, pixels
	leastTrust   = 0.01 // of any pixel, when motion is averaged
)

// newFlow follows from's pixels into to, coarse to fine, by least squares over small windows with warping (B. Lucas and
// T. Kanade, "An iterative image registration technique", IJCAI 1981; J.-Y. Bouguet's pyramid), smoothed at each layer.
// The result is lent by s.
func newFlow(s *scratch, from, to pyramid) flow {
	var f flow
	for i := len(from) - 1; i >= 0; i-- {
		f = grow(s, f, from[i].w, from[i].h)
		mark := s.mark()
		tracker := newTracker(s, from[i], f.trust)
		for range flowRounds {
			tracker.refine(s, &f, to[i])
		}
		s.release(mark)
	}
	return f
}

// grow resamples a flow to the next finer layer; its trust is yet to be found.
func grow(s *scratch, f flow, w, h int) flow {
	g := flow{w: w, h: h, u: s.plane(w * h), v: s.plane(w * h), trust: s.plane(w * h)}
	if f.w == 0 {
		clear(g.u)
		clear(g.v)
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
	gx, gy     []float32
	xx, xy, yy []float32 // structure tensor, averaged over the window
	trust      []float32
	around     []float32 // trust, averaged over what motion is spread over
}

// newTracker fills trust, and is lent the rest by s.
func newTracker(s *scratch, l layer, trust []float32) *tracker {
	n := len(l.v)
	t := &tracker{layer: l, gx: s.plane(n), gy: s.plane(n), xx: s.plane(n), xy: s.plane(n), yy: s.plane(n), around: s.plane(n), trust: trust}
	t.differentiate()
	for _, plane := range [][]float32{t.xx, t.xy, t.yy} {
		boxMeanTo(s, plane, plane, l.w, l.h, flowRadius)
	}
	for i := range t.trust {
		structure := t.xx[i] + t.yy[i]
		t.trust[i] = structure / (structure + flowTrust)
		t.around[i] = t.trust[i] + leastTrust
	}
	boxMeanTo(s, t.around, t.around, l.w, l.h, spreadRadius)
	return t
}

// differentiate fills the gradient, and the structure tensor of single pixels.
func (t *tracker) differentiate() {
	l := t.layer
	for y := range l.h {
		up, down := max(y-1, 0)*l.w, min(y+1, l.h-1)*l.w
		for x := range l.w {
			i := y*l.w + x
			gx := (l.v[y*l.w+min(x+1, l.w-1)] - l.v[y*l.w+max(x-1, 0)]) / 2
			gy := (l.v[down+x] - l.v[up+x]) / 2
			t.gx[i], t.gy[i] = gx, gy
			t.xx[i], t.xy[i], t.yy[i] = gx*gx, gx*gy, gy*gy
		}
	}
}

// refine adds to f what the difference between the layer and the warped other picture asks for.
func (t *tracker) refine(s *scratch, f *flow, to layer) {
	defer s.release(s.mark())
	bx, by := s.plane(len(t.v)), s.plane(len(t.v))
	for y := range t.h {
		for x := range t.w {
			i := y*t.w + x
			d := t.v[i] - to.at(float32(x)+f.u[i], float32(y)+f.v[i])
			// A pixel that is covered or leaves the picture must not pull its window along.
			d = min(max(d, -0.15), 0.15)
			bx[i], by[i] = t.gx[i]*d, t.gy[i]*d
		}
	}
	boxMeanTo(s, bx, bx, t.w, t.h, flowRadius)
	boxMeanTo(s, by, by, t.w, t.h, flowRadius)
	for i := range bx {
		a, b, c := t.xx[i]+flowDamp, t.xy[i], t.yy[i]+flowDamp
		det := a*c - b*b
		f.u[i] += min(max((c*bx[i]-b*by[i])/det, -2), 2)
		f.v[i] += min(max((a*by[i]-b*bx[i])/det, -2), 2)
	}
	t.spread(s, f.u)
	t.spread(s, f.v)
}

// spread averages motion over the neighbourhood, weighted by trust, so that flat regions take over their borders'.
func (t *tracker) spread(s *scratch, u []float32) {
	for i, v := range u {
		u[i] = v * (t.trust[i] + leastTrust)
	}
	boxMeanTo(s, u, u, t.w, t.h, spreadRadius)
	for i := range u {
		u[i] /= t.around[i]
	}
}
