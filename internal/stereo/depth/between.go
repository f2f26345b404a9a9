package depth

// motionLonger is about the longer side of the picture that motion is measured on, in pixels.
const motionLonger = 256

// motionPyramid is a picture's pyramid without the layers that are finer than motion needs.
func motionPyramid(s *scratch, p *Picture) pyramid {
	all := newPyramid(s, p.Y, p.W, p.H)
	for len(all) > 1 && max(all[0].w, all[0].h) > motionLonger*3/2 {
		all = all[1:]
	}
	return all
}

// around returns the keys before and after frame t in its shot, at most every()-1 frames away; t where there is none.
func (n *neural) around(all *temporal, t int) (before, after int) {
	from, to := all.shot(t, n.ahead())
	before, after = t, t
	for i := t - 1; i >= from && before == t; i-- {
		if n.isKey(all, i) {
			before = i
		}
	}
	for i := t + 1; i <= to && after == t; i++ {
		if n.isKey(all, i) {
			after = i
		}
	}
	return before, after
}

// between is the depth of a frame that the network doesn't see: that of the keys around, moved along with the picture.
// The nearer key counts more, and at each place the one whose picture looks as this one does there.
func (n *neural) between(all *temporal, t int) Map {
	defer n.scratch.release(n.scratch.mark())
	before, after := n.around(all, t)
	var sum, weights []float32
	var out Map
	for _, key := range []int{before, after} {
		if key == t {
			continue
		}
		m := all.at(key).key
		if out.D == nil {
			out = Map{W: m.W, H: m.H, D: make([]float32, len(m.D))}
			sum, weights = out.D, n.scratch.plane(len(m.D))
			clear(weights)
		}
		share := 1 / float32(max(key-t, t-key))
		n.carry(all.at(t), all.at(key), share, sum, weights)
	}
	for i, w := range weights {
		sum[i] /= w
	}
	return out
}

// alike is the difference of luma at which a place counts half.
const alike = 0.04

// carry adds the key's depth, weighted, where its points are in frame f.
func (n *neural) carry(f, key *frame, share float32, sum, weights []float32) {
	s := &n.scratch
	defer s.release(s.mark())
	motion := newFlow(s, f.pyramid, key.pyramid)
	here, there := f.pyramid[0], key.pyramid[0]
	m := key.key
	sx, sy := float32(motion.w)/float32(m.W), float32(motion.h)/float32(m.H)
	source := layer{m.W, m.H, m.D}
	for y := range m.H {
		py := (float32(y)+0.5)*sy - 0.5
		for x := range m.W {
			px := (float32(x)+0.5)*sx - 0.5
			u, v := bilinear(motion.u, motion.w, motion.h, px, py), bilinear(motion.v, motion.w, motion.h, px, py)
			off := (here.at(px, py) - there.at(px+u, py+v)) / alike
			weight := share / (1 + off*off)
			i := y*m.W + x
			sum[i] += weight * source.at(float32(x)+u/sx, float32(y)+v/sy)
			weights[i] += weight
		}
	}
}
