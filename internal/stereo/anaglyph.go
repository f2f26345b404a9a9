package stereo

import (
	"math"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// mixture gives each of red, green and blue as weights of the left view's red, green and blue, then
// of the right view's.
type mixture [3][6]float32

// duboisRedCyan projects both views onto what an eye behind a red and one behind a cyan filter can
// see on a display, in linear light: E. Dubois, "A projection method to generate anaglyph stereo
// images", ICASSP 2001, in the form that its author published for red-cyan glasses.
var duboisRedCyan = mixture{
	{0.456100, 0.500484, 0.176381, -0.0434706, -0.0879388, -0.00155529},
	{-0.0400822, -0.0378246, -0.0157589, 0.378476, 0.73364, -0.0184503},
	{-0.0152161, -0.0205971, -0.00546856, -0.0721527, -0.112961, 1.2264},
}

// newMixture returns a method's weights. All but Dubois mix signals, not light.
func newMixture(method job.AnaglyphMethod, kr, kb float32) (m mixture, linear bool) {
	luma := [3]float32{kr, 1 - kr - kb, kb}
	switch method {
	case job.Color:
		m[0][0], m[1][4], m[2][5] = 1, 1, 1
	case job.HalfColor:
		copy(m[0][:3], luma[:])
		m[1][4], m[2][5] = 1, 1
	case job.Gray:
		copy(m[0][:3], luma[:])
		copy(m[1][3:], luma[:])
		copy(m[2][3:], luma[:])
	default:
		return duboisRedCyan, true
	}
	return m, false
}

// Signals become light, and light signals, by table. A signal in [0, 1] counts lightSteps; a light's
// place in its table is the top of its floating-point form, so that the steps are finest near black.
const (
	lightSteps   = 4096
	lightShift   = 13               // mantissa bits dropped: 1,024 steps from a light to its double
	darkestBits  = (127 - 24) << 23 // light 2^-24 and below is black
	signalLevels = 24<<(23-lightShift) + 1
)

// glasses mixes both views into one frame.
type glasses[T yuv.Sample] struct {
	w, h       int
	chromaLeft bool
	color      colorimetry
	mix        mixture
	linear     bool
	light      *[lightSteps + 1]float32 // by signal
	signal     *[signalLevels]float32   // by light
}

func newGlasses[T yuv.Sample](r *Renderer[T]) *glasses[T] {
	g := &glasses[T]{
		w: r.ew, h: r.eh, chromaLeft: r.cfg.chromaLeft(),
		color: newColorimetry(r.cfg.Matrix, r.cfg.FullRange, r.bits, r.w, r.h),
	}
	g.mix, g.linear = newMixture(r.cfg.Anaglyph, float32(g.color.kr), float32(g.color.kb))
	if !g.linear {
		return g
	}
	law := newTransfer(r.cfg.Transfer)
	g.light = new([lightSteps + 1]float32)
	for i := range g.light {
		g.light[i] = float32(law.toLight(float64(i) / lightSteps))
	}
	g.signal = new([signalLevels]float32)
	for i := range g.signal {
		// The middle of the lights that share this place; the first and last are black and white.
		bits := uint32(darkestBits + i<<lightShift)
		v := math.Float32frombits(bits + 1<<(lightShift-1))
		g.signal[i] = float32(law.toSignal(min(float64(v), 1)))
	}
	g.signal[0] = float32(law.toSignal(0))
	return g
}

func (g *glasses[T]) size() (int, int)                  { return g.w, g.h }
func (g *glasses[T]) finish() int                       { return 0 }
func (g *glasses[T]) piece(*Renderer[T], *desk[T], int) {}

// mixRows are the sums of two rows' colour differences, at full resolution.
type mixRows struct{ cb, cr []float32 }

func newMixRows(w int) mixRows { return mixRows{make([]float32, w), make([]float32, w)} }

func (g *glasses[T]) rows(r *Renderer[T], d *desk[T], j int) {
	r.views(d, j, &d.views[0], &d.views[1])
	g.mixPair(r.dst, d, j, float32(int32(1)<<r.bits-1))
}

// mixPair mixes the desk's views into rows 2j and 2j+1 of dst. top is the largest code value.
func (g *glasses[T]) mixPair(dst *yuv.Frame[T], d *desk[T], j int, top float32) {
	clear(d.mix.cb)
	clear(d.mix.cr)
	for i := range 2 {
		g.mixRow(dst.Y.Row(2*j+i), &d.views[0], &d.views[1], i, &d.mix)
	}
	g.chroma(dst.U.Row(j), d.mix.cb, g.color.kb, top)
	g.chroma(dst.V.Row(j), d.mix.cr, g.color.kr, top)
}

// decoder turns code values into R'G'B'.
type decoder struct{ black, scale, neutral, rv, gu, gv, bu float32 }

func (c *colorimetry) decoder() decoder {
	kr, kb := c.kr, c.kb
	kg := 1 - kr - kb
	return decoder{
		black: float32(c.black), scale: float32(1 / c.lumaSpan), neutral: float32(c.neutral),
		rv: float32(2 * (1 - kr) / c.colorSpan), bu: float32(2 * (1 - kb) / c.colorSpan),
		gu: float32(-2 * kb * (1 - kb) / kg / c.colorSpan), gv: float32(-2 * kr * (1 - kr) / kg / c.colorSpan),
	}
}

func (d *decoder) rgb(y, u, v float32) (r, g, b float32) {
	y, u, v = (y-d.black)*d.scale, u-d.neutral, v-d.neutral
	return y + d.rv*v, y + d.gu*u + d.gv*v, y + d.bu*u
}

// mixRow mixes luma row i of a pair and adds the colour differences B'-Y' and R'-Y' to sums.
func (g *glasses[T]) mixRow(out []T, left, right *viewRows[T], i int, sums *mixRows) {
	dec := g.color.decoder()
	kr, kb := float32(g.color.kr), float32(g.color.kb)
	kg := 1 - kr - kb
	span, black := float32(g.color.lumaSpan), float32(g.color.black)+0.5
	ly, ry := left.y[i][:len(out)], right.y[i][:len(out)]
	cb, cr := sums.cb[:len(out)], sums.cr[:len(out)]
	last := len(left.u) - 1
	var c [6]float32
	for x := range out {
		k, next := chromaAround(x, last, g.chromaLeft)
		c[0], c[1], c[2] = dec.rgb(float32(ly[x]), mean(left.u[k], left.u[next]), mean(left.v[k], left.v[next]))
		c[3], c[4], c[5] = dec.rgb(float32(ry[x]), mean(right.u[k], right.u[next]), mean(right.v[k], right.v[next]))
		red, green, blue := g.blend(&c)
		y := kr*red + kg*green + kb*blue
		out[x] = T(int32(y*span + black)) // y is in [0, 1]
		cb[x] += blue - y
		cr[x] += red - y
	}
}

// chromaAround returns the chroma columns whose mean luma column x has, at most last. Between two
// even columns both count; where chroma lies between columns, the nearer one does.
func chromaAround(x, last int, left bool) (k, next int) {
	k = x / 2
	if left && x&1 == 1 {
		return k, min(k+1, last)
	}
	return k, k
}

func mean[T yuv.Sample](a, b T) float32 { return 0.5 * float32(int32(a)+int32(b)) }

// blend mixes two R'G'B' colours into one, each component in [0, 1].
func (g *glasses[T]) blend(c *[6]float32) (red, green, blue float32) {
	if !g.linear {
		for i, v := range c {
			c[i] = unit(v)
		}
		return g.mix.row(0, c), g.mix.row(1, c), g.mix.row(2, c)
	}
	for i, v := range c {
		c[i] = g.light[lightStep(v)]
	}
	return g.signal[signalStep(g.mix.row(0, c))], g.signal[signalStep(g.mix.row(1, c))], g.signal[signalStep(g.mix.row(2, c))]
}

func (m *mixture) row(i int, c *[6]float32) float32 {
	k := &m[i]
	return k[0]*c[0] + k[1]*c[1] + k[2]*c[2] + k[3]*c[3] + k[4]*c[4] + k[5]*c[5]
}

// unit limits v to [0, 1]. The built-in min and max would also look for NaN, which costs more than
// the mixing.
func unit(v float32) float32 {
	if v < 0 {
		return 0
	}
	if v > 1 {
		return 1
	}
	return v
}

// lightStep returns a signal's place in the table of lights.
func lightStep(v float32) uint32 {
	i := int32(v*lightSteps + 0.5)
	if uint32(i) > lightSteps {
		if i < 0 {
			return 0
		}
		return lightSteps
	}
	return uint32(i)
}

// signalStep returns a light's place in the table of signals. A negative light's bits are a negative
// number.
func signalStep(light float32) uint32 {
	i := int32(math.Float32bits(light))
	if i <= darkestBits {
		return 0
	}
	return min(uint32(i-darkestBits)>>lightShift, signalLevels-1)
}

// chroma writes a row of a colour difference, filtered down from two rows' sums: 1 2 1 about the
// even columns, or the mean of two columns where chroma lies between them. weight is the luma weight
// of the colour that luma is taken from.
func (g *glasses[T]) chroma(out []T, sums []float32, weight float64, top float32) {
	scale := float32(g.color.colorSpan / (2 * (1 - weight)) / 2) // two rows
	neutral := float32(g.color.neutral) + 0.5
	last := len(sums) - 1
	for i := range out {
		x := 2 * i
		v := 0.5 * (sums[x] + sums[x+1])
		if g.chromaLeft {
			v = 0.25*sums[max(x-1, 0)] + 0.5*sums[x] + 0.25*sums[min(x+1, last)]
		}
		out[i] = T(min(max(v*scale+neutral, 0), top))
	}
}
