package stereo

import (
	"math"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
)

func TestLimitsHoldParallaxSmoothlyAndKeepItsOrder(t *testing.T) {
	t.Parallel()
	const near, far = 0.8, 1.5
	cfg := Config{Divergence: 10, Convergence: 0.4, MaxNear: near, MaxFar: far}
	before, slope := math.Inf(-1), math.NaN()
	const steps = 2000
	for i := range steps {
		b := float64(i) / (steps - 1)
		p := cfg.Parallax(b)
		if p <= before && math.Abs(p) < 0.99*near {
			t.Fatalf("depth %.3f has parallax %v after %v", b, p, before)
		}
		if p >= near || p <= -far {
			t.Fatalf("depth %.3f has parallax %v", b, p)
		}
		if now := (p - before) * (steps - 1); i > 1 && math.Abs(now-slope) > 0.15 {
			t.Fatalf("at depth %.3f the slope jumps from %v to %v", b, slope, now)
		}
		slope, before = (p-before)*(steps-1), p
		if asked := cfg.asked(b); asked < limitKnee*near && asked > -limitKnee*far && p != asked {
			t.Fatalf("parallax %v became %v below the knee", asked, p)
		}
	}
}

func TestWithoutLimitsParallaxIsWhatWasAsked(t *testing.T) {
	t.Parallel()
	cfg := defaults(job.FullSBS)
	for _, b := range []float64{0, 0.3, 0.5, 1} {
		if cfg.Parallax(b) != cfg.asked(b) {
			t.Errorf("depth %v: %v, asked for %v", b, cfg.Parallax(b), cfg.asked(b))
		}
	}
}

// TestEdgeDilationTakesTheSeamAlong draws a board whose depth falls short of its outline by three pixels at both sides.
// What is left behind of it is a halo; dilated, none is.
func TestEdgeDilationTakesTheSeamAlong(t *testing.T) {
	t.Parallel()
	const w, h, first, last, short = 240, 16, 100, 140, 3
	src, m := paint(w, h, func(x, _ int) (uint8, uint8, uint8, float32) {
		d := float32(0)
		if x >= first+short && x < last-short {
			d = 1
		}
		if x >= first && x < last {
			return 30, 90, 160, d
		}
		return 200, 140, 120, d
	})
	halo := func(dilation float64) (dark int) {
		cfg := Config{Format: job.FullSBS, Divergence: 10, Convergence: 0, EdgeDilation: dilation}
		out := render(t, cfg, src, m, 1) // the board moves by 12 px
		for x, v := range out.Y.Row(h / 2)[:w] {
			if v < 110 && (x < first+12-1 || x > last+12) {
				dark++
			}
		}
		return dark
	}
	if n := halo(0); n < 2 {
		t.Errorf("%d dark columns beside the board without dilation: the test is too easy", n)
	}
	if n := halo(2); n != 0 {
		t.Errorf("%d dark columns beside the board remain", n)
	}
}

// TestFloatingWindowHidesWhatOneEyeAloneSees puts a picture in front of the screen whose columns tell their number: at
// the window's edges both eyes must begin and end with the same columns, and the rest be black.
func TestFloatingWindowHidesWhatOneEyeAloneSees(t *testing.T) {
	t.Parallel()
	const w, h = 200, 4
	src, _ := paint(w, h, func(x, _ int) (uint8, uint8, uint8, float32) { return uint8(30 + x), 60, 200, 0 })
	for _, rightOnly := range []bool{false, true} {
		cfg := Config{Format: job.FullSBS, Divergence: 10, Convergence: 0.4, FloatingWindow: true, RightOnly: rightOnly}
		r, err := NewRenderer[uint8](cfg, w, h, 8, 1)
		if err != nil {
			t.Fatal(err)
		}
		r.Set(Setting{Convergence: 0.4, Left: 6, Right: 6}) // all at depth 1: 12 px in front
		dst := newOutput(r)
		if err := r.Render(dst, src, flat(1)); err != nil {
			t.Fatal(err)
		}
		row := dst.Y.Row(2)
		left, right := row[:w], row[w:]
		for x := range 12 {
			if left[x] != 16 || right[w-1-x] != 16 {
				t.Fatalf("right only %v: column %d from the edges shows %d and %d, want black", rightOnly, x, left[x], right[w-1-x])
			}
		}
		if off := int(left[12]) - int(right[0]); off < -1 || off > 1 {
			t.Errorf("right only %v: the window begins with column %d and %d", rightOnly, left[12]-30, right[0]-30)
		}
		if off := int(left[w-1]) - int(right[w-13]); off < -1 || off > 1 {
			t.Errorf("right only %v: the window ends with column %d and %d", rightOnly, left[w-1]-30, right[w-13]-30)
		}
		if u := dst.U.Row(1); u[0] != 128 || u[w-1] != 128 || u[8] == 128 {
			t.Errorf("right only %v: chroma at the edges is %d and %d", rightOnly, u[0], u[w-1])
		}
	}
}

func TestWindowMovesByPartsOfAPixel(t *testing.T) {
	t.Parallel()
	row := []uint8{200, 200, 200, 200}
	shadeStart(row, 1*fixOne+fixOne/4, 0)
	if row[0] != 0 || row[1] != 150 || row[2] != 200 {
		t.Errorf("%v", row)
	}
	row = []uint8{200, 200, 200, 200}
	shadeEnd(row, 9*fixOne, 0)
	if row != nil && row[0] != 0 {
		t.Errorf("a curtain wider than the row leaves %v", row)
	}
}

// TestSettingsMayChangeBetweenFrames renders with one setting, another and the first again.
func TestSettingsMayChangeBetweenFrames(t *testing.T) {
	cfg := defaults(job.HalfTB)
	cfg.AutoConvergence, cfg.FloatingWindow = true, true
	r, err := NewRenderer[uint8](cfg, 96, 54, 8, 2)
	if err != nil {
		t.Fatal(err)
	}
	src, m := texture(96, 54), hills(24, 14)
	var sums []uint64
	for _, now := range []Setting{{Convergence: 0.2}, {Convergence: 0.9, Left: 0.7, Right: 0.1}, {Convergence: 0.2}} {
		dst := newOutput(r)
		r.Set(now)
		if err := r.Render(dst, src, m); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, hashOf(dst))
	}
	if sums[0] == sums[1] || sums[0] != sums[2] {
		t.Errorf("%x", sums)
	}
	if n := testing.AllocsPerRun(20, func() { r.Set(Setting{Convergence: 0.3}); r.Set(Setting{Convergence: 0.4, Left: 1}) }); n > 0 {
		t.Errorf("%v allocations for a setting", n)
	}
}
