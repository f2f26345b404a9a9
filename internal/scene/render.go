package scene

import (
	"math"
	"runtime"
	"sync"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// Render draws frame t as the camera at eye sees it into dst, which has the scene's size: BT.709,
// limited range, chroma sited left as H.264 and HEVC assume. inv, unless nil, receives the
// Width×Height map of D at the pixels' centres. Frames before 0 or past the end go on with the motion.
func Render[T yuv.Sample](s *Scene, t int, eye float64, dst *yuv.Frame[T], inv []float32) {
	sh := s.shotAt(t)
	st := sh.stage(float64(t) / float64(s.FPS))
	p := &painter{scene: s, stage: st, camera: s.camera(st.camera, sh, eye)}
	for _, th := range st.things {
		p.areas = append(p.areas, p.camera.project(th.extent()))
	}
	noise := newGrain(s.Noise, t, eye)
	pairs := (s.Height + 1) / 2
	workers := min(runtime.GOMAXPROCS(0), pairs)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			sc := newStrip(s.Width)
			for pair := w; pair < pairs; pair += workers {
				drawPair(p, sc, 2*pair, dst, inv)
				addGrain(noise, pair, dst)
			}
		})
	}
	wg.Wait()
}

// strip holds two rows of colour and, of three rows of pixel corners, what each one hit.
type strip struct {
	width   int
	rows    [2][]rgb
	corners [2][]int32
}

func newStrip(width int) *strip {
	s := &strip{width: width}
	for i := range s.rows {
		s.rows[i] = make([]rgb, width)
		s.corners[i] = make([]int32, width+1)
	}
	return s
}

// drawPair draws rows y and y+1 with the row of chroma they share.
func drawPair[T yuv.Sample](p *painter, sc *strip, y int, dst *yuv.Frame[T], inv []float32) {
	p.corners(sc.corners[0], y)
	for i := range 2 {
		if y+i >= dst.Y.H {
			copy(sc.rows[1], sc.rows[0])
			break
		}
		p.corners(sc.corners[1], y+i+1)
		var d []float32
		if inv != nil {
			d = inv[(y+i)*sc.width : (y+i+1)*sc.width]
		}
		p.row(sc, i, y+i, d)
		sc.corners[0], sc.corners[1] = sc.corners[1], sc.corners[0]
		putLuma(dst.Y.Row(y+i), sc.rows[i], dst.Bits)
	}
	putChroma(dst.U.Row(y/2), dst.V.Row(y/2), sc, dst.Bits)
}

// painter traces and shades.
type painter struct {
	scene  *Scene
	stage  stage
	camera camera
	areas  []area // of each thing
}

// area is a rectangle of the picture, in pixels.
type area struct{ x0, y0, x1, y1 float64 }

func (a *area) holds(x, y float64) bool { return x >= a.x0 && x <= a.x1 && y >= a.y0 && y <= a.y1 }

// project returns an area that holds the picture of everything between lo and hi.
func (c *camera) project(lo, hi vec) area {
	everywhere := area{-inf, -inf, inf, inf}
	if math.IsInf(lo.x, -1) {
		return everywhere
	}
	a := area{inf, inf, -inf, -inf}
	for i := range 8 {
		corner := lo
		if i&1 != 0 {
			corner.x = hi.x
		}
		if i&2 != 0 {
			corner.y = hi.y
		}
		if i&4 != 0 {
			corner.z = hi.z
		}
		rel := corner.sub(c.origin)
		z := rel.dot(c.ahead)
		if z < minHit {
			return everywhere
		}
		x, y := c.cx+c.f*rel.dot(c.right)/z, c.cy+c.f*rel.dot(c.down)/z
		a = area{min(a.x0, x), min(a.y0, y), max(a.x1, x), max(a.y1, y)}
	}
	return a
}

// sky is the index of what a ray hits when it hits nothing.
const sky = -1

func (p *painter) corners(ids []int32, y int) {
	for x := range ids {
		ids[x], _ = p.trace(float64(x), float64(y))
	}
}

// trace returns what is seen at image point (x, y), and how far away.
func (p *painter) trace(x, y float64) (id int32, z float64) {
	id, z = sky, math.Inf(1)
	d := p.camera.ray(x, y)
	for i := range p.areas {
		if !p.areas[i].holds(x, y) {
			continue
		}
		if t := p.stage.things[i].hit(p.camera.origin, d); t < z {
			id, z = int32(i), t
		}
	}
	return id, z
}

// row shades one row: once in the middle of a pixel whose corners agree, else on a grid inside it.
func (p *painter) row(sc *strip, i, y int, inv []float32) {
	upper, lower := sc.corners[0], sc.corners[1]
	for x := range sc.width {
		id := upper[x]
		d := p.camera.ray(float64(x)+0.5, float64(y)+0.5)
		plain := id == upper[x+1] && id == lower[x] && id == lower[x+1]
		z := math.Inf(1)
		if plain && id != sky {
			z = p.stage.things[id].hit(p.camera.origin, d)
		}
		if !plain || id != sky && math.IsInf(z, 1) {
			sc.rows[i][x] = p.supersample(x, y)
			_, z = p.trace(float64(x)+0.5, float64(y)+0.5)
		} else {
			sc.rows[i][x] = p.shade(id, d, z)
		}
		if inv != nil {
			inv[x] = p.camera.inverse(z)
		}
	}
}

// supersample averages a 4×4 grid inside the pixel: the antialiasing of silhouettes.
func (p *painter) supersample(x, y int) rgb {
	const n = 4
	var sum rgb
	for j := range n {
		for i := range n {
			at, row := float64(x)+(float64(i)+0.5)/n, float64(y)+(float64(j)+0.5)/n
			id, z := p.trace(at, row)
			c := p.shade(id, p.camera.ray(at, row), z)
			sum = rgb{sum.r + c.r, sum.g + c.g, sum.b + c.b}
		}
	}
	return sum.scale(1.0 / (n * n))
}

// sun points towards the light: from behind the camera, above and to its left.
var sun = vec{-0.45, -0.80, -0.40}.unit()

const ambient = 0.45

func (p *painter) shade(id int32, d vec, z float64) rgb {
	if id == sky {
		up := -d.y / d.length()
		return p.stage.horizon.mix(p.stage.zenith, math.Sqrt(min(max(up*1.6, 0), 1)))
	}
	th := &p.stage.things[id]
	at := p.camera.origin.along(d, z)
	n, u, v := th.surface(at)
	facing := n.dot(d) / d.length()
	if facing > 0 {
		n, facing = n.mul(-1), -facing
	}
	// The footprint is the pixel's size on the surface; the root spares slanted surfaces some blur.
	footprint := z / p.camera.f / th.tile / math.Sqrt(max(-facing, 0.02))
	c := p.scene.atlas.tile(th.texture).at(u/th.tile, v/th.tile, footprint).mul(th.tint)
	c = c.scale(ambient + (1-ambient)*max(n.dot(sun), 0)*p.lit(th, at))
	if p.stage.haze > 0 {
		c = c.mix(p.stage.horizon, 1-math.Exp(-z/p.stage.haze))
	}
	return c
}

// lit returns how much of the sun reaches a point of th.
func (p *painter) lit(th *thing, at vec) float64 {
	if !th.ground {
		return 1
	}
	light := 1.0
	for i := range p.stage.things {
		light *= 1 - 0.8*p.stage.things[i].shade(at, sun)
	}
	return light
}

// BT.709 luma weights; limited range.
const (
	kr, kb = 0.2126, 0.0722
	kg     = 1 - kr - kb
)

func luma(c rgb) float64 { return kr*c.r + kg*c.g + kb*c.b }

func putLuma[T yuv.Sample](out []T, row []rgb, bits int) {
	unit := float64(int(1) << (bits - 8))
	for x, c := range row {
		out[x] = T((16+219*min(max(luma(c), 0), 1))*unit + 0.5)
	}
}

// putChroma filters two rows to one of half the width: 1 2 1 across, since the samples sit on even
// columns, and the mean of the two rows, since they sit between them.
func putChroma[T yuv.Sample](u, v []T, sc *strip, bits int) {
	unit := float64(int(1) << (bits - 8))
	for x := range u {
		var c rgb
		for i, weight := range [3]float64{0.125, 0.25, 0.125} {
			at := min(max(2*x+i-1, 0), sc.width-1)
			a, b := sc.rows[0][at], sc.rows[1][at]
			c = rgb{c.r + weight*(a.r+b.r), c.g + weight*(a.g+b.g), c.b + weight*(a.b+b.b)}
		}
		y := luma(c)
		cb, cr := (c.b-y)/(2*(1-kb)), (c.r-y)/(2*(1-kr))
		u[x] = T((128+224*min(max(cb, -0.5), 0.5))*unit + 0.5)
		v[x] = T((128+224*min(max(cr, -0.5), 0.5))*unit + 0.5)
	}
}
