package depth

// NeuralOptions are choices about a network's use.
type NeuralOptions struct {
	Side   int  // of the picture instead of the network's own; 0 keeps that. Fixed sizes stay.
	Every  int  // only every n-th frame of the film is given to the network; 0 and 1 are all
	Mirror bool // the mean of the picture's and the mirrored picture's depth
}

// NeuralSupport is the Support of an estimator on a network with these options.
func NeuralSupport(o NeuralOptions) int { return (&neural{options: o}).ahead() + levelReach + cutReach }

// neural has a network say how near points are. Every frame stands for itself unless the network sees only every n-th.
type neural struct {
	net     Net
	spec    Spec
	options NeuralOptions
	scratch scratch
}

// NewNeural returns a fresh estimator on a network, for one clip.
func NewNeural(net Net, o NeuralOptions) Estimator {
	n := &neural{net: net, spec: net.Spec(), options: o}
	if o.Side > 0 {
		n.spec.Side = o.Side
	}
	return &neuralEstimator{temporal{source: n}, n}
}

// neuralEstimator is the temporal stages on a network.
type neuralEstimator struct {
	temporal
	neural *neural
}

var (
	_ Estimator = (*neuralEstimator)(nil)
	_ source    = (*neural)(nil)
)

// Sampling implements Estimator.
func (e *neuralEstimator) Sampling(w, h int) Sampling {
	pw, ph := e.neural.spec.Size(w, h)
	return Sampling{W: pw, H: ph, Cubic: true}
}

// every is the distance of the frames that the network sees.
func (n *neural) every() int { return max(1, n.options.Every) }

func (n *neural) ahead() int { return n.every() - 1 }

func (n *neural) admit(f *frame) {
	if n.every() > 1 {
		f.pyramid = motionPyramid(&n.scratch, f.picture)
	}
}

// flattest keeps the noise of a wall from filling the room: a twentieth of its nearness.
func (n *neural) flattest(lo, hi float32) float32 { return max(0.05*max(abs(lo), abs(hi)), 1e-6) }

// mostWaiting is how many frames, which are held in memory, may wait until a batch is full: what the usual batch of four
// needs where the network sees every twelfth frame.
const mostWaiting = 48

func (n *neural) fill(t *temporal, from, to int) (int, error) {
	keys, batch := n.unseen(t, from, min(to+n.ahead(), t.pushed)), n.net.Batch()
	if !t.ended && len(keys) > 0 && len(keys) < batch && to-from < max(mostWaiting, batch) {
		return from, nil // more keys come: a run takes as long where places in its batch are empty
	}
	if err := n.infer(keys); err != nil {
		return from, err
	}
	for i := from; i < to; i++ {
		f := t.at(i)
		if f.raw = f.key; f.raw.D == nil {
			f.raw = n.between(t, i)
		}
		f.picture = nil
	}
	return to, nil
}

// isKey reports whether the network sees frame t: every n-th of the film, the first of every shot, and the clip's.
func (n *neural) isKey(all *temporal, t int) bool {
	f := all.at(t)
	return f.number%n.every() == 0 || f.cut || t == 0
}

// unseen returns the keys of frames [from, to) that the network hasn't seen.
func (n *neural) unseen(all *temporal, from, to int) (keys []*frame) {
	for i := from; i < to; i++ {
		if f := all.at(i); f.key.D == nil && n.isKey(all, i) {
			keys = append(keys, f)
		}
	}
	return keys
}

// infer has the network see these frames.
func (n *neural) infer(keys []*frame) error {
	for batch := n.net.Batch(); len(keys) > 0; {
		some := keys[:min(batch, len(keys))]
		if err := n.see(some); err != nil {
			return err
		}
		keys = keys[len(some):]
	}
	return nil
}

// see gives frames to the network.
func (n *neural) see(keys []*frame) error {
	pictures := make([]Input, len(keys))
	for i, f := range keys {
		pictures[i] = Input{Picture: f.picture}
	}
	maps, err := n.net.Infer(pictures)
	if err != nil {
		return err
	}
	for i, f := range keys {
		n.spec.nearness(&n.scratch, maps[i])
		f.key = maps[i]
	}
	if !n.options.Mirror {
		return nil
	}
	for i := range pictures {
		pictures[i].Mirrored = true
	}
	if maps, err = n.net.Infer(pictures); err != nil {
		return err
	}
	for i, f := range keys {
		n.spec.nearness(&n.scratch, maps[i])
		meanMirrored(f.key, maps[i])
	}
	return nil
}

// meanMirrored makes m the mean of itself and of what o mirrored is.
func meanMirrored(m, o Map) {
	for y := range m.H {
		row, other := m.D[y*m.W:(y+1)*m.W], o.D[y*m.W:(y+1)*m.W]
		for x := range row {
			row[x] = (row[x] + other[m.W-1-x]) / 2
		}
	}
}
