package scene

import (
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// TestPointLandsWhereTheFormulaSaysInEveryEye follows pixels of known depth into the other eyes and
// compares depth there: the formula of the package comment, checked without looking at colours.
func TestPointLandsWhereTheFormulaSaysInEveryEye(t *testing.T) {
	t.Parallel()
	for _, s := range Catalog(240, 136) {
		for _, eye := range []float64{-0.5, 0.5, 1} {
			t.Run(fmt.Sprintf("%s/eye%+g", s.Name, eye), func(t *testing.T) {
				s.Divergence = 6 // large, so that an error would show
				_, centre := s.Frame(7, 0)
				_, other := s.Frame(7, eye)
				checked, wrong := 0, 0
				for i, d := range centre {
					x := float64(i%s.Width) - eye*s.Disparity(float64(d))
					x0 := int(math.Floor(x))
					if x0 < 0 || x0+1 >= s.Width {
						continue
					}
					a, b := float64(other[i/s.Width*s.Width+x0]), float64(other[i/s.Width*s.Width+x0+1])
					if math.Abs(a-b) > 0.005 {
						continue // a silhouette: the depth between two pixels is not defined
					}
					here := a + (b-a)*(x-float64(x0))
					checked++
					if here < float64(d)-0.01 {
						wrong++ // hidden points show something nearer, never something farther
					}
				}
				if checked < len(centre)/2 || wrong > checked/500 {
					t.Errorf("%d of %d points are missing at their place in the other eye", wrong, checked)
				}
			})
		}
	}
}

func TestDepthFillsTheRangeWithoutClipping(t *testing.T) {
	t.Parallel()
	for _, s := range Catalog(160, 90) {
		nearest, farthest := float32(0), float32(1)
		for _, f := range []int{0, s.Frames / 3, s.Frames - 1} {
			_, inv := s.Frame(f, 0)
			nearest, farthest = max(nearest, slices.Max(inv)), min(farthest, slices.Min(inv))
		}
		if nearest >= 1 || nearest < 0.6 || farthest < 0 || farthest > 0.1 || farthest == 0 && s.Name != Demo {
			t.Errorf("%s: D spans [%.3f, %.3f], want nearly all of [0, 1] and no clipping", s.Name, farthest, nearest)
		}
	}
}

func TestSameFrameGivesSameBytesWhateverTheParallelism(t *testing.T) {
	hash := func(s *Scene) uint64 {
		f, inv := s.Frame(5, 0.5)
		h := fnv.New64a()
		h.Write(f.Y.Pix)
		h.Write(f.U.Pix)
		h.Write(f.V.Pix)
		fmt.Fprint(h, inv)
		return h.Sum64()
	}
	for i, s := range Catalog(97, 55) {
		first := hash(s.Noisy(2))
		before := runtime.GOMAXPROCS(1)
		second := hash(Catalog(97, 55)[i].Noisy(2))
		runtime.GOMAXPROCS(before)
		if first != second {
			t.Errorf("%s: two renderings differ", s.Name)
		}
	}
}

func TestTenBitFrameAgreesWithEightBit(t *testing.T) {
	s, err := New(Solids, 128, 72)
	if err != nil {
		t.Fatal(err)
	}
	eight, _ := s.Frame(3, 0)
	ten := yuv.New[uint16](s.Width, s.Height, 10)
	Render(s, 3, 0, ten, nil)
	for i, v := range eight.Y.Pix {
		if d := int(ten.Y.Pix[i]) - 4*int(v); d < -2 || d > 2 {
			t.Fatalf("luma %d: 8-bit %d, 10-bit %d", i, v, ten.Y.Pix[i])
		}
	}
}

func TestNoiseHasTheDeviationAskedForAndChangesEveryFrame(t *testing.T) {
	s, err := New(Still, 320, 180)
	if err != nil {
		t.Fatal(err)
	}
	clean, _ := s.Frame(0, 0)
	again, _ := s.Frame(1, 0)
	if !slices.Equal(clean.Y.Pix, again.Y.Pix) {
		t.Error("the still scene moves")
	}
	noisy := s.Noisy(3)
	a, _ := noisy.Frame(0, 0)
	b, _ := noisy.Frame(1, 0)
	if got := deviation(a.Y.Pix, clean.Y.Pix); math.Abs(got-3) > 0.1 {
		t.Errorf("noise deviates by %.2f code values, want 3", got)
	}
	if got := deviation(a.Y.Pix, b.Y.Pix); math.Abs(got-3*math.Sqrt2) > 0.15 {
		t.Errorf("two noisy frames differ by %.2f code values, want %.2f", got, 3*math.Sqrt2)
	}
}

func deviation(a, b []uint8) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}

func TestCutChangesThePictureOnlyAtItsFrame(t *testing.T) {
	s, err := New(Cut, 160, 90)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Cuts(); !slices.Equal(got, []int{24}) {
		t.Fatalf("cuts at %v, want [24]", got)
	}
	frame := func(t int) []uint8 { f, _ := s.Frame(t, 0); return f.Y.Pix }
	within, over := deviation(frame(22), frame(23)), deviation(frame(23), frame(24))
	if over < 2*within {
		t.Errorf("difference over the cut %.1f, within a shot %.1f", over, within)
	}
}

func TestUnknownNameListsTheKnownOnes(t *testing.T) {
	if _, err := New("nowhere", 16, 16); err == nil {
		t.Error("no error")
	}
}

func BenchmarkRender1080p(b *testing.B) {
	for _, s := range Catalog(1920, 1080) {
		b.Run(s.Name, func(b *testing.B) {
			dst, inv := yuv.New[uint8](1920, 1080, 8), make([]float32, 1920*1080)
			Render(s, 0, 0, dst, inv)
			for b.Loop() {
				Render(s, 3, 0, dst, inv)
			}
		})
	}
}
