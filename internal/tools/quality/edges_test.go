package main

import (
	"slices"
	"testing"

	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// TestDilationHelpsOnlyWhereSilhouettesFallShort holds what docs/quality.md says of its default.
func TestDilationHelpsOnlyWhereSilhouettesFallShort(t *testing.T) {
	s, err := scene.New(scene.Layers, 960, 540)
	if err != nil {
		t.Fatal(err)
	}
	f := newEdgeFrame(s, 12)
	for _, k := range []mapKind{{"true", 462, 259, 0, 0}, {"short", 462, 259, 1, 2}} {
		m, err := k.of(f, 12)
		if err != nil {
			t.Fatal(err)
		}
		without, err := f.psnr(m, 0)
		if err != nil {
			t.Fatal(err)
		}
		with, err := f.psnr(m, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.2f dB without, %.2f with", k.name, without, with)
		if (with > without+0.3) != (k.short > 0) || without < 20 {
			t.Errorf("%s: %.2f dB without dilation, %.2f with", k.name, without, with)
		}
	}
}

func TestMapsAreMadeWorseAsTheirNamesSay(t *testing.T) {
	if got := cellMeans([]float32{0, 3, 6}, 3, 1, 2, 1); !slices.Equal(got, []float32{1, 5}) {
		t.Errorf("three values in two cells are %v", got)
	}
	m := &depth.Map{W: 5, H: 3, D: []float32{0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0}}
	recede(m)
	if want := []float32{0, 0, 1, 0, 0}; !slices.Equal(m.D[5:10], want) {
		t.Errorf("a cell short: %v", m.D)
	}
	blur(m, 0.5)
	if sum := m.D[6] + m.D[7] + m.D[8]; m.D[6] == 0 || m.D[6] != m.D[8] || sum < 0.97 || sum > 1.001 {
		t.Errorf("blurred: %v", m.D)
	}
}
