package depth

import "math"

// What the classic estimator looks at over time, in frames each side, and its picture.
const (
	baseline      = 2   // of the motion that parallax is measured over
	smoothReach   = 3   // of the temporal average
	classicLonger = 256 // longer side of the analysed picture, in pixels
)

// classic estimates depth without a model: a scene-geometry prior, motion parallax, and focus, fused by
// confidence and refined to the picture's edges.
type classic struct {
	temporal
	cues
}

// cues is what classic's frames are judged by.
type cues struct {
	scratch scratch
	prior   []float32 // of this size of picture
}

func newClassic() *classic {
	c := &classic{}
	c.source, c.smooth = &c.cues, smoothReach
	return c
}

var (
	_ Estimator = (*classic)(nil)
	_ source    = (*cues)(nil)
)

// Sampling implements Estimator: the longer side has classicLonger pixels where the frame has as many.
func (c *classic) Sampling(w, h int) Sampling {
	scale := min(1, float64(classicLonger)/float64(max(w, h)))
	side := func(n int) int { return min(n, max(1, int(math.Round(float64(n)*scale)))) }
	return Sampling{W: side(w), H: side(h)}
}

func (c *cues) ahead() int { return baseline }

func (c *cues) admit(f *frame) {
	f.pyramid = newPyramid(&c.scratch, f.picture.Y, f.picture.W, f.picture.H)
}

func (c *cues) fill(t *temporal, from, to int) (int, error) {
	for i := from; i < to; i++ {
		f := t.at(i)
		f.raw = Map{W: f.picture.W, H: f.picture.H, D: c.estimate(t, i)}
	}
	return to, nil
}

// flattest is a share of the prior's range.
func (c *cues) flattest(lo, hi float32) float32 { return 0.1 }
