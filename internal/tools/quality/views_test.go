package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/scene"
)

// TestSynthesisedViewsMatchRenderedOnes holds what docs/quality.md promises, at 1080p: with true
// depth, views made from one picture are close to those that the scene's other cameras see.
func TestSynthesisedViewsMatchRenderedOnes(t *testing.T) {
	if testing.Short() {
		t.Skip("renders 1080p stereo pairs")
	}
	for _, name := range []string{scene.Layers, scene.Solids, scene.Dolly} {
		for _, rightOnly := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/rightOnly=%v", name, rightOnly), func(t *testing.T) {
				s, err := scene.New(name, 1920, 1080)
				if err != nil {
					t.Fatal(err)
				}
				v, err := measureViews(s, 12, rightOnly)
				if err != nil {
					t.Fatal(err)
				}
				if v.EndPoint > 0.1 || v.PSNR < 40 || v.CoarsePSNR < 36 {
					t.Errorf("end-point error %.3f px, PSNR %.1f dB, with coarse depth %.1f dB: want at most 0.1, at least 40 and 36",
						v.EndPoint, v.PSNR, v.CoarsePSNR)
				}
				if v.IdentityPSNR > 32 || v.IdentityEndPoint < 1 || v.Hidden > 0.05 {
					t.Errorf("the scene is too easy: identity scores %.1f dB and %.2f px, %.1f%% hidden",
						v.IdentityPSNR, v.IdentityEndPoint, 100*v.Hidden)
				}
			})
		}
	}
}

func TestReportHasARowForEveryScene(t *testing.T) {
	var out bytes.Buffer
	if err := reportViews(&out, 160, 90); err != nil {
		t.Fatal(err)
	}
	for _, name := range scene.Names() {
		if strings.Count(out.String(), "| "+name+" |") != 2 {
			t.Errorf("%s does not have a row in both tables", name)
		}
	}
}
