package depth

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// brightness is a network that takes luma for nearness, and counts what it sees.
type brightness struct {
	batch  int
	metric bool
	metre  float32 // in the network's unit; 0 is 1
	seen   []int   // numbers of frames
	runs   int
	lens   func(y float32, x, y0 int) float32
}

func (b *brightness) Spec() Spec {
	return Spec{Side: 28, Multiple: 14, Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}, Metric: b.metric}
}

func (b *brightness) Batch() int { return max(b.batch, 1) }

func (b *brightness) Infer(pictures []Input) ([]Map, error) {
	if len(pictures) > b.Batch() {
		return nil, fmt.Errorf("%d pictures at once", len(pictures))
	}
	b.runs++
	var maps []Map
	for _, p := range pictures {
		b.seen = append(b.seen, p.Number)
		m := Map{W: p.W, H: p.H, D: slices.Clone(p.Y)}
		for y := range p.H {
			row := m.D[y*p.W : (y+1)*p.W]
			if p.Mirrored {
				slices.Reverse(row)
			}
			for x, v := range row {
				if b.lens != nil {
					v = b.lens(v, x, y)
				}
				if b.metric {
					v = cmp.Or(b.metre, 1) / (v + 0.1)
				}
				row[x] = v
			}
		}
		maps = append(maps, m)
	}
	return maps, nil
}

func neuralOf(t testing.TB, net Net, o NeuralOptions, frames []*Picture, first int) []Estimate {
	t.Helper()
	e := NewNeural(net, o)
	var all []Estimate
	for i, p := range frames {
		p := *p
		p.Number = first + i
		ready, err := e.Push(&p)
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

func TestPiecesOnANetworkGiveTheSameBitsAsTheWhole(t *testing.T) {
	for _, c := range []struct {
		options NeuralOptions
		batch   int
		lengths []int
	}{
		{NeuralOptions{}, 1, []int{1, 7, 24}}, {NeuralOptions{}, 4, []int{1, 7, 24}},
		{NeuralOptions{Every: 3}, 2, []int{16}}, {NeuralOptions{Every: 4}, 4, []int{9}}, {NeuralOptions{Every: 5, Mirror: true}, 1, []int{23}},
	} {
		for _, length := range c.lengths {
			checkPieces(t, c.options, c.batch, length)
		}
	}
}

// checkPieces compares the whole with pieces of some length and their lead.
func checkPieces(t *testing.T, o NeuralOptions, batch, length int) {
	t.Helper()
	frames := film(60)
	whole := neuralOf(t, &brightness{batch: batch}, o, frames, 100)
	k := NeuralSupport(o)
	for first := 0; first < len(frames); first += length {
		end := min(first+length, len(frames))
		from, to := max(0, first-k), min(len(frames), end+k)
		part := neuralOf(t, &brightness{batch: batch}, o, frames[from:to], 100+from)
		for i := first; i < end; i++ {
			if !slices.Equal(part[i-from].Map.D, whole[i].Map.D) || part[i-from].Cut != whole[i].Cut {
				t.Fatalf("%+v, pieces of %d: frame %d differs from the whole's", o, length, i)
			}
		}
	}
}

func TestNetworkSeesEveryNthFrameAndTheFirstOfEachShot(t *testing.T) {
	frames := film(40) // with a cut at 20
	net := &brightness{}
	if all := neuralOf(t, net, NeuralOptions{Every: 6}, frames, 3); len(all) != 40 {
		t.Fatalf("%d estimates", len(all))
	}
	// Numbers start at 3: the clip's first, the multiples of six, and the cut at 23.
	if want := []int{3, 6, 12, 18, 23, 24, 30, 36, 42}; !slices.Equal(net.seen, want) {
		t.Errorf("the network saw %v, want %v", net.seen, want)
	}
}

// A run of a network takes as long with one picture as with a batch of them.
func TestFewSeenFramesFillTheirBatches(t *testing.T) {
	var frames []*Picture
	tex := texture(3)
	for i := range 96 {
		frames = append(frames, view(28, 28, tex, shifted(0.1*float64(i), 0)))
	}
	for _, c := range []struct{ batch, every, runs int }{{1, 4, 24}, {4, 1, 24}, {4, 2, 12}, {4, 4, 6}, {4, 12, 2}, {64, 1, 2}} {
		net := &brightness{batch: c.batch}
		if all := neuralOf(t, net, NeuralOptions{Every: c.every}, frames, 0); len(all) != len(frames) {
			t.Fatalf("%+v: %d estimates", c, len(all))
		}
		if net.runs != c.runs || len(net.seen) != len(frames)/c.every {
			t.Errorf("%+v: %d runs for %d pictures", c, net.runs, len(net.seen))
		}
	}
}

func TestDepthBetweenKeysFollowsTheMotion(t *testing.T) {
	tex := texture(21)
	var frames []*Picture
	for i := range 13 {
		frames = append(frames, view(128, 72, tex, shifted(2*float64(i), 0)))
	}
	each := neuralOf(t, &brightness{}, NeuralOptions{}, frames, 0)
	some := neuralOf(t, &brightness{}, NeuralOptions{Every: 4}, frames, 0)
	var moved, held float64
	for y := 8; y < 64; y++ {
		for x := 16; x < 112; x++ {
			i := y*128 + x
			moved += math.Abs(float64(some[6].Map.D[i] - each[6].Map.D[i]))
			held += math.Abs(float64(each[4].Map.D[i] - each[6].Map.D[i]))
		}
	}
	if moved > 0.25*held {
		t.Errorf("off by %.4f on average, where the key itself would be by %.4f", moved/5376, held/5376)
	}
}

func TestNearIsNearForRelativeAndMetricNetworks(t *testing.T) {
	p := view(28, 28, func(x, y float64) float64 { return x / 27 }, shifted(0, 0))
	for _, metric := range []bool{false, true} {
		m := neuralOf(t, &brightness{metric: metric}, NeuralOptions{}, []*Picture{p}, 0)[0].Map
		for x := 1; x < 28; x++ {
			if m.D[x] < m.D[x-1] {
				t.Fatalf("metric %v: column %d is farther than the darker one before it: %v", metric, x, m.D[:28])
			}
		}
		if m.D[0] != 0 || m.D[27] != 1 {
			t.Errorf("metric %v: the range is %v to %v", metric, m.D[0], m.D[27])
		}
	}
}

func TestUnitOfDistancesDoesNotMatter(t *testing.T) {
	p := view(28, 28, func(x, y float64) float64 { return x / 27 }, shifted(0, 0))
	metres := neuralOf(t, &brightness{metric: true}, NeuralOptions{}, []*Picture{p}, 0)[0].Map
	for _, metre := range []float32{1e-6, 1e-3, 0.1, 40, 1000} {
		m := neuralOf(t, &brightness{metric: true, metre: metre}, NeuralOptions{}, []*Picture{p}, 0)[0].Map
		for i, d := range m.D {
			if !near(d, metres.D[i]) {
				t.Fatalf("where a metre is %v, point %d is at %v, in metres at %v", metre, i, d, metres.D[i])
			}
		}
	}
}

func TestPointAtNoDistanceIsTheNearestAndChangesNoOther(t *testing.T) {
	const place = 9*28 + 5
	p := view(28, 28, func(x, y float64) float64 { return y / 27 }, shifted(0, 0))
	for _, metre := range []float32{1e-6, 1, 40} {
		clean := neuralOf(t, &brightness{metric: true, metre: metre}, NeuralOptions{}, []*Picture{p}, 0)[0].Map
		for _, bad := range []float32{float32(math.Inf(1)), -3, 1e30} { // 1/(bad + 0.1) is no distance
			m := neuralOf(t, &brightness{metric: true, metre: metre, lens: func(v float32, x, y int) float32 {
				if y*28+x == place {
					return bad
				}
				return v
			}}, NeuralOptions{}, []*Picture{p}, 0)[0].Map
			for i, d := range m.D {
				if want := clean.D[i]; i == place && d != 1 || i != place && !near(d, want) {
					t.Fatalf("metre %v, nearness %v: point %d is at %v, want %v", metre, bad, i, d, want)
				}
			}
		}
	}
}

func TestFlippingUndoesWhatANetworkHasAgainstOneSide(t *testing.T) {
	lopsided := func(v float32, x, _ int) float32 { return v + float32(x)/27 }
	p := view(28, 28, func(x, y float64) float64 { return y / 27 }, shifted(0, 0))
	m := neuralOf(t, &brightness{lens: lopsided}, NeuralOptions{Mirror: true}, []*Picture{p}, 0)[0].Map
	for y := range 28 {
		for x := range 28 {
			if !near(m.D[y*28+x], m.D[y*28]) {
				t.Fatalf("row %d: %v at the left and %v at %d", y, m.D[y*28], m.D[y*28+x], x)
			}
		}
	}
}

func TestNoiseOfAWallDoesNotBecomeDepth(t *testing.T) {
	p := view(28, 28, func(x, y float64) float64 { return 0.5 + 0.002*math.Mod(x+y, 2) }, shifted(0, 0))
	m := neuralOf(t, &brightness{}, NeuralOptions{}, []*Picture{p}, 0)[0].Map
	if lo, hi := slices.Min(m.D), slices.Max(m.D); hi-lo > 0.1 {
		t.Errorf("depth of a wall spans %v to %v", lo, hi)
	}
}

// brokenEdge is a network whose three leftmost columns are bad, on a scene that comes nearer from top to bottom.
func brokenEdge(t *testing.T, bad float32, metric bool) []Estimate {
	t.Helper()
	net := &brightness{metric: metric, lens: func(v float32, x, _ int) float32 {
		if x < 3 {
			return bad
		}
		return v
	}}
	p := view(28, 28, func(x, y float64) float64 { return y / 27 }, shifted(0, 0))
	return neuralOf(t, net, NeuralOptions{Mirror: true}, slices.Repeat([]*Picture{p}, 2*levelReach+1), 0)
}

func TestBrokenNumbersOfANetworkStayInRange(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, bad := range []float32{float32(math.NaN()), inf, -inf, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, -5, 0} {
		for _, metric := range []bool{false, true} {
			for i, e := range brokenEdge(t, bad, metric) {
				for _, d := range e.Map.D {
					if !(d >= 0 && d <= 1) {
						t.Fatalf("%v, metric %v: depth %v in frame %d", bad, metric, d, i)
					}
				}
			}
		}
	}
}

func TestInfinityIsTheNearestOrTheFarthestAndFlattensNothing(t *testing.T) {
	for bad, as := range map[float32]float32{float32(math.Inf(1)): 1, float32(math.Inf(-1)): 0} {
		if got, want := brokenEdge(t, bad, false)[levelReach].Map.D, brokenEdge(t, as, false)[levelReach].Map.D; !slices.Equal(got, want) {
			t.Errorf("%v: the depths are %v, want those of %v: %v", bad, got[:28], as, want[:28])
		}
	}
}

func TestSizesAreTheReferences(t *testing.T) {
	s := Spec{Side: 518, Multiple: 14}
	for _, c := range []struct{ w, h, pw, ph int }{ // of get_resize_output_image_size in transformers, keep_aspect_ratio
		{1920, 1080, 924, 518}, {3840, 2160, 924, 518}, {1080, 1920, 518, 924}, {640, 480, 686, 518}, {1998, 1080, 952, 518},
		{1280, 534, 1246, 518}, {518, 518, 518, 518}, {320, 180, 518, 294}, {720, 576, 644, 518}, {4096, 1716, 1232, 518},
	} {
		if pw, ph := s.Size(c.w, c.h); pw != c.pw || ph != c.ph {
			t.Errorf("%d×%d becomes %d×%d, want %d×%d", c.w, c.h, pw, ph, c.pw, c.ph)
		}
	}
	for _, c := range [][2]int{{1, 1}, {16384, 16}, {16, 16384}, {65536, 2}} {
		if pw, ph := s.Size(c[0], c[1]); pw < 14 || ph < 14 || pw > 4*518 || ph > 4*518 || pw%14 != 0 || ph%14 != 0 {
			t.Errorf("%v becomes %d×%d", c, pw, ph)
		}
	}
	s.FixedW, s.FixedH = 518, 392
	if pw, ph := s.Size(1920, 1080); pw != 518 || ph != 392 {
		t.Errorf("a fixed network gets %d×%d", pw, ph)
	}
}

func TestTensorIsNormalisedRGB(t *testing.T) {
	// Pure BT.709 red, and a white that is beyond the range.
	p := &Picture{W: 2, H: 1, Y: []float32{0.2126, 1}, Cb: []float32{0.5 - 0.2126/(2*(1-0.0722)), 0.5}, Cr: []float32{1, 0.5}, Weights: Weights{0.2126, 0.0722}}
	s := (&brightness{}).Spec()
	got := make([]float32, 6)
	for _, mirrored := range []bool{false, true} {
		s.Tensor(got, Input{p, mirrored})
		for c := range 3 {
			red, white := (float32([]float64{1, 0, 0}[c])-s.Mean[c])/s.Std[c], (1-s.Mean[c])/s.Std[c]
			want := []float32{red, white}
			if mirrored {
				want = []float32{white, red}
			}
			if !near(got[2*c], want[0]) || !near(got[2*c+1], want[1]) {
				t.Errorf("mirrored %v, colour %d: %v, want %v", mirrored, c, got[2*c:2*c+2], want)
			}
		}
	}
}

func TestCubicKeepsWhatIsFlatAndWhereItIs(t *testing.T) {
	f := yuv.New[uint8](64, 48, 8)
	for i := range f.Y.Pix {
		f.Y.Pix[i] = uint8(16 + 3*(i%64)) // a ramp
	}
	for i := range f.U.Pix {
		f.U.Pix[i], f.V.Pix[i] = 100, uint8(64+4*(i%32)) // chroma's ramp: its sample i lies at 2i + 1/2 of luma's pixels from the left
	}
	for name, c := range map[string]struct {
		coding Coding
		at     float64 // of chroma sample 0, in pixels from the left edge
	}{"left": {Coding{ChromaLeft: true}, 0.5}, "center": {Coding{}, 1}} {
		for _, s := range []Sampling{{W: 28, H: 28, Cubic: true}, {W: 64, H: 48, Cubic: true}, {W: 98, H: 70, Cubic: true}} {
			p := NewReducer[uint8](64, 48, s, c.coding).Reduce(f, nil)
			for x := 8 * s.W / 64; x < s.W-8*s.W/64; x++ {
				place := (float64(x) + 0.5) * 64 / float64(s.W)
				i := s.W*(s.H/2) + x
				if want := 3 * (place - 0.5) / 219; math.Abs(float64(p.Y[i])-want) > 1e-3 {
					t.Fatalf("%s %v: luma at %d is %v, want %v", name, s, x, p.Y[i], want)
				}
				if want := 0.5 + (64+4*(place-c.at)/2-128)/224; math.Abs(float64(p.Cr[i])-want) > 1e-3 {
					t.Fatalf("%s %v: chroma at %d is %v, want %v", name, s, x, p.Cr[i], want)
				}
				if !near(p.Cb[i], 0.5+(100-128)/224.0) {
					t.Fatalf("%s %v: flat chroma is %v", name, s, p.Cb[i])
				}
			}
		}
	}
}

func FuzzCubicStaysInRange(f *testing.F) {
	f.Add(uint16(20), uint16(10), uint16(14), uint16(28), uint8(255))
	f.Add(uint16(1), uint16(1), uint16(14), uint16(14), uint8(0))
	f.Fuzz(func(t *testing.T, w, h, pw, ph uint16, v uint8) {
		w, h, pw, ph = w%300+1, h%300+1, pw%300+1, ph%300+1
		frame := yuv.New[uint8](int(w), int(h), 8)
		for i := range frame.Y.Pix {
			frame.Y.Pix[i] = v * uint8(i%2)
		}
		p := NewReducer[uint8](int(w), int(h), Sampling{W: int(pw), H: int(ph), Cubic: true}, Coding{FullRange: true, ChromaLeft: true}).Reduce(frame, nil)
		for _, plane := range [][]float32{p.Y, p.Cb, p.Cr} {
			for _, d := range plane {
				if !(d >= 0 && d <= 1) {
					t.Fatalf("%d×%d to %d×%d: value %v", w, h, pw, ph, d)
				}
			}
		}
	})
}
