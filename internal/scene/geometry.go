package scene

import "math"

type vec struct{ x, y, z float64 }

func (a vec) add(b vec) vec              { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) sub(b vec) vec              { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) mul(k float64) vec          { return vec{a.x * k, a.y * k, a.z * k} }
func (a vec) dot(b vec) float64          { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) length() float64            { return math.Sqrt(a.dot(a)) }
func (a vec) unit() vec                  { return a.mul(1 / a.length()) }
func (a vec) along(d vec, t float64) vec { return vec{a.x + d.x*t, a.y + d.y*t, a.z + d.z*t} }

// thing is a shape with a surface.
type thing struct {
	shape
	texture texture
	tile    float64 // world units that one texture tile covers
	tint    rgb     // multiplies the texture
	ground  bool    // receives shadows
}

// shape is something a ray can meet.
type shape interface {
	// hit returns the smallest t > 0 with o + t·d on the shape, or +Inf.
	hit(o, d vec) float64
	// surface returns the outward normal and the surface coordinates (world units) at p.
	surface(p vec) (normal vec, u, v float64)
	// extent returns the corners of a box around the shape, infinite where it has no end.
	extent() (lo, hi vec)
	// shade returns how much of the sun (unit vector towards it) the shape hides from p, 0 to 1.
	shade(p, sun vec) float64
}

// minHit keeps a ray from meeting what lies in the lens.
const minHit = 1e-3

// sheet is a flat rectangle, or an infinite plane when its half extents are +Inf.
type sheet struct {
	at           vec // centre
	u, v, n      vec // unit axes in the plane and its normal
	halfU, halfV float64
	// cutout, if set, says which points of the rectangle are solid.
	cutout func(u, v float64) bool
}

func newSheet(at, u, v vec, halfU, halfV float64) *sheet {
	n := vec{u.y*v.z - u.z*v.y, u.z*v.x - u.x*v.z, u.x*v.y - u.y*v.x}
	return &sheet{at: at, u: u, v: v, n: n, halfU: halfU, halfV: halfV}
}

func (s *sheet) extent() (lo, hi vec) {
	if math.IsInf(s.halfU, 1) {
		return vec{-inf, -inf, -inf}, vec{inf, inf, inf}
	}
	r := vec{
		math.Abs(s.u.x)*s.halfU + math.Abs(s.v.x)*s.halfV,
		math.Abs(s.u.y)*s.halfU + math.Abs(s.v.y)*s.halfV,
		math.Abs(s.u.z)*s.halfU + math.Abs(s.v.z)*s.halfV,
	}
	return s.at.sub(r), s.at.add(r)
}

func (s *sheet) hit(o, d vec) float64 {
	t := s.at.sub(o).dot(s.n) / d.dot(s.n)
	if !(t > minHit) {
		return math.Inf(1)
	}
	rel := o.along(d, t).sub(s.at)
	u, v := rel.dot(s.u), rel.dot(s.v)
	if math.Abs(u) > s.halfU || math.Abs(v) > s.halfV || s.cutout != nil && !s.cutout(u, v) {
		return math.Inf(1)
	}
	return t
}

func (s *sheet) surface(p vec) (vec, float64, float64) {
	rel := p.sub(s.at)
	return s.n, rel.dot(s.u), rel.dot(s.v)
}

func (s *sheet) shade(vec, vec) float64 { return 0 }

// ball is a sphere that can roll about the camera's axis direction z.
type ball struct {
	at     vec
	r      float64
	rolled float64 // radians
}

func (b *ball) hit(o, d vec) float64 {
	rel := o.sub(b.at)
	dd, half := d.dot(d), rel.dot(d)
	disc := half*half - dd*(rel.dot(rel)-b.r*b.r)
	if disc < 0 {
		return math.Inf(1)
	}
	return firstRoot(-half/dd, math.Sqrt(disc)/dd)
}

func firstRoot(mid, half float64) float64 {
	if t := mid - half; t > minHit {
		return t
	}
	return math.Inf(1)
}

func (b *ball) extent() (lo, hi vec) {
	r := vec{b.r, b.r, b.r}
	return b.at.sub(r), b.at.add(r)
}

func (b *ball) surface(p vec) (vec, float64, float64) {
	n := p.sub(b.at).mul(1 / b.r)
	s, c := math.Sincos(b.rolled)
	q := vec{n.x*c + n.y*s, n.y*c - n.x*s, n.z}
	return n, math.Atan2(q.x, -q.z) * b.r, math.Asin(min(max(q.y, -1), 1)) * b.r
}

func (b *ball) shade(p, sun vec) float64 {
	rel := b.at.sub(p)
	along := rel.dot(sun)
	if along < 0 {
		return 0
	}
	return softStep(rel.along(sun, -along).length() / b.r)
}

// softStep is 1 well inside a shadow (distance 0.75 radii), 0 well outside (1.25 radii).
func softStep(x float64) float64 {
	x = min(max((1.25-x)/0.5, 0), 1)
	return x * x * (3 - 2*x)
}

// column is an upright cylinder without caps; it stands from y = foot up to y = top (top < foot).
type column struct {
	x, z, r   float64
	top, foot float64
}

func (c *column) hit(o, d vec) float64 {
	rx, rz := o.x-c.x, o.z-c.z
	dd, half := d.x*d.x+d.z*d.z, rx*d.x+rz*d.z
	disc := half*half - dd*(rx*rx+rz*rz-c.r*c.r)
	if disc < 0 {
		return math.Inf(1)
	}
	t := firstRoot(-half/dd, math.Sqrt(disc)/dd)
	if y := o.y + d.y*t; y < c.top || y > c.foot {
		return math.Inf(1)
	}
	return t
}

func (c *column) extent() (lo, hi vec) {
	return vec{c.x - c.r, c.top, c.z - c.r}, vec{c.x + c.r, c.foot, c.z + c.r}
}

func (c *column) surface(p vec) (vec, float64, float64) {
	n := vec{(p.x - c.x) / c.r, 0, (p.z - c.z) / c.r}
	return n, math.Atan2(n.x, -n.z) * c.r, p.y - c.top
}

func (c *column) shade(p, sun vec) float64 { return uprightShade(p, sun, c.x, c.z, c.r, c.foot-c.top) }

// uprightShade is the shadow of an upright column of the given height on the ground at p.
func uprightShade(p, sun vec, x, z, r, height float64) float64 {
	dx, dz := x-p.x, z-p.z
	across := dx*sun.z - dz*sun.x
	flat := sun.x*sun.x + sun.z*sun.z
	if across*across > 1.6*r*r*flat {
		return 0
	}
	norm := 1 / math.Sqrt(flat)
	along := (dx*sun.x + dz*sun.z) * norm
	reach := height / (-sun.y * norm)
	fade := min(1, (along+r)/r, (reach-along)/r)
	return softStep(math.Abs(across)*norm/r) * max(fade, 0)
}

// box is a cuboid turned about the vertical by yaw.
type box struct {
	at       vec // centre
	half     vec // half extents
	sin, cos float64
}

func newBox(at, half vec, yaw float64) *box {
	s, c := math.Sincos(yaw)
	return &box{at: at, half: half, sin: s, cos: c}
}

func (b *box) local(v vec) vec { return vec{v.x*b.cos - v.z*b.sin, v.y, v.x*b.sin + v.z*b.cos} }
func (b *box) world(v vec) vec { return vec{v.x*b.cos + v.z*b.sin, v.y, v.z*b.cos - v.x*b.sin} }

func (b *box) hit(o, d vec) float64 {
	lo, ld := b.local(o.sub(b.at)), b.local(d)
	in, out := slab(lo.x, ld.x, b.half.x, math.Inf(-1), math.Inf(1))
	in, out = slab(lo.y, ld.y, b.half.y, in, out)
	in, out = slab(lo.z, ld.z, b.half.z, in, out)
	if in > out || in <= minHit {
		return math.Inf(1)
	}
	return in
}

// slab narrows [in, out] to the part of a ray between two parallel faces.
func slab(o, d, half, in, out float64) (float64, float64) {
	a, b := (-half-o)/d, (half-o)/d
	return math.Max(in, math.Min(a, b)), math.Min(out, math.Max(a, b))
}

func (b *box) extent() (lo, hi vec) {
	r := vec{
		math.Abs(b.cos)*b.half.x + math.Abs(b.sin)*b.half.z,
		b.half.y,
		math.Abs(b.sin)*b.half.x + math.Abs(b.cos)*b.half.z,
	}
	return b.at.sub(r), b.at.add(r)
}

func (b *box) surface(p vec) (vec, float64, float64) {
	l := b.local(p.sub(b.at))
	x, y, z := math.Abs(l.x)/b.half.x, math.Abs(l.y)/b.half.y, math.Abs(l.z)/b.half.z
	switch {
	case x >= y && x >= z:
		return b.world(vec{math.Copysign(1, l.x), 0, 0}), l.z + b.half.x, l.y
	case y >= z:
		return vec{0, math.Copysign(1, l.y), 0}, l.x, l.z + b.half.y
	}
	return b.world(vec{0, 0, math.Copysign(1, l.z)}), l.x, l.y
}

func (b *box) shade(p, sun vec) float64 {
	return uprightShade(p, sun, b.at.x, b.at.z, math.Sqrt(b.half.x*b.half.z)*1.1, 2*b.half.y)
}
