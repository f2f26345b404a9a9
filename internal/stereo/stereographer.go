package stereo

import (
	"math"

	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// settingReach is how many frames before and after a frame its Setting follows, within the frame's shot: half a second
// at 24 frames per second, slow enough for nobody to see the screen plane move.
const settingReach = 12

// Take is what a Stereographer says of one frame.
type Take struct {
	Setting Setting
	Figures Figures
}

// Stereographer decides every frame's Setting from the depth around it, as the person of that name does at a shoot: it
// lays the subject in the screen plane and draws the floating window, as far as its Config asks for it. What it decides
// for frame t depends only on frames t-Support() to t+Support() and never on those of another shot.
type Stereographer struct {
	cfg    Config
	frames []*Sight // those still needed, in order
	first  int      // number of frames[0] in the clip
	done   int      // takes given so far
	bent   [depthLevels]float64
}

// Sight is what a Stereographer sees of a frame; it doesn't depend on any Config.
type Sight struct {
	cut         bool
	levels      *levels
	subject     int // depth level
	left, right int // depth levels of what the frame's border cuts
}

// Look returns the sight of a frame, whose picture draws the attention a; nil where no subject is asked for.
func Look(e depth.Estimate, a *Attention) *Sight {
	v := &Sight{cut: e.Cut, levels: levelsOf(e.Map.D), left: atEdge(&e.Map, 0), right: atEdge(&e.Map, 1)}
	if a != nil {
		v.subject = subject(&e.Map, a)
	}
	return v
}

// NewStereographer returns the stereographer of one clip. cfg is what the clip's Renderer has.
func NewStereographer(cfg Config) *Stereographer {
	s := &Stereographer{cfg: cfg}
	for i := range s.bent {
		s.bent[i] = bend(float64(i)/(depthLevels-1), cfg.ForegroundScale)
	}
	return s
}

// Support returns how many frames before and after a frame its Setting depends on.
func (s *Stereographer) Support() int {
	if s.cfg.AutoConvergence || s.cfg.FloatingWindow {
		return settingReach
	}
	return 0
}

// Push adds the next frame and returns the takes that became final by it, in order.
func (s *Stereographer) Push(v *Sight) []Take {
	s.frames = append(s.frames, v)
	return s.advance(s.first + len(s.frames) - s.Support())
}

// Flush ends the clip and returns the remaining takes.
func (s *Stereographer) Flush() []Take { return s.advance(s.first + len(s.frames)) }

// advance gives the takes of the frames before number to, and forgets what no later one looks at.
func (s *Stereographer) advance(to int) (takes []Take) {
	for ; s.done < to; s.done++ {
		takes = append(takes, s.take(s.done-s.first))
	}
	for s.first < s.done-s.Support() {
		s.frames[0] = nil
		s.frames = s.frames[1:]
		s.first++
	}
	return takes
}

// take decides for the frame at place i of those remembered.
func (s *Stereographer) take(i int) Take {
	from, to := s.shot(i)
	cfg, frame := s.cfg, s.frames[i]
	if cfg.AutoConvergence {
		cfg.Convergence = s.mean(i, from, to, func(k int) float64 { return s.bent[s.frames[k].subject] })
	}
	now := Setting{Convergence: cfg.Convergence}
	if cfg.FloatingWindow {
		now.Left = s.window(&cfg, i, from, to, func(v *Sight) int { return v.left })
		now.Right = s.window(&cfg, i, from, to, func(v *Sight) int { return v.right })
	}
	return Take{now, s.measure(&cfg, frame, now)}
}

// shot returns the frames [from, to] around i, at most Support away, that belong to i's shot.
func (s *Stereographer) shot(i int) (from, to int) {
	from, to = i, i
	for from > max(0, i-s.Support()) && !s.frames[from].cut {
		from--
	}
	for to < min(len(s.frames)-1, i+s.Support()) && !s.frames[to+1].cut {
		to++
	}
	return from, to
}

// mean averages over frames [from, to], weighted by a triangle around i.
func (s *Stereographer) mean(i, from, to int, of func(k int) float64) float64 {
	sum, total := 0.0, 0.0
	for k := max(from, i-settingReach); k <= min(to, i+settingReach); k++ {
		weight := float64(settingReach + 1 - max(i-k, k-i))
		sum, total = sum+weight*of(k), total+weight
	}
	return sum / total
}

// window returns how far forward an edge stands that cuts what lies at the level given by of: as far as the nearest of
// the frames around, so that it is there before a thing reaches it, and evenly on its way.
func (s *Stereographer) window(cfg *Config, i, from, to int, of func(*Sight) int) float64 {
	const half = settingReach / 2
	nearest := func(k int) float64 {
		d := 0
		for n := max(from, k-half); n <= min(to, k+half); n++ {
			d = max(d, of(s.frames[n]))
		}
		return s.bent[d]
	}
	return max(0, cfg.Parallax(s.mean(i, max(from, i-half), min(to, i+half), nearest)))
}

// Where people look, as far as a picture says: what is sharp, and what is near its middle.
const (
	attentionW, attentionH = 32, 18
	// middleWidth is the deviation of the normal distribution around the picture's middle, in widths and heights.
	middleWidth = 0.2
	// subjectRank is the share of the attention that lies behind the subject: a subject that fills a third of it counts.
	subjectRank = 0.65
)

// Attention is how much of it each part of a picture draws, row after row.
type Attention [attentionW * attentionH]float32

// Attend looks at a picture.
func Attend(p *depth.Picture) *Attention {
	var a Attention
	for y := range p.H - 1 {
		row, next := p.Y[y*p.W:(y+1)*p.W], p.Y[(y+1)*p.W:]
		blocks := a[y*attentionH/p.H*attentionW:]
		for x := range p.W - 1 {
			v := row[x]
			blocks[x*attentionW/p.W] += abs(row[x+1]-v) + abs(next[x]-v)
		}
	}
	mean := float32(0)
	for _, v := range a {
		mean += v / float32(len(a))
	}
	for i := range a {
		x, y := (float64(i%attentionW)+0.5)/attentionW-0.5, (float64(i/attentionW)+0.5)/attentionH-0.5
		middle := math.Exp(-(x*x + y*y) / (2 * middleWidth * middleWidth))
		// Nothing is wholly without: a smooth face draws attention, too.
		a[i] = float32(middle) * (0.5 + min(a[i]/max(mean, 1e-6), 2))
	}
	return &a
}

func abs(v float32) float32 { return max(v, -v) }

// subject returns the depth level behind which subjectRank of the attention lies.
func subject(m *depth.Map, a *Attention) int {
	var weights [depthLevels]float64
	total := 0.0
	for y := range m.H {
		blocks := a[y*attentionH/m.H*attentionW:]
		for x, d := range m.D[y*m.W : (y+1)*m.W] {
			w := float64(blocks[x*attentionW/m.W])
			weights[level(d)] += w
			total += w
		}
	}
	seen := 0.0
	for i, w := range weights {
		if seen += w; seen > subjectRank*total {
			return i
		}
	}
	return depthLevels - 1
}

// edgeStrip is the share of the width beside the frame's border whose things it cuts; edgeRank the share of them that may
// be nearer than what counts.
const (
	edgeStrip = 0.02
	edgeRank  = 0.05
)

// atEdge returns the depth level of what is nearest at the map's left (side 0) or right (side 1) border.
func atEdge(m *depth.Map, side int) int {
	n := max(1, int(edgeStrip*float64(m.W)+0.5))
	var l levels
	for y := range m.H {
		row := m.D[y*m.W : (y+1)*m.W]
		if side == 0 {
			l.add(row[:n])
		} else {
			l.add(row[m.W-n:])
		}
	}
	return l.rank(1 - edgeRank)
}
