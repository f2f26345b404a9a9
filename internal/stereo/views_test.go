package stereo

import (
	"math"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// line is a picture with one bright column, in front of everything else or behind it as d says.
func line(w, column int, d float32) (*yuv.Frame[uint8], *depth.Map) {
	f, _ := paint(w, 8, func(x, _ int) (uint8, uint8, uint8, float32) {
		if x == column {
			return 235, 128, 128, 0
		}
		return 40, 128, 128, 0
	})
	return f, flat(d)
}

// brightest returns the centre of the light above the background in row 4 of columns [from, to).
func brightest(f *yuv.Frame[uint8], from, to int) float64 {
	sum, weight := 0.0, 0.0
	for x, v := range f.Y.Row(4)[from:to] {
		sum += float64(x) * (float64(v) - 40)
		weight += float64(v) - 40
	}
	return sum / weight
}

func TestNearIsCrossedAndConvergenceLiesInTheScreen(t *testing.T) {
	t.Parallel()
	const w, column = 400, 200
	for _, test := range []struct {
		depth, convergence, scale float64
		rightOnly                 bool
	}{
		{1, 0.5, 0, false}, {0, 0.5, 0, false}, {0.5, 0.5, 0, false}, {0.8, 0.3, 0, false},
		{1, 0.5, 0, true}, {0, 0.5, 0, true}, {0.5, 0.5, 2, false}, {0.5, 0.5, -2, true},
	} {
		src, m := line(w, column, float32(test.depth))
		cfg := Config{Format: job.FullSBS, Divergence: 4, Convergence: test.convergence, ForegroundScale: test.scale, RightOnly: test.rightOnly}
		out := render(t, cfg, src, m, 1)
		left, right := brightest(out, 0, w), brightest(out, w, 2*w)
		want := 0.04 * w * (bend(test.depth, test.scale) - test.convergence)
		if math.Abs(left-right-want) > 0.05 {
			t.Errorf("%+v: left view shows it %.2f px further right than the right view, want %.2f", test, left-right, want)
		}
		if test.rightOnly && left != column {
			t.Errorf("%+v: the left view moved to %.2f", test, left)
		}
		if middle := (left + right) / 2; !test.rightOnly && math.Abs(middle-column) > 0.05 {
			t.Errorf("%+v: the views lie around %.2f, not %d", test, middle, column)
		}
	}
}

func TestRightEyeAloneLeavesTheLeftViewUntouched(t *testing.T) {
	t.Parallel()
	src := texture(96, 54)
	cfg := defaults(job.FullSBS)
	cfg.RightOnly, cfg.Divergence = true, 10
	out := render(t, cfg, src, hills(96, 54), 2)
	for y := range 54 {
		if !slices.Equal(out.Y.Row(y)[:96], src.Y.Row(y)) {
			t.Fatalf("luma row %d of the left view differs from the source", y)
		}
	}
	for y := range 27 {
		if !slices.Equal(out.U.Row(y)[:48], src.U.Row(y)) || !slices.Equal(out.V.Row(y)[:48], src.V.Row(y)) {
			t.Fatalf("chroma row %d of the left view differs from the source", y)
		}
	}
}

// TestGapIsFilledFromItsFarSide puts a dark board with a soft outline before a bright, striped wall:
// the gap beside the board must show the wall's brightness, no ghost of the outline may stay behind,
// and the board must keep its width.
func TestGapIsFilledFromItsFarSide(t *testing.T) {
	t.Parallel()
	const w, h = 240, 16
	src, m := paint(w, h, func(x, _ int) (uint8, uint8, uint8, float32) {
		if x >= 100 && x < 140 {
			return 30, 90, 160, 1
		}
		if x == 99 || x == 140 {
			return 105, 115, 140, 0 // half board, half wall; its middle is just off the board
		}
		return uint8(180 + 20*(x/2%2)), 140, 120, 0
	})
	cfg := Config{Format: job.FullSBS, Divergence: 10, Convergence: 0} // the board moves by ±12 px
	out := render(t, cfg, src, m, 1)
	for eye, board := range [2]int{112, 88} {
		dark := 0
		row := out.Y.Row(h / 2)[eye*w : (eye+1)*w]
		for x, v := range row[:w-36] {
			inside := x >= board && x < board+40
			near := x >= board-2 && x < board+42 // the board's soft edge
			switch {
			case inside && v < 60:
				dark++
			case !near && x > 36 && v < 150:
				t.Errorf("eye %d: column %d shows %d: the board smears over the wall", eye, x, v)
			}
		}
		if dark < 38 {
			t.Errorf("eye %d: %d of the board's 40 columns are dark", eye, dark)
		}
	}
}

func TestChromaFollowsLuma(t *testing.T) {
	t.Parallel()
	const w, h = 240, 16
	src, m := paint(w, h, func(x, _ int) (uint8, uint8, uint8, float32) {
		if x >= 100 && x < 140 {
			return 200, 60, 220, 0.9
		}
		return 50, 150, 100, 0.1
	})
	cfg := Config{Format: job.FullSBS, Divergence: 10, Convergence: 0.5}
	out := render(t, cfg, src, m, 1)
	for y := range h {
		for x := 40; x < 2*w-40; x++ {
			if x > w-40 && x < w+40 {
				continue
			}
			bright, red := out.Y.Row(y)[x] > 125, out.V.Row(y / 2)[x/2] > 160
			if bright != red && solid(out, x, y) {
				t.Fatalf("(%d, %d): luma %d but V %d", x, y, out.Y.Row(y)[x], out.V.Row(y / 2)[x/2])
			}
		}
	}
}

// solid reports that luma is even around (x, y), as far as chroma's filter reaches.
func solid(f *yuv.Frame[uint8], x, y int) bool {
	row := f.Y.Row(y)[x-3 : x+4]
	return slices.Max(row)-slices.Min(row) < 10
}

func TestBorderColumnsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	src := texture(120, 20)
	for _, d := range []float32{0, 1} {
		out := render(t, defaults(job.FullSBS), src, flat(d), 1)
		for y := range 20 {
			got, want := out.Y.Row(y), src.Y.Row(y)
			if got[0] != want[0] || got[119] != want[119] || got[120] != want[0] || got[239] != want[119] {
				t.Fatalf("depth %v: the border of row %d moved", d, y)
			}
		}
	}
}

func TestTenBitsAgreeWithEight(t *testing.T) {
	t.Parallel()
	src, m := texture(128, 72), hills(40, 22)
	for _, f := range job.Formats() {
		eight := render(t, defaults(f), src, m, 1)
		ten := render(t, defaults(f), widened(src), m, 1)
		steps := 1 // of 8 bits
		if f == job.Anaglyph {
			steps = 3 // the matrix and the display's law amplify what 8 bits round
		}
		far := differing(&eight.Y, &ten.Y, steps) + differing(&eight.U, &ten.U, steps) + differing(&eight.V, &ten.V, steps)
		// Where a silhouette is decided by colour, rounding may tip a pixel.
		if far > len(eight.Y.Pix)/500 {
			t.Errorf("%s: %d samples differ by more than %d steps of 8 bits", f, far, steps)
		}
	}
}

func differing(eight *yuv.Plane[uint8], ten *yuv.Plane[uint16], steps int) (n int) {
	for i, v := range eight.Pix {
		if d := int(ten.Pix[i]) - 4*int(v); d < -4*steps || d > 4*steps {
			n++
		}
	}
	return n
}

func TestWorkersDoNotChangeTheBytes(t *testing.T) {
	t.Parallel()
	src, m := texture(130, 74), hills(33, 19)
	for _, f := range job.Formats() {
		want := hashOf(render(t, defaults(f), src, m, 1))
		for _, workers := range []int{2, 3, 16} {
			if hashOf(render(t, defaults(f), src, m, workers)) != want {
				t.Errorf("%s: %d workers give other bytes than one", f, workers)
			}
		}
	}
}

func TestAnyNumberOfTheWorkersGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	src, m := texture(130, 74), hills(33, 19)
	for _, f := range job.Formats() {
		r, err := NewRenderer[uint8](defaults(f), src.Y.W, src.Y.H, src.Bits, 3)
		if err != nil {
			t.Fatal(err)
		}
		want := hashOf(render(t, defaults(f), src, m, 1))
		for _, workers := range []int{1, 3, 2, 0, 99} {
			r.Use(workers)
			dst := newOutput(r)
			if err := r.Render(dst, src, m); err != nil || hashOf(dst) != want {
				t.Errorf("%s: %d of the workers give other bytes than one (%v)", f, workers, err)
			}
		}
	}
}

func TestFramesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	for _, f := range job.Formats() {
		r, err := NewRenderer[uint8](defaults(f), 96, 54, 8, 2)
		if err != nil {
			t.Fatal(err)
		}
		w, h := r.OutputSize()
		first, second := yuv.New[uint8](w, h, 8), yuv.New[uint8](w, h, 8)
		other, _ := paint(96, 54, func(x, y int) (uint8, uint8, uint8, float32) { return uint8(x + y), 90, 170, 0 })
		for _, step := range []struct {
			dst, src *yuv.Frame[uint8]
			m        *depth.Map
		}{{first, texture(96, 54), hills(24, 14)}, {second, other, hills(96, 54)}, {second, texture(96, 54), hills(24, 14)}} {
			if err := r.Render(step.dst, step.src, step.m); err != nil {
				t.Fatal(err)
			}
		}
		if hashOf(first) != hashOf(second) {
			t.Errorf("%s: a frame depends on the one before", f)
		}
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	src, m := texture(96, 54), hills(24, 14)
	for _, f := range job.Formats() {
		r, err := NewRenderer[uint8](defaults(f), 96, 54, 8, 2)
		if err != nil {
			t.Fatal(err)
		}
		w, h := r.OutputSize()
		dst := yuv.New[uint8](w, h, 8)
		n := testing.AllocsPerRun(50, func() {
			if err := r.Render(dst, src, m); err != nil {
				t.Fatal(err)
			}
		})
		if n >= 1 {
			t.Errorf("%s: %v allocations for a frame", f, n)
		}
	}
}

func TestCoarseDepthFollowsThePicturesEdges(t *testing.T) {
	t.Parallel()
	const w, h, edge = 160, 90, 83 // the edge lies within a cell, away from its middle
	src, _ := paint(w, h, func(x, _ int) (uint8, uint8, uint8, float32) {
		if x < edge {
			return 60, 120, 130, 0
		}
		return 180, 130, 120, 0
	})
	m := &depth.Map{W: 20, H: 11, D: make([]float32, 220)}
	for i := range m.D {
		if x := i % 20; x == edge/8 {
			m.D[i] = 0.5
		} else if x > edge/8 {
			m.D[i] = 1
		}
	}
	out := render(t, defaults(job.Depth), src, m, 1)
	for x, v := range out.Y.Row(h / 2) {
		if x < edge-1 && v > 30 || x > edge && v < 220 {
			t.Errorf("column %d: grey %d, the picture's edge lies at %d", x, v, edge)
		}
	}
}

// TestSoftSilhouettesOfAFineMapFollowThePicturesEdges has a map as a network gives it, whose step from far to near is as soft
// as a normal distribution of two cells makes it.
func TestSoftSilhouettesOfAFineMapFollowThePicturesEdges(t *testing.T) {
	t.Parallel()
	const w, h, edge = 1280, 40, 631
	src, _ := paint(w, h, func(x, _ int) (uint8, uint8, uint8, float32) {
		if x < edge {
			return 60, 120, 130, 0
		}
		return 180, 130, 120, 0
	})
	m := &depth.Map{W: w / 2, H: h / 2, D: make([]float32, w*h/4)}
	for i := range m.D {
		m.D[i] = float32(0.5 + 0.5*math.Erf((float64(i%m.W)+0.5-edge/2.0)/(2*math.Sqrt2)))
	}
	out := render(t, defaults(job.Depth), src, m, 1)
	for x, v := range out.Y.Row(h / 2) {
		if x < edge-1 && v > 45 || x > edge && v < 205 {
			t.Errorf("column %d: grey %d, the picture's edge lies at %d", x, v, edge)
		}
	}
}

func TestTextureDoesNotPrintThroughIntoDepth(t *testing.T) {
	t.Parallel()
	m := &depth.Map{W: 16, H: 9, D: make([]float32, 144)}
	for i := range m.D {
		m.D[i] = float32(i%16) / 160
	}
	out := render(t, defaults(job.Depth), texture(160, 90), m, 1)
	for x := 1; x < 160; x++ {
		if d := int(out.Y.Row(45)[x]) - int(out.Y.Row(45)[x-1]); d < 0 || d > 2 {
			t.Fatalf("column %d: the slope's grey jumps by %d", x, d)
		}
	}
}

func TestBendKeepsItsEndsAndOrder(t *testing.T) {
	t.Parallel()
	for _, k := range []float64{-3, -1, 0, 1e-9, 0.5, 3} {
		before := -1.0
		for i := range 101 {
			v := bend(float64(i)/100, k)
			if v <= before {
				t.Fatalf("k = %v: bend(%v) = %v after %v", k, float64(i)/100, v, before)
			}
			before = v
		}
		if bend(0, k) != 0 || math.Abs(bend(1, k)-1) > 1e-12 {
			t.Errorf("k = %v moves the ends to %v and %v", k, bend(0, k), bend(1, k))
		}
	}
	if bend(0.5, 1) >= 0.5 {
		t.Error("a positive scale must spread what is near")
	}
}

func TestRendererRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg        Config
		w, h, bits int
	}{
		"format":     {Config{Format: "flat"}, 16, 16, 8},
		"method":     {Config{Format: job.Anaglyph, Anaglyph: "sepia"}, 16, 16, 8},
		"divergence": {Config{Format: job.FullSBS, Divergence: math.NaN()}, 16, 16, 8},
		"size":       {Config{Format: job.FullSBS}, 0, 16, 8},
		"bits":       {Config{Format: job.FullSBS}, 16, 16, 10},
	} {
		if _, err := NewRenderer[uint8](c.cfg, c.w, c.h, c.bits, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	r, err := NewRenderer[uint8](defaults(job.FullSBS), 16, 16, 8, 1)
	if err != nil {
		t.Fatal(err)
	}
	src, dst := yuv.New[uint8](16, 16, 8), yuv.New[uint8](32, 16, 8)
	if r.Render(src, src, flat(0)) == nil || r.Render(dst, dst, flat(0)) == nil || r.Render(dst, src, &depth.Map{W: 2, H: 2}) == nil {
		t.Error("frames of the wrong size or an empty map were taken")
	}
}

func FuzzRenderTakesAnySizeAndSetting(f *testing.F) {
	f.Add(uint8(33), uint8(17), uint8(5), uint8(3), uint8(0), 2.0, 0.5, 0.0, uint8(1))
	f.Add(uint8(1), uint8(1), uint8(1), uint8(1), uint8(6), 10.0, 0.0, 3.0, uint8(9))
	f.Add(uint8(2), uint8(255), uint8(200), uint8(1), uint8(3), 10.0, 1.0, -3.0, uint8(200))
	f.Add(uint8(255), uint8(3), uint8(255), uint8(3), uint8(5), 10.0, 1.0, 1.0, uint8(77))
	f.Add(uint8(86), uint8(46), uint8(7), uint8(90), uint8(1), 9.0, 0.2, 1.0, uint8(3))
	f.Add(uint8(86), uint8(46), uint8(7), uint8(90), uint8(9), 9.0, 0.2, 1.0, uint8(3))
	f.Fuzz(func(t *testing.T, w, h, mw, mh, format uint8, divergence, convergence, scale float64, seed uint8) {
		formats := job.Formats()
		cfg := Config{
			Format: formats[int(format)%len(formats)], Divergence: divergence, Convergence: convergence,
			MaxNear: float64(seed%4) / 2, MaxFar: float64(seed%5) / 2, FloatingWindow: seed%3 == 0, EdgeDilation: float64(seed % 9),
			ForegroundScale: scale, RightOnly: seed%2 == 1, FullRange: seed%3 == 1, VR180Side: 64,
			Anaglyph: job.AnaglyphMethods()[int(seed)%4],
		}
		r, err := NewRenderer[uint8](cfg, int(w), int(h), 8, 1+int(seed)%3)
		if err != nil {
			t.Skip()
		}
		m := &depth.Map{W: int(mw), H: int(mh), D: make([]float32, int(mw)*int(mh))}
		state := uint32(seed)
		for i := range m.D {
			state = state*1664525 + 1013904223
			m.D[i] = float32(state>>16)/32768 - 0.5 // also outside of [0, 1]
			if state>>28 == 0 {
				m.D[i] = float32(math.NaN())
			}
		}
		ow, oh := r.OutputSize()
		if ow%2 != 0 || oh%2 != 0 {
			t.Fatalf("output is %d×%d", ow, oh)
		}
		if seed%3 == 0 {
			reach := float64(seed%7) / 6 * divergence
			r.Set(Setting{Convergence: float64(seed%11) / 10, Left: reach, Right: divergence - reach})
		}
		err = r.Render(yuv.New[uint8](ow, oh, 8), texture(int(w), int(h)), m)
		if (err != nil) != (mw == 0 || mh == 0) {
			t.Fatal(err)
		}
	})
}
