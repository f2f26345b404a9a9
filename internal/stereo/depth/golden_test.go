package depth

import (
	"math"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/golden"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// The files are made by scripts/models/golden.py with the transformers library's own image processor, which rounds to
// eight bits twice on the way and interpolates chroma before it resizes. That much may differ.
func TestPictureIsWhatTheReferencesImageProcessorMakes(t *testing.T) {
	const w, h = 160, 90
	s := Spec{Side: 70, Multiple: 14, Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}
	pw, ph := s.Size(w, h)
	if pw != 126 || ph != 70 {
		t.Fatalf("a picture of %d×%d, the reference's has 126×70", pw, ph)
	}
	f := yuv.New[uint8](w, h, 8)
	golden.Read(t, "luma.npy", "|u1", f.Y.Pix)
	golden.Read(t, "cb.npy", "|u1", f.U.Pix)
	golden.Read(t, "cr.npy", "|u1", f.V.Pix)
	want := make([]float32, 3*pw*ph)
	golden.Read(t, "pixel_values.npy", "<f4", want)
	p := NewReducer[uint8](w, h, Sampling{W: pw, H: ph, Cubic: true}, Coding{Weights: Weights{0.2126, 0.0722}, ChromaLeft: true}).Reduce(f, nil)
	got := make([]float32, len(want))
	s.Tensor(got, Input{Picture: p})
	var sum, most float64
	for i := range want {
		// In steps of eight bits.
		d := math.Abs(float64(got[i]-want[i])) * float64(s.Std[i/(pw*ph)]) * 255
		sum, most = sum+d, max(most, d)
	}
	if mean := sum / float64(len(want)); mean > 0.5 || most > 3 {
		t.Errorf("off by %.2f steps of eight bits on average, %.2f at most", mean, most)
	} else {
		t.Logf("off by %.2f steps of eight bits on average, %.2f at most", mean, most)
	}
}
