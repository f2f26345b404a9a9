package depth

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// texture is a smooth random picture that can be looked up anywhere.
func texture(seed uint64) func(x, y float64) float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	type wave struct{ fx, fy, phase, size float64 }
	var waves []wave
	for range 24 {
		waves = append(waves, wave{r.NormFloat64() * 0.25, r.NormFloat64() * 0.25, r.Float64() * 7, 0.5 + r.Float64()})
	}
	return func(x, y float64) float64 {
		var v float64
		for _, w := range waves {
			v += w.size * math.Sin(w.fx*x+w.fy*y+w.phase)
		}
		return min(max(0.5+v/16, 0), 1)
	}
}

// view draws a texture after a motion of the picture.
func view(w, h int, t func(x, y float64) float64, moved func(x, y float64) (float64, float64)) *Picture {
	p := &Picture{W: w, H: h, Y: make([]float32, w*h), Cb: make([]float32, w*h), Cr: make([]float32, w*h)}
	for y := range h {
		for x := range w {
			sx, sy := moved(float64(x), float64(y))
			p.Y[y*w+x] = float32(t(sx, sy))
			p.Cb[y*w+x], p.Cr[y*w+x] = 0.5, 0.5
		}
	}
	return p
}

func shifted(dx, dy float64) func(x, y float64) (float64, float64) {
	return func(x, y float64) (float64, float64) { return x - dx, y - dy }
}

func pyramidOf(p *Picture) pyramid { return newPyramid(new(scratch), p.Y, p.W, p.H) }

func TestFlowFindsAKnownShift(t *testing.T) {
	tex := texture(1)
	a := view(128, 72, tex, shifted(0, 0))
	for _, want := range [][2]float64{{0, 0}, {0.4, -0.3}, {3.5, 1.25}, {-6, 2.5}} {
		f := newFlow(new(scratch), pyramidOf(a), pyramidOf(view(128, 72, tex, shifted(want[0], want[1]))))
		var off, n float64
		for y := 16; y < 56; y++ {
			for x := 16; x < 112; x++ {
				i := y*128 + x
				off += math.Hypot(float64(f.u[i])-want[0], float64(f.v[i])-want[1])
				n++
			}
		}
		if off/n > 0.1 {
			t.Errorf("shift %v: flow is off by %.3f pixels", want, off/n)
		}
	}
}

func TestCameraMotionIsFoundDespiteAnObjectThatMovesOtherwise(t *testing.T) {
	want := camera{tx: 1.5, ty: -0.5, zoom: 0.02, roll: 0.01}
	f := flow{w: 96, h: 54, u: make([]float32, 96*54), v: make([]float32, 96*54), trust: make([]float32, 96*54)}
	for y := range 54 {
		for x := range 96 {
			i := y*96 + x
			u, v := want.at(float64(x)-47.5, float64(y)-26.5)
			if x > 60 && y > 30 { // a fifth of the picture
				u, v = -6, 3
			}
			f.u[i], f.v[i], f.trust[i] = float32(u), float32(v), 1
		}
	}
	got := fitCamera(new(scratch), f)
	for name, d := range map[string]float64{"tx": got.tx - want.tx, "ty": got.ty - want.ty, "zoom": 30 * (got.zoom - want.zoom), "roll": 30 * (got.roll - want.roll)} {
		if math.Abs(d) > 0.1 {
			t.Errorf("%s is off by %.3f: %+v", name, d, got)
		}
	}
}

func TestBoxMeanEqualsTheMeanOfTheSquare(t *testing.T) {
	const w, h, radius = 13, 9, 3
	r := rand.New(rand.NewPCG(7, 7))
	v := make([]float32, w*h)
	for i := range v {
		v[i] = r.Float32()
	}
	got := boxMean(new(scratch), v, w, h, radius)
	for y := range h {
		for x := range w {
			var sum float64
			n := 0
			for yy := max(0, y-radius); yy <= min(h-1, y+radius); yy++ {
				for xx := max(0, x-radius); xx <= min(w-1, x+radius); xx++ {
					sum += float64(v[yy*w+xx])
					n++
				}
			}
			if want := sum / float64(n); math.Abs(float64(got[y*w+x])-want) > 1e-6 {
				t.Fatalf("(%d,%d) is %v, want %v", x, y, got[y*w+x], want)
			}
		}
	}
}

func TestGuidedFilterKeepsAnEdgeOfTheGuideAndSmoothsElsewhere(t *testing.T) {
	const w, h = 64, 32
	r := rand.New(rand.NewPCG(3, 3))
	guide, v := make([]float32, w*h), make([]float32, w*h)
	for i := range v {
		if i%w >= w/2 {
			guide[i], v[i] = 0.8, 0.9
		} else {
			guide[i], v[i] = 0.2, 0.1
		}
		v[i] += 0.1 * (r.Float32() - 0.5)
	}
	out := make([]float32, w*h)
	guided(new(scratch), out, v, guide, w, h, 6, 1e-3)
	for y := range h {
		left, right := out[y*w+w/2-1], out[y*w+w/2]
		if right-left < 0.7 {
			t.Fatalf("row %d: the edge is only %.2f high", y, right-left)
		}
		if d := out[y*w+10] - 0.1; d > 0.03 || d < -0.03 {
			t.Fatalf("row %d: noise of %.3f is left", y, d)
		}
	}
}

func TestScratchLendsWhatWasReleasedAgain(t *testing.T) {
	var s scratch
	kept := s.plane(4)
	copy(kept, []float32{1, 2, 3, 4})
	mark := s.mark()
	s.plane(8)
	s.release(mark)
	for _, n := range []int{3, 8, 100} {
		mark := s.mark()
		p := s.plane(n)
		if len(p) != n {
			t.Errorf("%d values lent, want %d", len(p), n)
		}
		for i := range p {
			p[i] = -1
		}
		s.release(mark)
	}
	if kept[0] != 1 || kept[3] != 4 {
		t.Errorf("what was not released is %v", kept)
	}
	if perRun := testing.AllocsPerRun(10, func() { defer s.release(s.mark()); s.plane(100); s.plane(50) }); perRun > 0 {
		t.Errorf("%v allocations for planes that are there", perRun)
	}
}

func TestPercentilesOfKnownValues(t *testing.T) {
	v := make([]float32, 101)
	for i := range v {
		v[100-i] = float32(i)
	}
	if lo, hi := percentiles(new(scratch), v, 0.02, 0.98); lo != 2 || hi != 98 {
		t.Errorf("2%% and 98%% are %v and %v", lo, hi)
	}
}

// film is a moving clip with a hard cut and a flash, and noise.
func film(n int) []*Picture {
	r := rand.New(rand.NewPCG(5, 5))
	first, second := texture(11), texture(12)
	var frames []*Picture
	for t := range n {
		tex := first
		if t >= n/2 {
			tex = second
		}
		p := view(64, 36, tex, func(x, y float64) (float64, float64) { return x - float64(t)*(0.3+y/36), y })
		for i := range p.Y {
			p.Y[i] = min(max(p.Y[i]+float32(r.NormFloat64()*0.01), 0), 1)
			if t >= n/2 {
				p.Y[i] *= 0.6
			}
			if t == n/4 {
				p.Y[i] = min(1, p.Y[i]+0.5)
			}
		}
		frames = append(frames, p)
	}
	return frames
}

func classicOf(t testing.TB, frames []*Picture) []Estimate {
	t.Helper()
	e, err := New("classic")
	if err != nil {
		t.Fatal(err)
	}
	var all []Estimate
	for _, p := range frames {
		ready, err := e.Push(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ready...)
	}
	rest, err := e.Flush()
	if err != nil {
		t.Fatal(err)
	}
	return append(all, rest...)
}

func TestPiecesWithLeadGiveTheSameBitsAsTheWhole(t *testing.T) {
	frames := film(72)
	whole := classicOf(t, frames)
	if len(whole) != len(frames) {
		t.Fatalf("%d estimates of %d frames", len(whole), len(frames))
	}
	e, _ := New("classic")
	k := e.Support()
	for _, length := range []int{1, 7, 24, 35} {
		for first := 0; first < len(frames); first += length {
			end := min(first+length, len(frames))
			from, to := max(0, first-k), min(len(frames), end+k)
			part := classicOf(t, frames[from:to])
			for i := first; i < end; i++ {
				got, want := part[i-from], whole[i]
				if !slices.Equal(got.Map.D, want.Map.D) || got.Cut != want.Cut {
					t.Fatalf("pieces of %d: frame %d differs from the whole's", length, i)
				}
			}
		}
	}
}

func TestCutIsFoundAndAFlashIsNone(t *testing.T) {
	for i, e := range classicOf(t, film(72)) {
		if want := i == 36; e.Cut != want {
			t.Errorf("frame %d: cut is %v", i, e.Cut)
		}
	}
}

func TestCutsAreFoundWithoutDepthWhereEstimatorsFindThem(t *testing.T) {
	for _, n := range []int{1, 2, 36, 37, 38, 72} {
		frames, cuts := film(n), &Cuts{}
		var want []int
		for i, e := range classicOf(t, frames) {
			if e.Cut {
				want = append(want, i)
			}
			cuts.Push(frames[i])
		}
		if got := cuts.Flush(); !slices.Equal(got, want) {
			t.Errorf("%d frames: cuts at %v, classic finds %v", n, got, want)
		}
	}
}

func TestMapsAreInRangeForEverySize(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 300}, {16, 16}, {16384, 16}, {9, 4000}, {641, 361}} {
		e, _ := New("classic")
		s := e.Sampling(size[0], size[1])
		pw, ph := s.W, s.H
		if pw < 1 || ph < 1 || pw > size[0] || ph > size[1] {
			t.Fatalf("%v is analysed at %d×%d", size, pw, ph)
		}
		checkClip(t, pw, ph, 3)
	}
}

func FuzzMapsAreInRange(f *testing.F) {
	f.Add(uint8(16), uint8(9), uint8(4))
	f.Fuzz(func(t *testing.T, w, h, n uint8) { checkClip(t, int(w%64)+1, int(h%64)+1, int(n%20)) })
}

func checkClip(t *testing.T, w, h, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	var frames []*Picture
	for range n {
		p := view(w, h, func(float64, float64) float64 { return r.Float64() }, shifted(0, 0))
		frames = append(frames, p)
	}
	all := classicOf(t, frames)
	if len(all) != n {
		t.Fatalf("%d estimates of %d frames", len(all), n)
	}
	for _, e := range all {
		if e.Map.W != w || e.Map.H != h || len(e.Map.D) != w*h {
			t.Fatalf("map of %d×%d for %d×%d", e.Map.W, e.Map.H, w, h)
		}
		for _, d := range e.Map.D {
			if !(d >= 0 && d <= 1) {
				t.Fatalf("depth %v", d)
			}
		}
	}
}

func TestReduceAveragesAreasAndUndoesTheRange(t *testing.T) {
	f := yuv.New[uint8](8, 4, 8)
	for i := range f.Y.Pix {
		f.Y.Pix[i] = 16
		if i%8 >= 4 {
			f.Y.Pix[i] = 235
		}
	}
	for i := range f.U.Pix {
		f.U.Pix[i], f.V.Pix[i] = 128, 240
	}
	p := NewReducer[uint8](8, 4, Sampling{W: 2, H: 1}, Coding{}).Reduce(f, nil)
	if want := []float32{0, 1}; !near(p.Y[0], want[0]) || !near(p.Y[1], want[1]) || !near(p.Cb[0], 0.5) || !near(p.Cr[0], 1) {
		t.Errorf("Y %v Cb %v Cr %v", p.Y, p.Cb, p.Cr)
	}
	wide := yuv.New[uint16](8, 4, 10)
	for i := range wide.Y.Pix {
		wide.Y.Pix[i] = 1023
	}
	if p := NewReducer[uint16](8, 4, Sampling{W: 3, H: 2}, Coding{FullRange: true}).Reduce(wide, nil); !near(p.Y[5], 1) {
		t.Errorf("10-bit full range white is %v", p.Y)
	}
	if again := NewReducer[uint8](8, 4, Sampling{W: 2, H: 1}, Coding{}).Reduce(f, p); again != p {
		t.Error("a picture of the right size is not reused")
	}
}

func near(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-5 }

func TestUnknownDepthSourceIsNamed(t *testing.T) {
	if _, err := New("crystal-ball"); err == nil {
		t.Error("an unknown depth source is accepted")
	}
}

func BenchmarkClassic(b *testing.B) {
	tex := texture(1)
	var frames []*Picture
	for t := range 40 {
		frames = append(frames, view(256, 144, tex, shifted(float64(t), 0)))
	}
	b.ResetTimer()
	for range b.N {
		classicOf(b, frames)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(40*b.N), "ms/frame")
}

func BenchmarkReduce1080p(b *testing.B) {
	f := yuv.New[uint8](1920, 1080, 8)
	for name, s := range map[string]Sampling{"areas": {W: 256, H: 144}, "cubic": {W: 924, H: 518, Cubic: true}} {
		b.Run(name, func(b *testing.B) {
			r := NewReducer[uint8](1920, 1080, s, Coding{})
			var p *Picture
			for range b.N {
				p = r.Reduce(f, p)
			}
		})
	}
}
