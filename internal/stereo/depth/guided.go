package depth

// guided filters v so that its edges follow the guide's (K. He, J. Sun, X. Tang, "Guided Image Filtering", PAMI 2013).
// Both are w×h; radius is in pixels, eps the variance of the guide that counts as flat.
func guided(v, guide []float32, w, h, radius int, eps float32) []float32 {
	n := len(v)
	gv, gg := make([]float32, n), make([]float32, n)
	for i := range v {
		gv[i], gg[i] = guide[i]*v[i], guide[i]*guide[i]
	}
	meanG, meanV := boxMean(guide, w, h, radius), boxMean(v, w, h, radius)
	meanGV, meanGG := boxMean(gv, w, h, radius), boxMean(gg, w, h, radius)
	a, b := gv, gg // reused
	for i := range a {
		slope := (meanGV[i] - meanG[i]*meanV[i]) / (meanGG[i] - meanG[i]*meanG[i] + eps)
		a[i], b[i] = slope, meanV[i]-slope*meanG[i]
	}
	meanA, meanB := boxMean(a, w, h, radius), boxMean(b, w, h, radius)
	out := make([]float32, n)
	for i := range out {
		out[i] = meanA[i]*guide[i] + meanB[i]
	}
	return out
}

// boxMean averages over squares of 2·radius+1 pixels, cut at the borders.
func boxMean(v []float32, w, h, radius int) []float32 {
	rows := make([]float32, len(v))
	for y := range h {
		boxLine(v[y*w:], rows[y*w:], w, 1, radius)
	}
	out := make([]float32, len(v))
	boxColumns(rows, out, w, h, radius)
	return out
}

// boxLine averages n values that lie step apart. Sums are in float64, so that adding and taking away leaves no trace.
func boxLine(src, dst []float32, n, step, radius int) {
	var sum float64
	for i := range min(radius, n) {
		sum += float64(src[i*step])
	}
	for i := range n {
		if i+radius < n {
			sum += float64(src[(i+radius)*step])
		}
		if i-radius-1 >= 0 {
			sum -= float64(src[(i-radius-1)*step])
		}
		dst[i*step] = float32(sum / float64(min(i+radius, n-1)-max(i-radius, 0)+1))
	}
}

// boxColumns averages down the columns, row by row, which suits the cache.
func boxColumns(src, dst []float32, w, h, radius int) {
	sums := make([]float64, w)
	add := func(y int, sign float64) {
		for x, v := range src[y*w : (y+1)*w] {
			sums[x] += sign * float64(v)
		}
	}
	for y := range min(radius, h) {
		add(y, 1)
	}
	for y := range h {
		if y+radius < h {
			add(y+radius, 1)
		}
		if y-radius-1 >= 0 {
			add(y-radius-1, -1)
		}
		count := float64(min(y+radius, h-1) - max(y-radius, 0) + 1)
		for x, s := range sums {
			dst[y*w+x] = float32(s / count)
		}
	}
}
