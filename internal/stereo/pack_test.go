package stereo

import (
	"image"
	"math"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

func TestOutputSizes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		format     job.Format
		w, h       int
		outW, outH int
	}{
		{job.FullSBS, 64, 36, 128, 36}, {job.CrossEyed, 64, 36, 128, 36}, {job.FullTB, 64, 36, 64, 72},
		{job.HalfSBS, 64, 36, 64, 36}, {job.HalfTB, 64, 36, 64, 36}, {job.HalfSBS, 86, 46, 86, 46},
		{job.Anaglyph, 64, 36, 64, 36}, {job.Depth, 64, 36, 64, 36}, {job.RGBD, 64, 36, 128, 36},
		{job.FullSBS, 33, 17, 68, 18}, {job.HalfTB, 33, 17, 34, 18},
		{job.VR180, 64, 36, 200, 100}, {job.VR180, 3840, 2160, 4096, 2048},
	} {
		r, err := NewRenderer[uint8](defaults(test.format), test.w, test.h, 8, 1)
		if err != nil {
			t.Fatal(err)
		}
		if w, h := r.OutputSize(); w != test.outW || h != test.outH {
			t.Errorf("%s of %d×%d is %d×%d, want %d×%d", test.format, test.w, test.h, w, h, test.outW, test.outH)
		}
	}
}

// views renders a picture whose left and right views differ: a bright line in front of the screen.
func views(t *testing.T, f job.Format) (out *yuv.Frame[uint8], w, h int) {
	src, m := line(64, 32, 1)
	cfg := defaults(f)
	cfg.Divergence = 10
	return render(t, cfg, src, m, 1), 64, 8
}

func TestViewsLieWhereTheFormatSays(t *testing.T) {
	t.Parallel()
	full, w, h := views(t, job.FullSBS)
	crossed, _, _ := views(t, job.CrossEyed)
	stacked, _, _ := views(t, job.FullTB)
	for y := range h {
		for x := range w {
			left, right := full.Y.Row(y)[x], full.Y.Row(y)[w+x]
			if crossed.Y.Row(y)[w+x] != left || crossed.Y.Row(y)[x] != right {
				t.Fatalf("cross-eyed: the views are not swapped at (%d, %d)", x, y)
			}
			if stacked.Y.Row(y)[x] != left || stacked.Y.Row(h + y)[x] != right {
				t.Fatalf("top-bottom: the views differ from side by side at (%d, %d)", x, y)
			}
		}
	}
	if l, r := brightest(full, 0, w), brightest(full, w, 2*w); l <= r {
		t.Errorf("the near line lies at %.1f in the left view and %.1f in the right one", l, r)
	}
}

// TestHalvingKeepsPlaceAndTakesOutMoire checks the filter against what halving is for: a slope stays
// where it is, luma and chroma alike, and stripes too fine for the result become grey.
func TestHalvingKeepsPlaceAndTakesOutMoire(t *testing.T) {
	t.Parallel()
	const w, h = 86, 46 // odd halves: a chroma sample lies on the seam
	slope, _ := paint(w, h, func(x, y int) (uint8, uint8, uint8, float32) {
		return uint8(20 + x + 2*y), uint8(60 + 4*(x/2)), uint8(60 + 4*(y/2)), 0
	})
	stripes, _ := paint(w, h, func(x, y int) (uint8, uint8, uint8, float32) {
		return uint8(80 + 80*((x+y)%2)), 128, 128, 0
	})
	cfg := defaults(job.HalfSBS)
	cfg.Divergence = 0
	for _, f := range []job.Format{job.HalfSBS, job.HalfTB} {
		cfg.Format = f
		out := render(t, cfg, slope, flat(0), 1)
		for y := 4; y < h-4; y++ {
			for x := 4; x < w-4; x++ {
				checkSlope(t, f, out, x, y, w, h)
			}
		}
		grey := render(t, cfg, stripes, flat(0), 1)
		for y := 4; y < h/2-4; y++ {
			for x := 4; x < w/2-4; x++ {
				if v := grey.Y.Row(y)[x]; v < 119 || v > 121 {
					t.Fatalf("%s: stripes leave %d at (%d, %d)", f, v, x, y)
				}
			}
		}
	}
}

// checkSlope compares one pixel of a halved frame with the slope that it shows.
func checkSlope(t *testing.T, f job.Format, out *yuv.Frame[uint8], x, y, w, h int) {
	t.Helper()
	sx, sy := float64(x), float64(y) // place in the source
	cx, cy := 2*float64(x/2), sy     // place of the chroma sample, luma columns and rows
	cy = 2*float64(y/2) + 0.5
	if f == job.HalfSBS {
		if d := math.Mod(sx, float64(w)/2); d < 4 || d > float64(w)/2-5 {
			return // beside the seam the views end
		}
		sx, cx = 2*math.Mod(sx, float64(w)/2)+0.5, 2*math.Mod(cx, float64(w)/2)+0.5
	} else {
		if d := math.Mod(sy, float64(h)/2); d < 4 || d > float64(h)/2-5 {
			return
		}
		sy, cy = 2*math.Mod(sy, float64(h)/2)+0.5, 2*math.Mod(cy, float64(h)/2)+0.5
	}
	for _, c := range []struct {
		name string
		got  uint8
		want float64
	}{
		{"luma", out.Y.Row(y)[x], 20 + sx + 2*sy},
		{"U", out.U.Row(y / 2)[x/2], 60 + 2*cx},
		{"V", out.V.Row(y / 2)[x/2], 60 + 2*(cy-0.5)},
	} {
		if math.Abs(float64(c.got)-c.want) > 0.75 {
			t.Errorf("%s: %s at (%d, %d) is %d, want %.2f", f, c.name, x, y, c.got, c.want)
		}
	}
}

func TestDepthIsGreyInTheStreamsRange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		full       bool
		depth      float32
		eight, ten int
	}{
		{false, 0, 16, 64}, {false, 1, 235, 940}, {true, 0, 0, 0}, {true, 1, 255, 1023}, {false, 0.5, 126, 502},
	} {
		cfg := defaults(job.RGBD)
		cfg.FullRange = test.full
		src := texture(32, 18)
		eight := render(t, cfg, src, flat(test.depth), 1)
		ten := render(t, cfg, widened(src), flat(test.depth), 1)
		if got := int(eight.Y.Row(9)[40]); got != test.eight || eight.U.Row(4)[20] != 128 || eight.V.Row(4)[20] != 128 {
			t.Errorf("%+v: 8-bit grey is %d", test, got)
		}
		if got := int(ten.Y.Row(9)[40]); got != test.ten || ten.U.Row(4)[20] != 512 {
			t.Errorf("%+v: 10-bit grey is %d", test, got)
		}
		if eight.Y.Row(9)[7] != src.Y.Row(9)[7] || eight.V.Row(4)[7] != src.V.Row(4)[7] {
			t.Error("the picture beside the depth map is not the source")
		}
	}
}

// A near square before a far wall, in a map of the picture's size: its grey is bent, and it reaches over the wall by the
// cells that were asked for, but not where views have no cliff.
func TestGreyDepthIsWhatViewsAreMadeBy(t *testing.T) {
	t.Parallel()
	const w, h, from, to = 200, 40, 80, 120
	m := depth.Map{W: w, H: h, D: make([]float32, w*h)}
	for i := range m.D {
		if m.D[i] = 0.25; i%w >= from && i%w < to {
			m.D[i] = 0.75
		}
	}
	for _, test := range []struct {
		divergence, dilation, scale float64
		reach                       int
	}{{2, 0, 0, 0}, {4, 3, 0, 3}, {4, 3, 2, 3}, {4, 0, -2, 0}, {0, 3, 0, 0}, {0.1, 3, 1, 0}} {
		cfg := defaults(job.Depth)
		cfg.Divergence, cfg.EdgeDilation, cfg.ForegroundScale = test.divergence, test.dilation, test.scale
		row := render(t, cfg, texture(w, h), &m, 1).Y.Row(h / 2)
		for x, got := range row {
			want := 16 + 219*bend(0.25, test.scale)
			if x >= from-test.reach && x < to+test.reach {
				want = 16 + 219*bend(0.75, test.scale)
			}
			if math.Abs(float64(got)-want) > 0.6 {
				t.Errorf("%+v: column %d is %d, want %.1f", test, x, got, want)
				break
			}
		}
	}
}

// TestVR180PutsTheScreenInFront looks for points of a flat screen at the angles at which geometry
// puts them.
func TestVR180PutsTheScreenInFront(t *testing.T) {
	t.Parallel()
	const w, h = 400, 200
	src, _ := paint(w, h, func(x, y int) (uint8, uint8, uint8, float32) {
		return uint8(30 + x/2), uint8(60 + y/2), 128, 0
	})
	cfg := defaults(job.VR180)
	cfg.Divergence = 0
	out := render(t, cfg, src, flat(0), 2)
	side := out.Y.H
	at := func(longitude, latitude float64) image.Point { // degrees
		return image.Pt(int((longitude/180+0.5)*float64(side)), int((latitude/180+0.5)*float64(side)))
	}
	half := math.Tan(VR180Angle / 2 * math.Pi / 180)
	for _, lon := range []float64{-40, -20, 0, 10, 35} {
		for _, lat := range []float64{-15, 0, 12} {
			a, b := lon*math.Pi/180, lat*math.Pi/180
			x := w / 2 * (1 + math.Tan(a)/half)
			y := h/2 + w/2*math.Tan(b)/math.Cos(a)/half
			p := at(lon, lat)
			if got := float64(out.Y.Row(p.Y)[p.X]); math.Abs(got-(30+x/2)) > 2 {
				t.Errorf("%v°, %v°: luma %v, want %.1f", lon, lat, got, 30+x/2)
			}
			if got := float64(out.U.Row(p.Y / 2)[p.X/2]); math.Abs(got-(60+y/2)) > 2 {
				t.Errorf("%v°, %v°: U %v, want %.1f", lon, lat, got, 60+y/2)
			}
			if out.Y.Row(p.Y)[p.X] != out.Y.Row(p.Y)[side+p.X] {
				t.Errorf("%v°, %v°: the eyes differ without disparity", lon, lat)
			}
		}
	}
	for _, p := range []image.Point{at(-50, 0), at(50, 0), at(0, 40), at(0, -40), at(-89, -89)} {
		if out.Y.Row(p.Y)[p.X] != 16 || out.U.Row(p.Y / 2)[p.X/2] != 128 {
			t.Errorf("around the screen at %v it is not black", p)
		}
	}
}
