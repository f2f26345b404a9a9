package depth

import "slices"

// percentiles returns the values below which the shares lo and hi of v lie.
func percentiles(v []float32, lo, hi float64) (a, b float32) {
	s := slices.Clone(v)
	slices.Sort(s)
	at := func(q float64) float32 { return s[int(q*float64(len(s)-1)+0.5)] }
	return at(lo), at(hi)
}

// flattest is the smallest range that is stretched to the whole: noise in a flat scene must not become depth.
const flattest = 0.1

// stretch maps [lo, hi] to [0, 1], clamped.
func stretch(v []float32, lo, hi float32) []float32 {
	middle, half := (lo+hi)/2, max(hi-lo, flattest)/2
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = min(max((x-middle)/(2*half)+0.5, 0), 1)
	}
	return out
}
