package depth

// Shares of the cues beside motion, and of the refinement.
const (
	focusShare     = 0.12
	mostMotion     = 0.9 // of the whole, where motion is believed fully
	followed       = 0.8 // of that is taken back where motion contradicts the prior
	refineRadius   = 8
	refineEps      = 1e-3
	parallaxRadius = 3
	parallaxEps    = 4e-4
)

// Prior returns the scene-geometry prior alone, as a baseline to measure estimators against.
func Prior(w, h int) Map { return Map{W: w, H: h, D: geometryPrior(w, h)} }

// geometryPrior is what most scenes look like: near at the bottom, far towards the top, the middle a little nearer
// than the sides. Values in [0, 1].
func geometryPrior(w, h int) []float32 {
	out := make([]float32, w*h)
	for y := range h {
		down := (float32(y) + 0.5) / float32(h)
		for x := range w {
			side := 2*(float32(x)+0.5)/float32(w) - 1
			out[y*w+x] = 0.1 + 0.75*down*(0.4+0.6*down) + 0.1*(1-side*side)
		}
	}
	return out
}

// focusCue is local contrast at fine scale, spread over its surroundings: what is sharp and contrasty tends to be
// nearer than what is blurred or in haze. Values in [0, 1].
func focusCue(s *scratch, y []float32, w, h int) []float32 {
	out := boxMean(s, y, w, h, 1)
	for i, fine := range out {
		out[i] = abs(y[i] - fine)
	}
	boxMeanTo(s, out, out, w, h, max(2, w/24))
	for i, v := range out {
		out[i] = v / (v + 0.01)
	}
	return out
}

// estimate is the depth of frame t by itself: prior and focus, and motion as far as it can be believed.
func (c *cues) estimate(all *temporal, t int) []float32 {
	s := &c.scratch
	defer s.release(s.mark())
	f := all.at(t)
	p := f.picture
	if c.prior == nil {
		c.prior = geometryPrior(p.W, p.H)
	}
	prior := c.prior
	focus := focusCue(s, p.Y, p.W, p.H)
	depth := make([]float32, len(prior))
	for i := range depth {
		depth[i] = (1-focusShare)*prior[i] + focusShare*focus[i]
	}
	if other := partner(all, t); other != t {
		motion := newParallax(s, newFlow(s, f.pyramid, all.at(other).pyramid), prior)
		near := motion.near
		guided(s, near, near, p.Y, p.W, p.H, parallaxRadius, parallaxEps)
		lo, hi := percentiles(s, near, 0.02, 0.98)
		spreadTo(near, lo, hi)
		for i := range depth {
			// Far by motion but near by its place in the picture: likely a subject that the camera follows.
			doubt := max(0, prior[i]-near[i])
			depth[i] += mostMotion * motion.confidence * (1 - followed*doubt) * (near[i] - depth[i])
		}
	}
	guided(s, depth, depth, p.Y, p.W, p.H, refineRadius, refineEps)
	return depth
}

// spreadTo maps [lo, hi] of v to [0, 1], clamped; an empty range to the middle.
func spreadTo(v []float32, lo, hi float32) {
	for i, x := range v {
		v[i] = 0.5
		if hi > lo {
			v[i] = min(max((x-lo)/(hi-lo), 0), 1)
		}
	}
}

// partner is the frame of the same shot that t's motion is measured to: baseline frames on if it can be, else back.
func partner(all *temporal, t int) int {
	from, to := all.shot(t, baseline)
	if to-t >= t-from {
		return to
	}
	return from
}
