package stereo

import (
	"math"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/golden"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// TestRefinedDepthIsCloseToTheReferences compares the depth map at the picture's size with joint bilateral upsampling,
// which scripts/models/golden_maps.py computes, and with the depth that the picture was drawn from. The reference mixes
// the depths of cells by their colours, where this engine chooses one of two surfaces: so they agree on which side of a
// silhouette a pixel lies, and the engine is the closer one to the truth.
func TestRefinedDepthIsCloseToTheReferences(t *testing.T) {
	const w, h, factor = 96, 56, 4
	src := yuv.New[uint8](w, h, 8)
	golden.Read(t, "luma.npy", "|u1", src.Y.Pix)
	for i := range src.U.Pix {
		src.U.Pix[i], src.V.Pix[i] = 128, 128
	}
	m := &depth.Map{W: w / factor, H: h / factor, D: make([]float32, w*h/factor/factor)}
	reference, truth := make([]float32, w*h), make([]float32, w*h)
	golden.Read(t, "coarse.npy", "<f4", m.D)
	golden.Read(t, "refined.npy", "<f4", reference)
	golden.Read(t, "true.npy", "<f4", truth)
	cfg := defaults(job.Depth)
	cfg.FullRange = true
	out := render(t, cfg, src, m, 1)
	got := make([]float32, w*h)
	for i, v := range out.Y.Pix {
		got[i] = float32(v) / 255
	}
	fromReference, agreeing := apart(got, reference, 0.1)
	ours, _ := apart(got, truth, 0.1)
	theirs, _ := apart(reference, truth, 0.1)
	t.Logf("off by %.4f from the reference, %.1f%% within 0.1; off by %.4f from the truth, the reference by %.4f",
		fromReference, 100*agreeing, ours, theirs)
	if fromReference > 0.02 || agreeing < 0.99 || ours > theirs {
		t.Error("the refined map is not that of the reference")
	}
}

// apart returns the mean difference and the share of places that differ by less than limit.
func apart(a, b []float32, limit float64) (mean, within float64) {
	for i, v := range a {
		off := math.Abs(float64(v - b[i]))
		mean += off / float64(len(a))
		if off < limit {
			within += 1 / float64(len(a))
		}
	}
	return mean, within
}
