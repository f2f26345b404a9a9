// Package onnxtest writes small networks in ONNX format with Depth Anything's contract, for tests: what is brighter is
// nearer. Luminance is averaged over patches of 14×14 pixels and brought back to the picture's size.
package onnxtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Kind is a variety of the network.
type Kind struct {
	Half    bool    // 16-bit input, weights and output
	Fixed   bool    // [1, 3, FixedH, FixedW] only
	Metric  bool    // the output is distance
	Plane   bool    // the output is [batch, 1, height, width], and all names are others
	Failing bool    // it loads, but no run ends well
	Gain    float32 // of the output; 0 is 1. Networks of different gain are different files with the same maps
}

// The size of fixed networks.
const (
	FixedW = 56
	FixedH = 42
)

// Write puts a network into a new directory and returns its path.
func Write(t testing.TB, k Kind) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "network.onnx")
	if err := os.WriteFile(path, Bytes(k), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Library returns ONNX Runtime's library, which `make setup-test` installs, and fails the test where it isn't there.
func Library(t testing.TB) string {
	t.Helper()
	if lib := os.Getenv("ORT_LIB"); lib != "" {
		return lib
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if lib := filepath.Join(dir, "work/onnxruntime/libonnxruntime.so"); exists(lib) {
			return lib
		}
	}
	t.Fatal("ONNX Runtime isn't in work/onnxruntime: run make setup-test")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Bytes returns a network.
func Bytes(k Kind) []byte {
	in, out, kind := "pixel_values", "predicted_depth", typeFloat
	if k.Plane {
		in, out = "image", "depth"
	}
	if k.Half {
		kind = typeHalf
	}
	gain := k.Gain
	if gain == 0 {
		gain = 1
	}
	g := graph{kind: kind}
	// What undoes the normalisation, and weighs red, green and blue as BT.709 does.
	g.weights("luma", []int64{1, 3, 1, 1}, gain*0.2126*0.229, gain*0.7152*0.224, gain*0.0722*0.225)
	g.weights("black", []int64{1}, gain*(0.2126*0.485+0.7152*0.456+0.0722*0.406))
	g.node("Conv", []string{in, "luma", "black"}, "luminance")
	g.node("AveragePool", []string{"luminance"}, "patches", ints("kernel_shape", 14, 14), ints("strides", 14, 14))
	g.scales("grow", 1, 1, 14, 14)
	g.node("Resize", []string{"patches", "", "grow"}, "near", text("mode", "linear"), text("coordinate_transformation_mode", "half_pixel"))
	last := "near"
	if k.Metric {
		g.weights("farthest", []int64{1}, 0.1)
		g.node("Add", []string{last, "farthest"}, "inverse")
		g.node("Reciprocal", []string{"inverse"}, "distance")
		last = "distance"
	}
	if k.Failing {
		g.weights("misfit", []int64{1, 1, 3, 5}, make([]float32, 15)...)
		g.node("Add", []string{last, "misfit"}, "never")
		last = "never"
	}
	if k.Plane {
		g.node("Identity", []string{last}, out)
	} else {
		g.integers("axis", 1)
		g.node("Squeeze", []string{last, "axis"}, out)
	}
	return g.model(in, out, k)
}
