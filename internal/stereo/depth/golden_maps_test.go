package depth

import (
	"math"
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/golden"
)

// The arrays here are made by scripts/models/golden_maps.py.
const (
	goldenW, goldenH, goldenFrames = 16, 9, 22
	goldenCells                    = goldenW * goldenH
)

// goldenShots are the numbers of the frames that begin a shot.
var goldenShots = []int{0, 9, 17}

// recorded is a network that gives stored maps.
type recorded struct {
	metric             bool
	straight, mirrored []float32 // frame after frame
}

func (r *recorded) Spec() Spec {
	return Spec{Side: 28, Multiple: 14, Std: [3]float32{1, 1, 1}, Metric: r.metric}
}

func (r *recorded) Batch() int { return 1 }

func (r *recorded) Infer(pictures []Input) ([]Map, error) {
	all := r.straight
	if pictures[0].Mirrored {
		all = r.mirrored
	}
	n := pictures[0].Number
	return []Map{{W: goldenW, H: goldenH, D: slices.Clone(all[n*goldenCells : (n+1)*goldenCells])}}, nil
}

// shotPictures are pictures of which those of a shot are alike and others aren't.
func shotPictures() []*Picture {
	var frames []*Picture
	for t := range goldenFrames {
		luma := 0.2
		for i, first := range goldenShots {
			if t >= first {
				luma = 0.2 + 0.3*float64(i)
			}
		}
		frames = append(frames, view(28, 28, func(_, _ float64) float64 { return luma }, shifted(0, 0)))
	}
	return frames
}

func goldenArray(t *testing.T, name string, n int) []float32 {
	t.Helper()
	v := make([]float32, n)
	golden.Read(t, name+".npy", "<f4", v)
	return v
}

// goldenKinds are the two meanings of a network's output, by the name of the array that holds one.
var goldenKinds = map[string]bool{"relative": false, "distances": true}

// The reference takes percentiles by sorting and averages in 64 bits; what is left is the rounding of 32.
const goldenRounding = 2e-6

func TestMapsOfAFilmWithCutsAndOutliersAreTheReferences(t *testing.T) {
	for name, metric := range goldenKinds {
		raw := goldenArray(t, name, goldenFrames*goldenCells)
		want := goldenArray(t, name+"_maps", goldenFrames*goldenCells)
		all := neuralOf(t, &recorded{metric: metric, straight: raw}, NeuralOptions{}, shotPictures(), 0)
		for i, e := range all {
			if e.Cut != (i > 0 && slices.Contains(goldenShots, i)) {
				t.Fatalf("frame %d: cut %v", i, e.Cut)
			}
			if off := farthest(e.Map.D, want[i*goldenCells:]); !(off <= goldenRounding) {
				t.Errorf("%s, frame %d: off by %g", name, i, off)
			}
		}
	}
}

// farthest is the largest difference between a and the values of b at the same places.
func farthest(a, b []float32) float64 {
	var most float64
	for i, v := range a {
		if off := math.Abs(float64(v) - float64(b[i])); !(off <= most) {
			most = off
		}
	}
	return most
}

// TestNearerPointsOfAKnownSceneAreNearerInTheMap looks at a floor that rises into the distance with a box before it, as
// a relative and as a metric network see it, frame by frame in units that differ.
func TestNearerPointsOfAKnownSceneAreNearerInTheMap(t *testing.T) {
	metres := goldenArray(t, "distances", goldenFrames*goldenCells)
	for name, metric := range goldenKinds {
		raw := goldenArray(t, name, goldenFrames*goldenCells)
		m := neuralOf(t, &recorded{metric: metric, straight: raw}, NeuralOptions{}, shotPictures(), 0)[0].Map
		box, floor := m.D[4*goldenW+4], m.D[4*goldenW+14]
		if metres[4*goldenW+4] != 1.5 || box < 0.98 || floor > 0.3 {
			t.Errorf("%s: the box is at %v, the floor behind it at %v", name, box, floor)
		}
		for i, d := range m.D {
			for k, o := range m.D {
				if metres[i] < metres[k] && d < o {
					t.Fatalf("%s: what is %v m away has %v, what is %v m away %v", name, metres[i], d, metres[k], o)
				}
			}
		}
	}
}

func TestMeanOfMirroredMapsIsTheReferences(t *testing.T) {
	said := goldenArray(t, "mirrored", 2*goldenCells)
	frame := shotPictures()[:1]
	for name, metric := range goldenKinds {
		want := goldenArray(t, "mirrored_"+name, goldenCells)
		net := &recorded{metric: metric, straight: said[:goldenCells], mirrored: said[goldenCells:]}
		m := neuralOf(t, net, NeuralOptions{Mirror: true}, frame, 0)[0].Map
		if off := farthest(m.D, want); !(off <= goldenRounding) {
			t.Errorf("%s: off by %g", name, off)
		}
	}
}

func TestGuidedFilterIsTheReferences(t *testing.T) {
	const w, h, radius, eps = 64, 36, 4, 1e-3
	guide, coarse, want := goldenArray(t, "guide", w*h), goldenArray(t, "guided_coarse", w*h), goldenArray(t, "guided", w*h)
	out := make([]float32, w*h)
	guided(&scratch{}, out, coarse, guide, w, h, radius, eps)
	// Variances are differences of 32-bit means here, of 64-bit ones there.
	if off := farthest(out, want); !(off <= 2e-5) {
		t.Errorf("off by %g", off)
	}
}

func TestPictureSizesAreTheReferencesForEveryAspect(t *testing.T) {
	rows := make([][4]int32, 26)
	golden.Read(t, "sizes.npy", "<i4", rows)
	s := Spec{Side: 518, Multiple: 14}
	for _, r := range rows {
		if w, h := s.Size(int(r[0]), int(r[1])); w != int(r[2]) || h != int(r[3]) {
			t.Errorf("%d×%d becomes %d×%d, the reference's is %d×%d", r[0], r[1], w, h, r[2], r[3])
		}
	}
}
