package main

import (
	"testing"

	"github.com/stereospot/stereospot/internal/scene"
)

// TestFilledPlacesHoldAsStillAsTheTruth follows what is filled beside silhouettes that move: shown as it is, the mirrored far side
// runs against them, half as fast again as what the scene's own camera sees there.
func TestFilledPlacesHoldAsStillAsTheTruth(t *testing.T) {
	for _, name := range []string{scene.Solids, scene.Mover} {
		s, err := scene.New(name, depthW, depthH)
		if err != nil {
			t.Fatal(err)
		}
		f, err := measureFill(s, 8, 14)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f dB, changes by %.2f a frame, in truth by %.2f, over %d pixels", name, f.PSNR, f.Change, f.TrueChange, f.Pixels)
		if f.Pixels == 0 || f.Change > 1.25*f.TrueChange {
			t.Errorf("%s: filled places change by %.2f a frame, in truth by %.2f", name, f.Change, f.TrueChange)
		}
	}
}
