package scene

import (
	"math"
	"sync"
)

// rgb is a gamma-encoded colour, each component in [0, 1].
type rgb struct{ r, g, b float64 }

func (a rgb) mul(b rgb) rgb       { return rgb{a.r * b.r, a.g * b.g, a.b * b.b} }
func (a rgb) scale(k float64) rgb { return rgb{a.r * k, a.g * k, a.b * k} }
func (a rgb) mix(b rgb, k float64) rgb {
	return rgb{a.r + (b.r-a.r)*k, a.g + (b.g-a.g)*k, a.b + (b.b-a.b)*k}
}

// texture names a procedural, seamlessly tiling pattern.
type texture int

const (
	stone texture = iota
	grass
	plaster
	bricks
	checker
	leaves
	marble
	textureCount
)

// atlas bakes the textures of a scene on first use. Safe for concurrent use.
type atlas struct {
	size  int // texels along a tile's side, a power of two
	once  [textureCount]sync.Once
	tiles [textureCount]*pyramid
}

// newAtlas chooses a tile size that suits pictures whose longer side has this many pixels.
func newAtlas(side int) *atlas {
	switch {
	case side <= 400:
		return &atlas{size: 256}
	case side <= 1000:
		return &atlas{size: 512}
	}
	return &atlas{size: 1024}
}

func (a *atlas) tile(t texture) *pyramid {
	a.once[t].Do(func() { a.tiles[t] = bake(t, a.size) })
	return a.tiles[t]
}

// pyramid is a tile with its halvings down to one texel.
type pyramid struct{ levels []level }

type level struct {
	size   int
	texels []float32 // r, g, b of each texel
}

func bake(t texture, size int) *pyramid {
	base := level{size: size, texels: make([]float32, 3*size*size)}
	paint := painters[t]
	step := 1 / float64(size)
	for y := range size {
		for x := range size {
			c := paint((float64(x)+0.5)*step, (float64(y)+0.5)*step, size)
			i := 3 * (y*size + x)
			base.texels[i], base.texels[i+1], base.texels[i+2] = float32(c.r), float32(c.g), float32(c.b)
		}
	}
	p := &pyramid{levels: []level{base}}
	for base.size > 1 {
		base = base.halved()
		p.levels = append(p.levels, base)
	}
	return p
}

func (l level) halved() level {
	n := l.size / 2
	h := level{size: n, texels: make([]float32, 3*n*n)}
	for y := range n {
		for x := range n {
			a, b := 3*(2*y*l.size+2*x), 3*((2*y+1)*l.size+2*x)
			for c := range 3 {
				sum := l.texels[a+c] + l.texels[a+3+c] + l.texels[b+c] + l.texels[b+3+c]
				h.texels[3*(y*n+x)+c] = sum / 4
			}
		}
	}
	return h
}

// at returns the colour at (u, v), in tiles, averaged over about footprint tiles (trilinear).
func (p *pyramid) at(u, v, footprint float64) rgb {
	top := len(p.levels) - 1
	lod := math.Log2(math.Max(footprint*float64(p.levels[0].size), 1))
	i := min(int(lod), top)
	c := p.levels[i].at(u, v)
	if i == top {
		return c
	}
	return c.mix(p.levels[i+1].at(u, v), lod-float64(i))
}

func (l *level) at(u, v float64) rgb {
	x, y := u*float64(l.size)-0.5, v*float64(l.size)-0.5
	fx, fy := math.Floor(x), math.Floor(y)
	mask := l.size - 1
	x0, y0 := int(fx)&mask, int(fy)&mask
	x1, y1 := (x0+1)&mask, (y0+1)&mask
	wx, wy := float32(x-fx), float32(y-fy)
	a, b := l.texels[3*(y0*l.size+x0):][:3], l.texels[3*(y0*l.size+x1):][:3]
	c, d := l.texels[3*(y1*l.size+x0):][:3], l.texels[3*(y1*l.size+x1):][:3]
	var out [3]float64
	for k := range out {
		upper := a[k] + (b[k]-a[k])*wx
		lower := c[k] + (d[k]-c[k])*wx
		out[k] = float64(upper + (lower-upper)*wy)
	}
	return rgb{out[0], out[1], out[2]}
}

// painters draw one texel at (u, v) in [0, 1)²; octaves finer than half of size texels are left out.
var painters = [textureCount]func(u, v float64, size int) rgb{
	stone: func(u, v float64, size int) rgb {
		n, hue := fractal(u, v, 4, size, 0.68, 1), fractal(u, v, 3, 24, 0.6, 2)
		return rgb{0.50, 0.47, 0.44}.mix(rgb{0.40, 0.45, 0.52}, hue).scale(0.45 + 1.1*n)
	},
	grass: func(u, v float64, size int) rgb {
		n, hue := fractal(u, v, 6, size, 0.8, 3), fractal(u, v, 3, 32, 0.7, 4)
		return rgb{0.26, 0.42, 0.14}.mix(rgb{0.55, 0.50, 0.22}, hue).scale(0.35 + 1.3*n)
	},
	plaster: func(u, v float64, size int) rgb {
		n, hue := fractal(u, v, 3, size, 0.55, 5), fractal(u, v, 2, 16, 0.6, 6)
		return rgb{0.80, 0.74, 0.62}.mix(rgb{0.66, 0.62, 0.60}, hue).scale(0.70 + 0.5*n)
	},
	bricks:  paintBricks,
	checker: paintChecker,
	leaves: func(u, v float64, size int) rgb {
		n, hue := fractal(u, v, 8, size, 0.75, 9), fractal(u, v, 4, 64, 0.7, 10)
		return rgb{0.12, 0.30, 0.10}.mix(rgb{0.62, 0.42, 0.12}, hue*hue*1.4).scale(0.30 + 1.4*n)
	},
	marble: func(u, v float64, size int) rgb {
		warp := fractal(u, v, 4, size, 0.6, 11)
		vein := 0.5 + 0.5*math.Sin(2*math.Pi*(3*u+2*v+2.5*warp))
		return rgb{0.86, 0.83, 0.80}.mix(rgb{0.42, 0.40, 0.46}, vein*vein*vein).scale(0.8 + 0.3*warp)
	},
}

func paintBricks(u, v float64, size int) rgb {
	const across, up = 8, 16
	row := math.Floor(v * up)
	x := u*across + 0.5*math.Mod(row, 2)
	col := math.Mod(math.Floor(x), across)
	fx, fy := x-math.Floor(x), v*up-row
	grain := fractal(u, v, 8, size, 0.65, 7)
	if fx < 0.05 || fy < 0.10 {
		return rgb{0.66, 0.63, 0.58}.scale(0.7 + 0.5*grain)
	}
	own := lattice(int(col), int(row), 8)
	return rgb{0.58, 0.27, 0.19}.mix(rgb{0.42, 0.24, 0.22}, own).scale(0.55 + 0.25*own + 0.7*grain)
}

func paintChecker(u, v float64, size int) rgb {
	grain := 0.75 + 0.5*fractal(u, v, 8, size, 0.6, 12)
	if (int(u*8)+int(v*8))%2 == 0 {
		return rgb{0.80, 0.78, 0.72}.scale(grain)
	}
	return rgb{0.20, 0.26, 0.38}.scale(grain)
}

// fractal is a sum of octaves of value noise from the given frequency (cycles per tile) to half of
// finest, each weaker than the one before by gain; the result has mean 0.5 and stays in [0, 1].
func fractal(u, v float64, freq, finest int, gain float64, seed uint32) float64 {
	sum, amp, total := 0.0, 1.0, 0.0
	for ; freq <= finest/2; freq *= 2 {
		sum += amp * valueNoise(u, v, freq, seed)
		total += amp * amp
		amp *= gain
		seed += 101
	}
	// Octaves are independent, so their deviations add in squares; 0.62 keeps the contrast lively.
	return min(max(0.5+0.62*sum/math.Sqrt(max(total, 1e-9)), 0), 1)
}

// valueNoise interpolates random numbers in [-0.5, 0.5] on a lattice of freq×freq per tile.
func valueNoise(u, v float64, freq int, seed uint32) float64 {
	x, y := u*float64(freq), v*float64(freq)
	x0, y0 := int(x), int(y)
	wx, wy := smooth(x-float64(x0)), smooth(y-float64(y0))
	x1, y1 := (x0+1)%freq, (y0+1)%freq
	a, b := lattice(x0, y0, seed), lattice(x1, y0, seed)
	c, d := lattice(x0, y1, seed), lattice(x1, y1, seed)
	return (a+(b-a)*wx)*(1-wy) + (c+(d-c)*wx)*wy - 0.5
}

func smooth(t float64) float64 { return t * t * (3 - 2*t) }

// lattice returns the fixed random number in [0, 1) of a lattice point.
func lattice(x, y int, seed uint32) float64 {
	h := uint32(x)*0x9E3779B1 ^ uint32(y)*0x85EBCA77 ^ seed*0xC2B2AE3D
	h = (h ^ h>>15) * 0x2C1B3C6D
	h = (h ^ h>>12) * 0x297A2D39
	return float64((h^h>>15)>>8) / (1 << 24)
}
