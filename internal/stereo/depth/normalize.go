package depth

// percentiles returns the values below which the shares lo and hi of v lie.
func percentiles(lent *scratch, v []float32, lo, hi float64) (a, b float32) {
	defer lent.release(lent.mark())
	s := lent.plane(len(v))
	copy(s, v)
	rank := func(q float64) int { return int(q*float64(len(s)-1) + 0.5) }
	low, high := rank(lo), rank(hi)
	a = nth(s, low)
	// What nth leaves beyond low is no less than a.
	return a, nth(s[low:], high-low)
}

// nth returns the value that would be at place k if s were sorted, and partly sorts s: nothing before k is larger,
// nothing after it smaller (C. A. R. Hoare, "Algorithm 65: Find", CACM 1961).
func nth(s []float32, k int) float32 {
	left, right := 0, len(s)-1
	for left < right {
		pivot := s[k]
		i, j := left, right
		for i <= j {
			for s[i] < pivot {
				i++
			}
			for s[j] > pivot {
				j--
			}
			if i <= j {
				s[i], s[j] = s[j], s[i]
				i++
				j--
			}
		}
		if j < k {
			left = i
		}
		if i > k {
			right = j
		}
	}
	return s[k]
}

// stretch maps [lo, hi] to [0, 1], clamped; a range smaller than flattest counts as that.
func stretch(m Map, lo, hi, flattest float32) Map {
	middle, half := (lo+hi)/2, max(hi-lo, flattest)/2
	out := make([]float32, len(m.D))
	for i, x := range m.D {
		out[i] = min(max((x-middle)/(2*half)+0.5, 0), 1)
	}
	return Map{W: m.W, H: m.H, D: out}
}
