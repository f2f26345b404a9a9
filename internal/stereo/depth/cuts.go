package depth

// signature is what of a picture tells shots apart: means of blocks of luma and chroma, and a histogram of luma.
type signature struct {
	blocks    [3][signBlocks * signBlocks]float32
	histogram [signBins]float32 // shares, sum 1
}

const (
	signBlocks = 8
	signBins   = 32
)

func newSignature(p *Picture) signature {
	var s signature
	var counts [signBlocks * signBlocks]float32
	for y := range p.H {
		for x := range p.W {
			b := y*signBlocks/p.H*signBlocks + x*signBlocks/p.W
			i := y*p.W + x
			s.blocks[0][b] += p.Y[i]
			s.blocks[1][b] += p.Cb[i]
			s.blocks[2][b] += p.Cr[i]
			counts[b]++
			s.histogram[min(int(p.Y[i]*signBins), signBins-1)]++
		}
	}
	for b, n := range counts {
		for k := range s.blocks {
			s.blocks[k][b] /= max(n, 1)
		}
	}
	for i := range s.histogram {
		s.histogram[i] /= float32(len(p.Y))
	}
	return s
}

// distance is about 0 for the same view and up to 1 for unrelated ones.
func (s *signature) distance(o *signature) float32 {
	var blocks, histogram float32
	for k := range s.blocks {
		for i, v := range s.blocks[k] {
			blocks += abs(v - o.blocks[k][i])
		}
	}
	for i, v := range s.histogram {
		histogram += abs(v - o.histogram[i])
	}
	// Blocks of unrelated pictures differ by about a fifth in luma and a tenth in chroma.
	return min(1, 2*blocks/(signBlocks*signBlocks))*0.5 + histogram/4
}

func abs(v float32) float32 { return max(v, -v) }

// Thresholds of a cut: how far apart the frames must be, and how much further than their neighbours.
const (
	cutDistance = 0.12
	cutRatio    = 2.5
)

// isCut reports whether a frame starts a new shot: it is far from the frame before, much further than the frames
// around are from each other, and it isn't a flash after which the old shot goes on. Frames that there aren't are nil.
func isCut(earlier, before, frame, next *signature) bool {
	if before == nil {
		return false
	}
	jump := frame.distance(before)
	if jump < cutDistance {
		return false
	}
	around := float32(0)
	if earlier != nil {
		around = max(around, before.distance(earlier))
	}
	if next != nil {
		around = max(around, next.distance(frame))
		if next.distance(before) < jump/2 {
			return false // a flash
		}
	}
	return jump > cutRatio*around
}

// Cuts finds where the shots of a clip begin, without estimating depth. It finds what every estimator does in the same
// pictures. The zero value is ready.
type Cuts struct {
	earlier, before, last *signature // of the newest pictures
	pushed                int
	found                 []int
}

// Push adds the next picture.
func (c *Cuts) Push(p *Picture) {
	next := newSignature(p)
	c.decide(&next)
	c.earlier, c.before, c.last = c.before, c.last, &next
	c.pushed++
}

// decide judges the last picture by what follows it.
func (c *Cuts) decide(next *signature) {
	if isCut(c.earlier, c.before, c.last, next) {
		c.found = append(c.found, c.pushed-1)
	}
}

// Flush ends the clip and returns the places of the pictures that start a new shot, from 0 for the first picture, which
// is not among them.
func (c *Cuts) Flush() []int {
	c.decide(nil)
	return c.found
}
