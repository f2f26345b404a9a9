package depth

// scratch lends planes for intermediate results, which would be tens of megabytes a frame. It works as a stack: a
// function takes the planes that it returns, remembers the mark, takes those that it needs itself, and releases to the
// mark. The zero value is ready; one goroutine uses it.
type scratch struct {
	planes [][]float32
	used   int
}

// plane lends n values, which hold anything.
func (s *scratch) plane(n int) []float32 {
	if s.used == len(s.planes) {
		s.planes = append(s.planes, nil)
	}
	p := s.planes[s.used]
	if cap(p) < n {
		p = make([]float32, n)
		s.planes[s.used] = p
	}
	s.used++
	return p[:n]
}

func (s *scratch) mark() int { return s.used }

// release takes back all planes that were lent after the mark.
func (s *scratch) release(mark int) { s.used = mark }
