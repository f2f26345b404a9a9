package stereo

import "math"

// depthLevels is the number of depth levels that figures tell apart.
const depthLevels = 1024

// level returns the level of a depth; NaN counts as far.
func level(d float32) int {
	return int(depthStep(d*(depthSteps-1))) * (depthLevels - 1) / (depthSteps - 1)
}

// levels counts the values of a depth map by level.
type levels struct {
	n     int
	count [depthLevels]uint32
}

func levelsOf(d []float32) *levels {
	var l levels
	l.add(d)
	return &l
}

func (l *levels) add(d []float32) {
	for _, v := range d {
		l.count[level(v)]++
	}
	l.n += len(d)
}

// rank returns the level that the share q of the values doesn't exceed, at least one of them: 0 is the least level that
// occurs, 1 the greatest.
func (l *levels) rank(q float64) int {
	wanted, seen := max(int(q*float64(l.n)+0.5), 1), 0
	for i, n := range l.count {
		if seen += int(n); seen >= wanted {
			return i
		}
	}
	return depthLevels - 1
}

// FigureBins is the number of bins of a histogram of parallax.
const FigureBins = 40

// Figures are the parallax of one frame in percent of max(width, height), positive in front of the screen, rounded to
// thousandths.
type Figures struct {
	Cut         bool    `json:"cut,omitempty"` // the frame starts a new shot
	Convergence float64 `json:"plane"`         // bent depth in the screen plane
	// Least to Most are the minimum, the 1st percentile, the median, the 99th percentile and the maximum.
	Least  float64 `json:"min"`
	Low    float64 `json:"p1"`
	Median float64 `json:"p50"`
	High   float64 `json:"p99"`
	Most   float64 `json:"max"`
	// AskedLow and AskedHigh are the 1st and the 99th percentile as they would be without limits.
	AskedLow  float64 `json:"asked_p1"`
	AskedHigh float64 `json:"asked_p99"`
	// LeftCut and RightCut are the parallax of the nearest that the frame's left and right border cut; below 0 is behind
	// the screen, where a border may cut. LeftWindow and RightWindow are where the window's edges stand.
	LeftCut     float64 `json:"left"`
	RightCut    float64 `json:"right"`
	LeftWindow  float64 `json:"left_window,omitempty"`
	RightWindow float64 `json:"right_window,omitempty"`
	// Histogram holds the thousandths of the frame by parallax, in bins of equal width over ParallaxRange.
	Histogram [FigureBins]int `json:"histogram"`
}

// ParallaxRange returns the least and the greatest parallax, in percent, that any depth may have.
func (c Config) ParallaxRange() (least, most float64) {
	near, far := c, c
	if c.AutoConvergence {
		near.Convergence, far.Convergence = 0, 1
	}
	return far.Parallax(0), near.Parallax(1)
}

// measure returns the figures of a frame; cfg has its convergence.
func (s *Stereographer) measure(cfg *Config, v *Sight, now Setting) Figures {
	shown := func(level int) float64 { return milli(cfg.Parallax(s.bent[level])) }
	low, high := v.levels.rank(0.01), v.levels.rank(0.99)
	return Figures{
		Cut: v.cut, Convergence: milli(cfg.Convergence),
		Least: shown(v.levels.rank(0)), Low: shown(low), Median: shown(v.levels.rank(0.5)),
		High: shown(high), Most: shown(v.levels.rank(1)),
		AskedLow: milli(cfg.asked(s.bent[low])), AskedHigh: milli(cfg.asked(s.bent[high])),
		LeftCut: shown(v.left), RightCut: shown(v.right),
		LeftWindow: milli(now.Left), RightWindow: milli(now.Right),
		Histogram: s.histogram(cfg, v.levels),
	}
}

// milli rounds to thousandths.
func milli(v float64) float64 { return math.Round(1000*v) / 1000 }

func (s *Stereographer) histogram(cfg *Config, l *levels) (h [FigureBins]int) {
	least, most := s.cfg.ParallaxRange()
	scale := FigureBins / max(most-least, 1e-9)
	var counts [FigureBins]int
	for i, n := range l.count {
		if n > 0 {
			counts[min(max(int((cfg.Parallax(s.bent[i])-least)*scale), 0), FigureBins-1)] += int(n)
		}
	}
	for i, n := range counts {
		h[i] = (1000*n + l.n/2) / l.n
	}
	return h
}
