//go:build cgo

package onnx

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// TestRealArchitecture runs the networks that scripts/models/export.py writes; see `make models-check`.
func TestRealArchitecture(t *testing.T) {
	dir := os.Getenv("STEREOSPOT_TEST_MODELS")
	if dir == "" {
		t.Skip("STEREOSPOT_TEST_MODELS names no directory of exported networks")
	}
	spec := imageNet
	spec.Side = 518
	w, h := spec.Size(1920, 1080)
	pictures := []depth.Input{scene(w, h, 1), scene(w, h, 2)}
	for _, name := range []string{"random-small-quantized", "random-small"} {
		m, err := Open(filepath.Join(dir, name+".onnx"), spec, Config{Library: onnxtest.Library(t), Provider: CPU})
		if err != nil {
			t.Fatal(err)
		}
		first := infer(t, m, pictures...)
		begin := time.Now()
		again := infer(t, m, pictures[1], pictures[0])
		took := time.Since(begin) / 2
		for i, p := range first {
			if p.W != w || p.H != h {
				t.Errorf("%s: a map of %d×%d for %d×%d", name, p.W, p.H, w, h)
			}
			if !slices.Equal(p.D, again[1-i].D) {
				t.Errorf("%s: a frame's bits depend on those before it", name)
			}
		}
		t.Logf("%s at %d×%d on %s: %v a frame", name, w, h, m, took.Round(time.Millisecond))
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}
