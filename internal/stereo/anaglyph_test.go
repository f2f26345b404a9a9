package stereo

import (
	"fmt"
	"math"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// published are the matrices for red-cyan glasses as E. Dubois gives them, rows R, G, B; left view,
// then right view. They stand here once more, so that a slip in the engine's copy shows.
var published = [2][3][3]float64{
	{{0.4561, 0.500484, 0.176381}, {-0.0400822, -0.0378246, -0.0157589}, {-0.0152161, -0.0205971, -0.00546856}},
	{{-0.0434706, -0.0879388, -0.00155529}, {0.378476, 0.73364, -0.0184503}, {-0.0721527, -0.112961, 1.2264}},
}

type triple [3]float64

// encode709 returns 10-bit BT.709 codes of R'G'B'.
func encode709(c triple, full bool) (y, u, v uint16) {
	luma := 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
	cb, cr := (c[2]-luma)/1.8556, (c[0]-luma)/1.5748
	if full {
		return uint16(1023*luma + 0.5), uint16(512 + 1023*cb + 0.5), uint16(512 + 1023*cr + 0.5)
	}
	return uint16(64 + 876*luma + 0.5), uint16(512 + 896*cb + 0.5), uint16(512 + 896*cr + 0.5)
}

func decode709(y, u, v uint16, full bool) triple {
	luma, cb, cr := (float64(y)-64)/876, (float64(u)-512)/896, (float64(v)-512)/896
	if full {
		luma, cb, cr = float64(y)/1023, (float64(u)-512)/1023, (float64(v)-512)/1023
	}
	r, b := luma+1.5748*cr, luma+1.8556*cb
	return triple{r, (luma - 0.2126*r - 0.0722*b) / 0.7152, b}
}

// mixed is what a method makes of two patches by its definition, in floating point.
func mixed(method job.AnaglyphMethod, left, right triple) triple {
	grey := func(c triple) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }
	switch method {
	case job.Color:
		return triple{left[0], right[1], right[2]}
	case job.HalfColor:
		return triple{grey(left), right[1], right[2]}
	case job.Gray:
		return triple{grey(left), grey(right), grey(right)}
	}
	var out triple
	for i := range out {
		for k := range 3 {
			out[i] += published[0][i][k]*math.Pow(left[k], 2.4) + published[1][i][k]*math.Pow(right[k], 2.4)
		}
		out[i] = math.Pow(min(max(out[i], 0), 1), 1/2.4)
	}
	return out
}

// patches builds a frame whose halves, by a large disparity, show different colours to the eyes. It
// mixes without views: left and right rows are set directly.
func mixPatches(t *testing.T, cfg Config, left, right triple) triple {
	t.Helper()
	const w = 16
	r, err := NewRenderer[uint16](cfg, w, 2, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := r.pack.(*glasses[uint16])
	d := r.desks[0]
	for eye, c := range []triple{left, right} {
		y, u, v := encode709(c, cfg.FullRange)
		fill(&d.views[eye], y, u, v)
	}
	dst := yuv.New[uint16](w, 2, 10)
	g.mixPair(dst, d, 0, 1023)
	return decode709(dst.Y.Row(1)[8], dst.U.Row(0)[4], dst.V.Row(0)[4], cfg.FullRange)
}

func fill(v *viewRows[uint16], y, cb, cr uint16) {
	for i := range v.y {
		for x := range v.y[i] {
			v.y[i][x] = y
		}
	}
	for x := range v.u {
		v.u[x], v.v[x] = cb, cr
	}
}

func TestAnaglyphOfColourPatches(t *testing.T) {
	t.Parallel()
	patches := []triple{
		{0, 0, 0}, {1, 1, 1}, {0.5, 0.5, 0.5}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1},
		{0.8, 0.4, 0.2}, {0.2, 0.5, 0.7}, {0.9, 0.8, 0.6}, {0.05, 0.06, 0.04},
	}
	for _, method := range job.AnaglyphMethods() {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/full=%v", method, full), func(t *testing.T) {
				cfg := defaults(job.Anaglyph)
				cfg.Anaglyph, cfg.FullRange = method, full
				for _, left := range patches {
					for _, right := range patches {
						got, want := mixPatches(t, cfg, left, right), mixed(method, left, right)
						for i := range got {
							// Light near black is steep in the signal; compare light there.
							if math.Abs(got[i]-want[i]) > 0.012 && math.Abs(math.Pow(max(got[i], 0), 2.4)-math.Pow(want[i], 2.4)) > 0.002 {
								t.Errorf("left %v, right %v: got %.3f, want %.3f", left, right, got, want)
								break
							}
						}
					}
				}
			})
		}
	}
}

func TestRedIsTheLeftEyes(t *testing.T) {
	t.Parallel()
	for _, method := range job.AnaglyphMethods() {
		cfg := defaults(job.Anaglyph)
		cfg.Anaglyph = method
		c := mixPatches(t, cfg, triple{1, 1, 1}, triple{0, 0, 0})
		if c[0] < 0.9 || c[1] > 0.2 || c[2] > 0.2 {
			t.Errorf("%s: light for the left eye alone is %.2f, want red", method, c)
		}
	}
}

func TestTransfersGoThereAndBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "bt709", "iec61966-2-1", "smpte2084", "arib-std-b67", "linear", "gamma22", "bt470bg"} {
		law := newTransfer(name)
		for i := range 101 {
			v := float64(i) / 100
			if back := law.toSignal(law.toLight(v)); math.Abs(back-v) > 1e-6 {
				t.Errorf("%q: %v comes back as %v", name, v, back)
			}
		}
	}
	// SMPTE ST 2084: 100 cd/m² is signal 0.5081.
	if v := pqToSignal(0.01); math.Abs(v-0.5081) > 1e-4 {
		t.Errorf("PQ: 100 cd/m² is %v", v)
	}
}
