package scene

import (
	"math"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// grain is Gaussian sensor noise of one frame and eye. A nil grain is none.
type grain struct {
	seed uint64
	// quantiles are the normal distribution's, times the standard deviation, in 8-bit code values.
	quantiles [4096]float32
}

func newGrain(sigma float64, t int, eye float64) *grain {
	if sigma <= 0 {
		return nil
	}
	g := &grain{seed: uint64(t)*0x9E3779B97F4A7C15 ^ math.Float64bits(eye+3)}
	for i := range g.quantiles {
		p := (float64(i) + 0.5) / float64(len(g.quantiles))
		g.quantiles[i] = float32(sigma * math.Sqrt2 * math.Erfinv(2*p-1))
	}
	return g
}

// addGrain adds noise to the two luma rows and the chroma row of a pair.
func addGrain[T yuv.Sample](g *grain, pair int, f *yuv.Frame[T]) {
	if g == nil {
		return
	}
	for y := 2 * pair; y < min(2*pair+2, f.Y.H); y++ {
		addRow(g, f.Y.Row(y), uint64(y)<<2, f.Bits)
	}
	addRow(g, f.U.Row(pair), uint64(pair)<<2|1, f.Bits)
	addRow(g, f.V.Row(pair), uint64(pair)<<2|2, f.Bits)
}

func addRow[T yuv.Sample](g *grain, row []T, stream uint64, bits int) {
	unit, top := float32(int(1)<<(bits-8)), float32(int(1)<<bits-1)
	for x := range row {
		r := mix64(g.seed ^ mix64(stream<<32|uint64(x)))
		v := float32(row[x]) + unit*g.quantiles[r>>52]
		row[x] = T(min(max(v, 0), top) + 0.5)
	}
}

// mix64 is the output function of SplitMix64 (Steele, Lea, Flood 2014).
func mix64(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
