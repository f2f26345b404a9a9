// Package onnxtest writes small networks in ONNX format with Depth Anything's contract, for tests: what is brighter is
// nearer. Luminance is averaged over patches of 14×14 pixels and brought back to the picture's size.
package onnxtest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Kind is a variety of the network.
type Kind struct {
	Half    bool    // 16-bit input, weights and output
	Fixed   bool    // [1, 3, FixedH, FixedW] only
	Metric  bool    // the output is distance
	Plane   bool    // the output is [batch, 1, height, width], and all names are others
	Views   bool    // as Depth Anything 3: [batch, views, 3, height, width], and a confidence, which comes first
	Failing bool    // it loads, but no run ends well
	Empty   bool    // its maps have no columns
	Gain    float32 // of the output; 0 is 1. Networks of different gain are different files with the same maps
	// Quantized networks have 8-bit weights, and 8-bit values in a range that each run measures, as ONNX Runtime's
	// quantize_dynamic makes them.
	Quantized bool
	// Wide and Deep add Deep convolutions of Wide channels that change nothing, for runs that take memory or time.
	Wide, Deep int
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

// Apart returns a network in two files: the graph, and its weights, which it looks for beside itself under a name.
func Apart(k Kind, name string) (network, weights []byte) {
	g := graph{kind: k.element(), outside: name}
	return g.network(k), g.weightsOutside
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
	g := graph{kind: k.element()}
	return g.network(k)
}

// element is the type of the network's values.
func (k Kind) element() int {
	if k.Half {
		return typeHalf
	}
	return typeFloat
}

// network adds the whole to an empty graph and wraps it up.
func (g *graph) network(k Kind) []byte {
	in, out := "pixel_values", "predicted_depth"
	if k.Plane {
		in, out = "image", "depth"
	}
	picture := in
	if k.Views { // fails on more than one
		g.integers("view", 1)
		g.node("Squeeze", []string{in, "view"}, "the only view")
		picture = "the only view"
	}
	last := g.depth(picture, k)
	switch {
	case k.Views:
		g.node("Neg", []string{last}, confidence)
		g.node("Identity", []string{last}, out)
	case k.Plane:
		g.node("Identity", []string{last}, out)
	default:
		g.integers("axis", 1)
		g.node("Squeeze", []string{last, "axis"}, out)
	}
	return g.model(in, out, k)
}

// confidence is the output that isn't depth.
const confidence = "confidence"

// depth adds what turns pictures [batch, 3, height, width] into maps [batch, 1, height, width], and returns the maps' name.
func (g *graph) depth(picture string, k Kind) string {
	gain := cmp.Or(k.Gain, 1)
	// What undoes the normalisation, and weighs red, green and blue as BT.709 does.
	luma := []float32{gain * 0.2126 * 0.229, gain * 0.7152 * 0.224, gain * 0.0722 * 0.225}
	black := gain * (0.2126*0.485 + 0.7152*0.456 + 0.0722*0.406)
	if k.Quantized {
		g.luminanceInBytes(picture, luma, black)
	} else {
		g.weights("luma", []int64{1, 3, 1, 1}, luma...)
		g.weights("black", []int64{1}, black)
		g.node("Conv", []string{picture, "luma", "black"}, "luminance")
	}
	g.node("AveragePool", []string{"luminance"}, "patches", ints("kernel_shape", 14, 14), ints("strides", 14, 14))
	g.scales("grow", 1, 1, 14, 14)
	g.node("Resize", []string{"patches", "", "grow"}, "near", text("mode", "linear"), text("coordinate_transformation_mode", "half_pixel"))
	last := "near"
	if k.Wide > 0 {
		last = g.nothing(last, k.Wide, k.Deep)
	}
	if k.Metric {
		g.weights("farthest", []int64{1}, 0.1)
		g.node("Add", []string{last, "farthest"}, "inverse")
		g.node("Reciprocal", []string{"inverse"}, "distance")
		last = "distance"
	}
	if k.Empty {
		g.integers("none", 0)
		g.integers("columns", 3)
		g.node("Slice", []string{last, "none", "none", "columns"}, "nothing")
		last = "nothing"
	}
	if k.Failing {
		g.weights("misfit", []int64{1, 1, 3, 5}, make([]float32, 15)...)
		g.node("Add", []string{last, "misfit"}, "never")
		last = "never"
	}
	return last
}

// luminanceInBytes adds the same of 8-bit weights and values.
func (g *graph) luminanceInBytes(picture string, luma []float32, black float32) {
	unit := slices.Max(luma) / 255
	var raw []byte
	for _, v := range luma {
		raw = append(raw, byte(v/unit+0.5))
	}
	g.tensor("luma", typeUint8, []int64{1, 3, 1, 1}, raw)
	g.weights("unit", []int64{1}, unit)
	g.weights("black", []int64{1}, black)
	g.fork("DynamicQuantizeLinear", []string{picture}, []string{"bytes", "step", "zero"})
	g.node("ConvInteger", []string{"bytes", "luma", "zero"}, "sums")
	g.node("Cast", []string{"sums"}, "real sums", integer("to", typeFloat))
	g.node("Mul", []string{"step", "unit"}, "unit of sums")
	g.node("Mul", []string{"real sums", "unit of sums"}, "above black")
	g.node("Add", []string{"above black", "black"}, "luminance")
}

// nothing adds layers of convolutions to a value, and to that value what comes of them: zeros. It returns the sum's name.
func (g *graph) nothing(value string, wide, deep int) string {
	n := int64(wide)
	g.weights("widen", []int64{n, 1, 1, 1}, make([]float32, n)...)
	g.weights("keep", []int64{n, n, 3, 3}, make([]float32, 9*n*n)...)
	g.weights("narrow", []int64{1, n, 1, 1}, make([]float32, n)...)
	g.node("Conv", []string{value, "widen"}, "layer 0")
	for i := range deep {
		g.node("Conv", []string{fmt.Sprint("layer ", i), "keep"}, fmt.Sprint("layer ", i+1), ints("pads", 1, 1, 1, 1))
	}
	g.node("Conv", []string{fmt.Sprint("layer ", deep), "narrow"}, "zeros")
	g.node("Add", []string{value, "zeros"}, "sum")
	return "sum"
}
