package depth

// Temporal windows of every estimator, in frames each side.
const (
	levelReach = 6 // of the normalisation
	cutReach   = 2 // of cut detection
)

// source says of single frames how near their points are; temporal makes steady maps of that.
type source interface {
	// ahead is how many frames before and after a frame the source looks at, within the frame's shot.
	ahead() int
	// admit takes in a new frame.
	admit(f *frame)
	// fill sets the raw depth of frames from number from on, up to before number to, and returns the number of the first
	// that it left for a later call. When the clip has ended it leaves none. Of the frames that it may look at the cuts
	// are known.
	fill(t *temporal, from, to int) (next int, err error)
	// flattest is the smallest of the ranges [lo, hi] that is stretched to the whole: noise in a flat scene must not
	// become depth.
	flattest(lo, hi float32) float32
}

// temporal is what all estimators do over time: it finds the cuts, averages raw depth, and normalises it by robust
// percentiles. Every stage is a pure function of a bounded window of the stage before it, and none looks across a cut,
// so the whole has finite support.
type temporal struct {
	source source
	smooth int      // reach of the average of raw depth; 0 = each frame for itself
	frames []*frame // those still needed, in order
	first  int      // number of frames[0] in the clip
	pushed int      // frames so far
	ended  bool
	// How many frames each stage has finished.
	cuts, raws, smooths, outs int
	scratch                   scratch
}

// frame holds what the stages know of one frame.
type frame struct {
	picture *Picture // nil when the source has no more use for it
	number  int      // in the film
	pyramid pyramid  // of sources that follow motion
	sign    signature
	cut     bool
	key     Map     // what a network said of this very frame
	raw     Map     // depth of this frame alone, in the source's own unit
	smooth  Map     // averaged over time
	lo, hi  float32 // robust range of smooth
}

// Support implements Estimator.
func (c *temporal) Support() int { return c.source.ahead() + c.smooth + levelReach + cutReach }

// Push implements Estimator.
func (c *temporal) Push(p *Picture) ([]Estimate, error) {
	f := &frame{picture: p, number: p.Number, sign: newSignature(p)}
	c.source.admit(f)
	c.frames = append(c.frames, f)
	c.pushed++
	return c.advance()
}

// Flush implements Estimator.
func (c *temporal) Flush() ([]Estimate, error) {
	c.ended = true
	return c.advance()
}

func (c *temporal) at(t int) *frame { return c.frames[t-c.first] }

// isCut reports whether frame t starts a new shot.
func (c *temporal) isCut(t int) bool {
	sign := func(i int) *signature {
		if i < c.first || i >= c.pushed {
			return nil
		}
		return &c.at(i).sign
	}
	return isCut(sign(t-2), sign(t-1), sign(t), sign(t+1))
}

// ready is how far a stage can go that looks ahead over the results of the one before.
func (c *temporal) ready(before, ahead int) int {
	if c.ended {
		return before
	}
	return max(0, before-ahead)
}

// advance runs every stage as far as it can go.
func (c *temporal) advance() (done []Estimate, err error) {
	for ; c.cuts < c.ready(c.pushed, 1); c.cuts++ {
		c.at(c.cuts).cut = c.isCut(c.cuts)
	}
	if to := c.ready(c.cuts, c.source.ahead()); c.raws < to {
		if c.raws, err = c.source.fill(c, c.raws, to); err != nil {
			return nil, err
		}
	}
	for ; c.smooths < c.ready(c.raws, c.smooth); c.smooths++ {
		f := c.at(c.smooths)
		f.smooth = c.average(c.smooths)
		f.lo, f.hi = percentiles(&c.scratch, f.smooth.D, 0.02, 0.98)
	}
	for ; c.outs < c.ready(c.smooths, levelReach); c.outs++ {
		f := c.at(c.outs)
		lo, hi := c.level(c.outs)
		done = append(done, Estimate{Map: stretch(f.smooth, lo, hi, c.source.flattest(lo, hi)), Cut: f.cut})
	}
	c.forget()
	return done, nil
}

// forget drops frames that no later stage can look at.
func (c *temporal) forget() {
	for c.first < c.outs-c.Support()-1 {
		c.frames[0] = nil
		c.frames = c.frames[1:]
		c.first++
	}
}

// shot returns the frames [from, to] around t, at most reach away, that belong to t's shot and exist.
func (c *temporal) shot(t, reach int) (from, to int) {
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
func (c *temporal) average(t int) Map {
	if c.smooth == 0 {
		return c.at(t).raw
	}
	from, to := c.shot(t, c.smooth)
	raw := c.at(t).raw
	out := make([]float32, len(raw.D))
	var total float32
	for i := from; i <= to; i++ {
		weight := float32(c.smooth + 1 - max(i-t, t-i))
		total += weight
		for k, v := range c.at(i).raw.D {
			out[k] += weight * v
		}
	}
	for k := range out {
		out[k] /= total
	}
	return Map{W: raw.W, H: raw.H, D: out}
}

// level is the mean robust range over t's shot within reach.
func (c *temporal) level(t int) (lo, hi float32) {
	from, to := c.shot(t, levelReach)
	for i := from; i <= to; i++ {
		lo += c.at(i).lo
		hi += c.at(i).hi
	}
	n := float32(to - from + 1)
	return lo / n, hi / n
}
