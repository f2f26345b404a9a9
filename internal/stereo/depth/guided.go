package depth

// guided filters v so that its edges follow the guide's (K. He, J. Sun, X. Tang, "Guided Image Filtering", PAMI 2013).
// All are w×h, and out may be v; radius is in pixels, eps the variance of the guide that counts as flat.
func guided(s *scratch, out, v, guide []float32, w, h, radius int, eps float32) {
	defer s.release(s.mark())
	n := len(v)
	gv, gg := s.plane(n), s.plane(n)
	for i := range v {
		gv[i], gg[i] = guide[i]*v[i], guide[i]*guide[i]
	}
	meanG, meanV := boxMean(s, guide, w, h, radius), boxMean(s, v, w, h, radius)
	meanGV, meanGG := boxMean(s, gv, w, h, radius), boxMean(s, gg, w, h, radius)
	a, b := gv, gg // reused
	for i := range a {
		slope := (meanGV[i] - meanG[i]*meanV[i]) / (meanGG[i] - meanG[i]*meanG[i] + eps)
		a[i], b[i] = slope, meanV[i]-slope*meanG[i]
	}
	meanA, meanB := boxMean(s, a, w, h, radius), boxMean(s, b, w, h, radius)
	for i := range out {
		out[i] = meanA[i]*guide[i] + meanB[i]
	}
}

// boxMean averages over squares of 2·radius+1 pixels, cut at the borders. The result is lent by s.
func boxMean(s *scratch, v []float32, w, h, radius int) []float32 {
	out := s.plane(len(v))
	boxMeanTo(s, out, v, w, h, radius)
	return out
}

// boxMeanTo is boxMean into out, which may be v.
func boxMeanTo(s *scratch, out, v []float32, w, h, radius int) {
	defer s.release(s.mark())
	rows := s.plane(len(v))
	shares := boxShares(w, radius)
	for y := range h {
		boxLine(v[y*w:(y+1)*w], rows[y*w:(y+1)*w], shares, radius)
	}
	boxColumns(rows, out, w, h, radius)
}

// boxShares is 1 / the number of places that lie within radius of each of n.
func boxShares(n, radius int) []float64 {
	shares := make([]float64, n)
	for i := range shares {
		shares[i] = 1 / float64(min(i+radius, n-1)-max(i-radius, 0)+1)
	}
	return shares
}

// boxLine averages along a row. Sums are in float64, so that adding and taking away leaves no trace.
func boxLine(src, dst []float32, shares []float64, radius int) {
	n := len(src)
	dst, shares = dst[:n], shares[:n]
	var sum float64
	for _, v := range src[:min(radius, n)] {
		sum += float64(v)
	}
	i := 0
	for ; i < min(radius+1, n); i++ {
		if i+radius < n {
			sum += float64(src[i+radius])
		}
		dst[i] = float32(sum * shares[i])
	}
	for ; i < n-radius; i++ {
		sum += float64(src[i+radius]) - float64(src[i-radius-1])
		dst[i] = float32(sum * shares[i])
	}
	for ; i < n; i++ {
		sum -= float64(src[i-radius-1])
		dst[i] = float32(sum * shares[i])
	}
}

// boxColumns averages down the columns, row by row, which suits the cache.
func boxColumns(src, dst []float32, w, h, radius int) {
	sums := make([]float64, w)
	shares := boxShares(h, radius)
	add := func(y int) {
		for x, v := range src[y*w:][:len(sums)] {
			sums[x] += float64(v)
		}
	}
	for y := range min(radius, h) {
		add(y)
	}
	for y := range h {
		if y+radius < h {
			add(y + radius)
		}
		if y-radius-1 >= 0 {
			for x, v := range src[(y-radius-1)*w:][:len(sums)] {
				sums[x] -= float64(v)
			}
		}
		out := dst[y*w:][:len(sums)]
		for x, s := range sums {
			out[x] = float32(s * shares[y])
		}
	}
}
