package stereo

import (
	"math"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

func directed() Config {
	cfg := defaults(job.FullSBS)
	cfg.AutoConvergence, cfg.FloatingWindow = true, true
	return cfg
}

// play has a stereographer see frames [from, to) and returns the takes of those with support on both sides, or of all
// at the film's ends.
func play(cfg Config, film []*Sight, from, to int) []Take {
	s := NewStereographer(cfg)
	var takes []Take
	for _, v := range film[from:to] {
		takes = append(takes, s.Push(v)...)
	}
	return append(takes, s.Flush()...)
}

// wandering is a film of sights whose subject and borders wander, with cuts.
func wandering(n int) []*Sight {
	var film []*Sight
	state := uint32(7)
	for i := range n {
		state = state*1664525 + 1013904223
		v := &Sight{cut: i == 20 || i == 23 || i == 50, levels: levelsOf([]float32{float32(state>>8) / (1 << 24)})}
		v.subject, v.left, v.right = int(state>>9)%depthLevels, int(state>>13)%depthLevels, int(state>>17)%depthLevels
		film = append(film, v)
	}
	return film
}

func TestSettingsOfAPieceAreThoseOfTheWhole(t *testing.T) {
	t.Parallel()
	film := wandering(80)
	whole := play(directed(), film, 0, len(film))
	if len(whole) != len(film) {
		t.Fatalf("%d takes of %d frames", len(whole), len(film))
	}
	reach := NewStereographer(directed()).Support()
	for _, own := range [][2]int{{0, 10}, {10, 21}, {21, 22}, {22, 60}, {60, 80}} {
		from, to := max(own[0]-reach, 0), min(own[1]+reach, len(film))
		piece := play(directed(), film, from, to)[own[0]-from:][:own[1]-own[0]]
		if !slices.Equal(piece, whole[own[0]:own[1]]) {
			t.Errorf("frames %v differ from the whole's", own)
		}
	}
}

func TestSettingsNeverLookAcrossACut(t *testing.T) {
	t.Parallel()
	film := wandering(80)
	whole := play(directed(), film, 0, len(film))
	for _, shot := range [][2]int{{0, 20}, {20, 23}, {23, 50}, {50, 80}} {
		alone := play(directed(), film, shot[0], shot[1])
		for i, take := range alone {
			if take.Setting != whole[shot[0]+i].Setting {
				t.Fatalf("frame %d of the shot at %d follows another shot", i, shot[0])
			}
		}
	}
}

func TestScreenPlaneMovesSlowly(t *testing.T) {
	t.Parallel()
	film := wandering(40)
	for i, v := range film {
		v.cut, v.subject = false, 200+600*(i/20) // a subject that jumps
	}
	before := math.NaN()
	for i, take := range play(directed(), film, 0, len(film)) {
		if step := math.Abs(take.Setting.Convergence - before); step > 0.06 {
			t.Errorf("the plane moves by %.3f at frame %d", step, i)
		}
		before = take.Setting.Convergence
	}
}

func TestFixedSettingsNeedNoOtherFrames(t *testing.T) {
	t.Parallel()
	s := NewStereographer(defaults(job.FullSBS))
	if s.Support() != 0 {
		t.Fatalf("support %d", s.Support())
	}
	for i, v := range wandering(3) {
		if takes := s.Push(v); len(takes) != 1 || takes[0].Setting != (Setting{Convergence: 0.5}) {
			t.Errorf("frame %d: %+v", i, takes)
		}
	}
}

// sightOf looks at a frame with the given depth, as a conversion does.
func sightOf(frame *yuv.Frame[uint8], d []float32) *Sight {
	w, h := frame.Y.W, frame.Y.H
	reducer := depth.NewReducer[uint8](w, h, depth.Sampling{W: w, H: h}, depth.Coding{})
	return Look(depth.Estimate{Map: depth.Map{W: w, H: h, D: d}}, Attend(reducer.Reduce(frame, nil)))
}

// TestSubjectOfASceneLiesInTheScreenPlane gives the true depth of rendered scenes: the thing in the middle, at the given
// place in widths and heights, must have next to no disparity: at most a tenth of the scene's.
func TestSubjectOfASceneLiesInTheScreenPlane(t *testing.T) {
	t.Parallel()
	const w, h = 192, 108
	for name, at := range map[string][2]float64{scene.Demo: {0.51, 0.52}, scene.Slants: {0.55, 0.6}} {
		s, err := scene.New(name, w, h)
		if err != nil {
			t.Fatal(err)
		}
		frame, inv := s.Frame(24, 0)
		cfg := directed()
		cfg.Convergence = play(cfg, []*Sight{sightOf(frame, inv)}, 0, 1)[0].Setting.Convergence
		d := inv[int(at[1]*h)*w+int(at[0]*w)]
		t.Logf("%s: subject at depth %.2f, screen plane at %.2f", name, d, cfg.Convergence)
		if p := cfg.Disparity(float64(d), w, h); math.Abs(p) > 0.1*cfg.Divergence/100*w {
			t.Errorf("%s: the subject's disparity is %.2f px", name, p)
		}
	}
}

// TestScreenPlaneFollowsASubjectThatComesNearer has an actor walk from the back of a room towards the camera, across the
// middle of the picture.
func TestScreenPlaneFollowsASubjectThatComesNearer(t *testing.T) {
	t.Parallel()
	const w, h, frames = 160, 90, 60
	depthAt := func(i int) float32 { return 0.35 + 0.5*float32(i)/frames }
	var film []*Sight
	for i := range frames {
		cx, size := 0.4+0.2*float64(i)/frames, 0.10+0.05*float64(i)/frames
		src, m := paint(w, h, func(x, y int) (uint8, uint8, uint8, float32) {
			dx, dy := float64(x)/w-cx, float64(y)/h-0.55
			if dx*dx/(size*size)+dy*dy/(9*size*size) < 1 {
				return uint8(90 + 60*((x/3+y/3)%2)), 110, 150, depthAt(i)
			}
			if y > 3*h/4 {
				return uint8(60 + x%7), 128, 128, 0.2 + 0.8*float32(y-3*h/4)/(h/4) // the floor
			}
			return uint8(150 + x/4%5), 128, 128, 0.1
		})
		film = append(film, sightOf(src, m.D))
	}
	cfg := directed()
	for i, take := range play(cfg, film, 0, frames) {
		cfg.Convergence = take.Setting.Convergence
		if p := cfg.Parallax(float64(depthAt(i))); math.Abs(p) > 0.1*cfg.Divergence {
			t.Fatalf("frame %d: the actor's parallax is %.2f%%, plane at %.2f, actor at %.2f", i, p, take.Setting.Convergence, depthAt(i))
		}
	}
}

func TestWindowStandsWhereTheBorderCutsNearThings(t *testing.T) {
	t.Parallel()
	m := &depth.Map{W: 100, H: 50, D: make([]float32, 5000)}
	for y := range 50 {
		for x := range 4 {
			m.D[y*100+x] = 0.9 // near at the left, far at the right
		}
	}
	film := make([]*Sight, 30)
	for i := range film {
		film[i] = Look(depth.Estimate{Map: *m}, nil)
	}
	cfg := defaults(job.FullSBS)
	cfg.FloatingWindow = true
	take := play(cfg, film, 0, len(film))[15]
	want := cfg.Parallax(0.9)
	if math.Abs(take.Setting.Left-want) > 0.01 || take.Setting.Right != 0 {
		t.Errorf("%+v, want the left edge at %.2f", take.Setting, want)
	}
	if f := take.Figures; math.Abs(f.LeftCut-want) > 0.01 || f.RightCut > 0 || f.LeftWindow != milli(take.Setting.Left) {
		t.Errorf("%+v", f)
	}
}

func TestFiguresOfAKnownFrame(t *testing.T) {
	t.Parallel()
	d := make([]float32, 1000)
	for i := range d {
		d[i] = float32(i) / 999
	}
	cfg := defaults(job.FullSBS)
	cfg.Divergence, cfg.MaxNear = 4, 0.5 // parallax from -2 to 2, held below 0.5
	f := play(cfg, []*Sight{Look(depth.Estimate{Map: depth.Map{W: 40, H: 25, D: d}, Cut: true}, nil)}, 0, 1)[0].Figures
	within := func(name string, got, want float64) {
		if math.Abs(got-want) > 0.02 {
			t.Errorf("%s is %.3f, want %.3f", name, got, want)
		}
	}
	within("least", f.Least, -2)
	within("low", f.Low, -1.96)
	within("median", f.Median, 0)
	within("high", f.High, 0.5)
	within("asked low", f.AskedLow, -1.96)
	within("asked high", f.AskedHigh, 1.96)
	sum := 0
	for _, n := range f.Histogram {
		sum += n
	}
	if !f.Cut || sum < 980 || sum > 1020 || f.Histogram[0] != 16 || f.Histogram[FigureBins-1] < 200 {
		t.Errorf("%+v", f)
	}
}
