package depth

import "math"

// Temporal windows of the classic estimator, in frames each side.
const (
	baseline      = 2 // of the motion that parallax is measured over
	smoothReach   = 3 // of the temporal average
	levelReach    = 6 // of the normalisation
	cutReach      = 2 // of cut detection
	classicReach  = baseline + smoothReach + levelReach + cutReach
	classicLonger = 256 // longer side of the analysed picture, in pixels
)

// classic estimates depth without a model: a scene-geometry prior, motion parallax, and focus, fused by
// confidence and refined to the picture's edges. Every stage is a pure function of a bounded window of the stage
// before it, so the whole has finite support.
type classic struct {
	frames []*classicFrame // those still needed, in order
	first  int             // number of frames[0]
	pushed int             // frames so far
	ended  bool
	// How many frames each stage has finished.
	cuts, raws, smooths, outs int
	scratch                   scratch
	prior                     []float32 // of this size of picture
}

// classicFrame holds what the stages know of one frame.
type classicFrame struct {
	picture *Picture
	pyramid pyramid
	sign    signature
	cut     bool
	raw     []float32 // depth of this frame alone
	smooth  []float32 // averaged over time
	lo, hi  float32   // robust range of smooth
}

func newClassic() *classic { return &classic{} }

var _ Estimator = (*classic)(nil)

// Size implements Estimator: the longer side has classicLonger pixels where the frame has as many.
func (c *classic) Size(w, h int) (pw, ph int) {
	scale := min(1, float64(classicLonger)/float64(max(w, h)))
	side := func(n int) int { return min(n, max(1, int(math.Round(float64(n)*scale)))) }
	return side(w), side(h)
}

// Support implements Estimator.
func (c *classic) Support() int { return classicReach }

// Push implements Estimator.
func (c *classic) Push(p *Picture) ([]Estimate, error) {
	c.frames = append(c.frames, &classicFrame{picture: p, pyramid: newPyramid(&c.scratch, p.Y, p.W, p.H), sign: newSignature(p)})
	c.pushed++
	return c.advance(), nil
}

// Flush implements Estimator.
func (c *classic) Flush() ([]Estimate, error) {
	c.ended = true
	return c.advance(), nil
}

func (c *classic) at(t int) *classicFrame { return c.frames[t-c.first] }

// ready is how far a stage can go that looks ahead over the results of the one before.
func (c *classic) ready(before, ahead int) int {
	if c.ended {
		return before
	}
	return max(0, before-ahead)
}

// advance runs every stage as far as it can go.
func (c *classic) advance() []Estimate {
	for ; c.cuts < c.ready(c.pushed, 1); c.cuts++ {
		c.at(c.cuts).cut = c.isCut(c.cuts)
	}
	for ; c.raws < c.ready(c.cuts, baseline); c.raws++ {
		c.at(c.raws).raw = c.estimate(c.raws)
	}
	for ; c.smooths < c.ready(c.raws, smoothReach); c.smooths++ {
		f := c.at(c.smooths)
		f.smooth = c.average(c.smooths)
		f.lo, f.hi = percentiles(&c.scratch, f.smooth, 0.02, 0.98)
	}
	var done []Estimate
	for ; c.outs < c.ready(c.smooths, levelReach); c.outs++ {
		f := c.at(c.outs)
		lo, hi := c.level(c.outs)
		done = append(done, Estimate{Map: Map{W: f.picture.W, H: f.picture.H, D: stretch(f.smooth, lo, hi)}, Cut: f.cut})
	}
	c.forget()
	return done
}

// forget drops frames that no later stage can look at.
func (c *classic) forget() {
	for c.first < c.outs-classicReach-1 {
		c.frames[0] = nil
		c.frames = c.frames[1:]
		c.first++
	}
}

// shot returns the frames [from, to] around t, at most reach away, that belong to t's shot and exist.
func (c *classic) shot(t, reach int) (from, to int) {
	from, to = t, t
	for from > max(c.first, t-reach) && !c.at(from).cut {
		from--
	}
	for to < min(c.pushed-1, t+reach) && !c.at(to+1).cut {
		to++
	}
	return from, to
}

// average is the temporal mean of raw depth over t's shot, weighted by a triangle. Near a cut it is one-sided, so a
// new shot starts with its own depth.
func (c *classic) average(t int) []float32 {
	from, to := c.shot(t, smoothReach)
	out := make([]float32, len(c.at(t).raw))
	var total float32
	for i := from; i <= to; i++ {
		weight := float32(smoothReach + 1 - max(i-t, t-i))
		total += weight
		for k, v := range c.at(i).raw {
			out[k] += weight * v
		}
	}
	for k := range out {
		out[k] /= total
	}
	return out
}

// level is the mean robust range over t's shot within reach.
func (c *classic) level(t int) (lo, hi float32) {
	from, to := c.shot(t, levelReach)
	for i := from; i <= to; i++ {
		lo += c.at(i).lo
		hi += c.at(i).hi
	}
	n := float32(to - from + 1)
	return lo / n, hi / n
}
