package stereo

import "github.com/stereospot/stereospot/internal/stereo/yuv"

// tapBits is the precision of filter weights.
const tapBits = 10

// cubics holds the weights of the four pixels around each of 256 places between two pixels.
type cubics [fixOne][4]int32

// newCubics returns the Catmull-Rom kernel (cubic convolution with a = -1/2: Keys, "Cubic convolution
// interpolation for digital image processing", 1981).
func newCubics() *cubics {
	var c cubics
	for i := range c {
		t := float64(i) / fixOne
		w := [4]float64{
			((-0.5*t+1)*t - 0.5) * t,
			(1.5*t-2.5)*t*t + 1,
			((-1.5*t+2)*t + 0.5) * t,
			(0.5*t - 0.5) * t * t,
		}
		c[i] = fixedTaps(w)
	}
	return &c
}

// fixedTaps rounds weights that sum to 1 so that they still do.
func fixedTaps(w [4]float64) (taps [4]int32) {
	rest, largest := int32(1<<tapBits), 0
	for i, v := range w {
		taps[i] = int32(v*(1<<tapBits)+1024.5) - 1024
		rest -= taps[i]
		if taps[i] > taps[largest] {
			largest = i
		}
	}
	taps[largest] += rest
	return taps
}

// padRow copies row to out with its ends repeated: out[1+x] is row[x], and two more follow.
func padRow[T yuv.Sample](out, row []T) []T {
	n := len(row)
	out = out[:n+3]
	copy(out[1:], row)
	out[0], out[n+1], out[n+2] = row[0], row[n-1], row[n-1]
	return out
}

// sampleCubic writes the padded row's values at the given places.
func sampleCubic[T yuv.Sample](dst, padded []T, places []int32, kernel *cubics, top int32) {
	places = places[:len(dst)]
	for x := range dst {
		s := places[x]
		q := (*[4]T)(padded[s>>fixBits:])
		k := &kernel[s&(fixOne-1)]
		v := (k[0]*int32(q[0]) + k[1]*int32(q[1]) + k[2]*int32(q[2]) + k[3]*int32(q[3]) + 1<<(tapBits-1)) >> tapBits
		if uint32(v) > uint32(top) {
			v = clampTo(v, top)
		}
		dst[x] = T(v)
	}
}

func clampTo(v, top int32) int32 {
	if v < 0 {
		return 0
	}
	return top
}

// sampleChroma writes both chroma rows of a view. places is the luma row's map: chroma column i
// lies on luma column 2i (or half a column right of it, along with its neighbours in the source,
// which comes to the same), so it shows the chroma at half of that column's place.
func sampleChroma[T yuv.Sample](du, dv, u, v []T, places []int32) {
	last := int32(len(u) - 1)
	v, dv = v[:len(u)], dv[:len(du)]
	for i := range du {
		s := places[2*i]
		j, w := s>>(fixBits+1), s&(2*fixOne-1)
		next := min(j+1, last)
		a, b := int32(u[j]), int32(v[j])
		du[i] = T(a + ((int32(u[next])-a)*w+fixOne)>>(fixBits+1))
		dv[i] = T(b + ((int32(v[next])-b)*w+fixOne)>>(fixBits+1))
	}
}
