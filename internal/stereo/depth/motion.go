package depth

import "math"

// camera is the picture motion of a camera before a scene at one distance: a shift, a zoom and a roll about the middle.
// A point (x, y) from the middle moves by (tx + zoom·x - roll·y, ty + zoom·y + roll·x), pixels.
type camera struct{ tx, ty, zoom, roll float64 }

func (c camera) at(x, y float64) (u, v float64) {
	return c.tx + c.zoom*x - c.roll*y, c.ty + c.zoom*y + c.roll*x
}

// fitCamera fits the motion that most of the picture follows, by weighted least squares, reweighted so that what moves
// otherwise counts little.
func fitCamera(s *scratch, f flow) camera {
	var c camera
	spread := math.Inf(1)
	for range 5 {
		c = solveCamera(f, c, spread)
		spread = max(0.15, medianResidual(s, f, c))
	}
	return c
}

const fitStep = 4 // pixels between the places that are fitted

// eachPlace calls visit with places on a grid: offsets from the middle, and the index.
func eachPlace(w, h int, visit func(x, y float64, i int)) {
	for y := fitStep / 2; y < h; y += fitStep {
		for x := fitStep / 2; x < w; x += fitStep {
			visit(float64(x)-float64(w-1)/2, float64(y)-float64(h-1)/2, y*w+x)
		}
	}
}

// solveCamera solves the normal equations with Cauchy weights around the last fit.
func solveCamera(f flow, last camera, spread float64) camera {
	var m [4][5]float64
	eachPlace(f.w, f.h, func(x, y float64, i int) {
		u, v := float64(f.u[i]), float64(f.v[i])
		pu, pv := last.at(x, y)
		r := math.Hypot(u-pu, v-pv) / spread
		weight := float64(f.trust[i]) / (1 + r*r)
		for _, row := range [2][5]float64{{1, 0, x, -y, u}, {0, 1, y, x, v}} {
			for a := range 4 {
				for b := range 5 {
					m[a][b] += weight * row[a] * row[b]
				}
			}
		}
	})
	for a := range 4 {
		m[a][a] += 1e-9
	}
	s := solve(m)
	return camera{s[0], s[1], s[2], s[3]}
}

// solve is Gauss's elimination with pivots; singular systems give zeros.
func solve(m [4][5]float64) (s [4]float64) {
	for c := range 4 {
		p := c
		for r := c + 1; r < 4; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[p][c]) {
				p = r
			}
		}
		m[c], m[p] = m[p], m[c]
		if math.Abs(m[c][c]) < 1e-12 {
			return [4]float64{}
		}
		for r := range 4 {
			if r == c {
				continue
			}
			k := m[r][c] / m[c][c]
			for j := c; j < 5; j++ {
				m[r][j] -= k * m[c][j]
			}
		}
	}
	for c := range 4 {
		s[c] = m[c][4] / m[c][c]
	}
	return s
}

func medianResidual(s *scratch, f flow, c camera) float64 {
	var rs []float32
	eachPlace(f.w, f.h, func(x, y float64, i int) {
		if f.trust[i] > 0.2 {
			u, v := c.at(x, y)
			rs = append(rs, float32(math.Hypot(float64(f.u[i])-u, float64(f.v[i])-v)))
		}
	})
	if len(rs) == 0 {
		return 0
	}
	_, m := percentiles(s, rs, 0, 0.5)
	return float64(m)
}

// parallax is what motion says about depth.
type parallax struct {
	near       []float32 // larger = nearer, any scale
	confidence float32   // [0, 1]
}

// Motions in pixels of the analysed picture, over the whole baseline.
const (
	parallaxHalf = 0.25 // spread of parallax that is half believed
	movingHalf   = 0.6  // motion of things before a still camera that is half believed
	moverShare   = 0.15 // of depth, for what moves before a still camera
	stillCamera  = 0.35 // below this the camera counts as still
)

// newParallax reads depth from the flow. A moving camera shifts every point along one direction, the nearer the
// further; the direction at each place is the camera's own motion without its roll. Before a still camera, what moves
// counts as nearer.
func newParallax(s *scratch, f flow, prior []float32) parallax {
	c := fitCamera(s, f)
	p := parallax{near: s.plane(len(f.u))}
	typical := math.Sqrt(c.tx*c.tx + c.ty*c.ty + c.zoom*c.zoom*float64(f.w*f.w+f.h*f.h)/12)
	if typical < stillCamera {
		p.confidence = movers(p.near, f, c)
		return p
	}
	var spread, weights float64
	for y := range f.h {
		for x := range f.w {
			i := y*f.w + x
			px, py := float64(x)-float64(f.w-1)/2, float64(y)-float64(f.h-1)/2
			ex, ey := c.tx+c.zoom*px, c.ty+c.zoom*py
			u, v := float64(f.u[i])+c.roll*py, float64(f.v[i])-c.roll*px
			length := math.Hypot(ex, ey)
			// The signed motion along the direction, beyond the camera's; where the direction fades (the point that a
			// forward motion heads for) so does the measure.
			along := ((u-ex)*ex + (v-ey)*ey) / math.Sqrt(length*length+0.25*typical*typical)
			p.near[i] = float32(along)
			spread += float64(f.trust[i]) * along * along
			weights += float64(f.trust[i])
		}
	}
	spread = math.Sqrt(spread / max(weights, 1e-9))
	p.confidence = float32(spread * spread / (spread*spread + parallaxHalf*parallaxHalf))
	if opposed(p.near, prior) {
		for i := range p.near {
			p.near[i] = -p.near[i]
		}
	}
	return p
}

// opposed reports whether the parallax clearly contradicts the prior: a camera that turns against its shift, to
// follow something, makes far points move further than near ones.
func opposed(near, prior []float32) bool { return correlation(near, prior) < -0.5 }

func correlation(a, b []float32) float64 {
	var ma, mb float64
	for i := range a {
		ma += float64(a[i])
		mb += float64(b[i])
	}
	ma, mb = ma/float64(len(a)), mb/float64(len(b))
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i])-ma, float64(b[i])-mb
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// movers is the parallax before a still camera: it fills near and returns the confidence.
func movers(near []float32, f flow, c camera) float32 {
	var most float32
	for y := range f.h {
		for x := range f.w {
			i := y*f.w + x
			cu, cv := c.at(float64(x)-float64(f.w-1)/2, float64(y)-float64(f.h-1)/2)
			speed := float32(math.Hypot(float64(f.u[i])-cu, float64(f.v[i])-cv)) * f.trust[i]
			near[i] = speed / (speed + movingHalf)
			most = max(most, near[i])
		}
	}
	return moverShare * most * most
}
