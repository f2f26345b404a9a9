//go:build cgo

package onnx

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

var imageNet = depth.Spec{Side: 56, Multiple: 14, Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}

func open(t *testing.T, k onnxtest.Kind, c Config) *Model {
	t.Helper()
	c.Library = onnxtest.Library(t)
	spec := imageNet
	spec.Metric = k.Metric
	m, err := Open(onnxtest.Write(t, k), spec, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// scene is dark at the top and bright at the bottom right, and differs with seed.
func scene(w, h, seed int) depth.Input {
	p := &depth.Picture{W: w, H: h, Y: make([]float32, w*h), Cb: make([]float32, w*h), Cr: make([]float32, w*h), Weights: depth.Weights{R: 0.2126, B: 0.0722}}
	for i := range p.Y {
		x, y := i%w, i/w
		p.Y[i] = float32(0.1+0.6*float64(y)/float64(h)) + float32(x)/float32(4*w) + 0.05*float32(math.Sin(float64(i*(seed+1))))
		p.Cb[i], p.Cr[i] = 0.5, 0.5
	}
	return depth.Input{Picture: p}
}

func infer(t *testing.T, m *Model, pictures ...depth.Input) []depth.Map {
	t.Helper()
	maps, err := m.Infer(pictures)
	if err != nil {
		t.Fatal(err)
	}
	if len(maps) != len(pictures) {
		t.Fatalf("%d maps of %d pictures", len(maps), len(pictures))
	}
	return maps
}

func TestEveryKindOfNetworkGivesTheBrightnessAsDepth(t *testing.T) {
	for name, k := range map[string]onnxtest.Kind{
		"single": {}, "half": {Half: true}, "fixed": {Fixed: true}, "fixed half": {Fixed: true, Half: true}, "metric": {Metric: true},
		"other names and shape": {Plane: true}, "views": {Views: true}, "views, half": {Views: true, Half: true},
		"views, fixed": {Views: true, Fixed: true}, "views, fixed half": {Views: true, Fixed: true, Half: true},
		"distances of views by another name": {Views: true, Metric: true, Plane: true},
		"quantised":                          {Quantized: true},
	} {
		m := open(t, k, Config{Provider: CPU})
		w, h := m.Spec().Size(640, 360)
		if k.Fixed != (w == onnxtest.FixedW && h == onnxtest.FixedH) {
			t.Errorf("%s: pictures of %d×%d", name, w, h)
		}
		p := scene(w, h, 1)
		got := infer(t, m, p)[0]
		if got.W != w || got.H != h {
			t.Fatalf("%s: a map of %d×%d for %d×%d", name, got.W, got.H, w, h)
		}
		for _, c := range [][2]int{{0, 0}, {w/14 - 1, 0}, {0, h/14 - 1}, {w/14 - 1, h/14 - 1}} {
			want := patchMean(p, c[0], c[1])
			if k.Metric {
				want = 1 / (want + 0.1)
			}
			// The middle of a patch lies between two pixels either way, and the slope changes there.
			x, y := 14*c[0]+7, 14*c[1]+7
			v := (at(got, x, y) + at(got, x-1, y) + at(got, x, y-1) + at(got, x-1, y-1)) / 4
			if math.Abs(v-want) > 0.02*max(1, want) {
				t.Errorf("%s: patch %v is %v, want %v", name, c, v, want)
			}
		}
	}
}

func at(m depth.Map, x, y int) float64 { return float64(m.D[y*m.W+x]) }

func patchMean(p depth.Input, px, py int) float64 {
	var sum float64
	for y := range 14 {
		for x := range 14 {
			sum += float64(p.Y[(14*py+y)*p.W+14*px+x])
		}
	}
	return sum / 196
}

func TestBitsDependOnThePictureAlone(t *testing.T) {
	for _, k := range []onnxtest.Kind{{}, {Views: true}} {
		bitsDependOnThePictureAlone(t, k)
	}
}

func bitsDependOnThePictureAlone(t *testing.T, k onnxtest.Kind) {
	t.Helper()
	var pictures []depth.Input
	for i := range 7 {
		pictures = append(pictures, scene(84, 56, i))
	}
	single := open(t, k, Config{Provider: CPU, Threads: 1})
	want := infer(t, single, pictures...)
	several := open(t, k, Config{Provider: CPU, Threads: 3})
	several.batch.Store(3)
	several.provider = CUDA // that is how GPUs are run: with bound memory
	if infer(t, several, pictures[0]); several.bound.io == nil {
		t.Error("the memory isn't bound")
	}
	for name, got := range map[string][]depth.Map{
		"again": infer(t, single, pictures...), "threads and batches of three": infer(t, several, pictures...),
		"another order": reversed(infer(t, several, reversed(pictures)...)), "alone": infer(t, several, pictures[6]),
	} {
		for i, m := range got {
			if !slices.Equal(m.D, want[len(want)-len(got)+i].D) {
				t.Errorf("%+v, %s: map %d differs", k, name, i)
			}
		}
	}
}

// A network that quantises what it computes does so by the range of a whole batch, so that maps would follow their neighbours.
func TestNetworkThatWouldMixABatchSeesOnePictureAtATime(t *testing.T) {
	dark, bright := scene(84, 56, 1), scene(84, 56, 1)
	for i := range bright.Y {
		dark.Y[i] /= 4
	}
	for _, k := range []onnxtest.Kind{{}, {Quantized: true}} {
		m := open(t, k, Config{Provider: CPU})
		alone := infer(t, m, dark)[0]
		m.provider = CUDA
		m.batch.Store(2)
		if mixed := !slices.Equal(infer(t, m, dark, bright)[0].D, alone.D); mixed != k.Quantized {
			t.Fatalf("%+v: a batch mixes its pictures: %v", k, mixed)
		}
		m.batch.Store(1)
		if err := m.fitBatch(0); err != nil || (m.Batch() == 1) != k.Quantized {
			t.Errorf("%+v: a GPU computes %d at once, %v", k, m.Batch(), err)
		}
		if got := infer(t, m, dark, bright)[0]; !slices.Equal(got.D, alone.D) {
			t.Errorf("%+v: beside another picture the map is another", k)
		}
	}
}

func TestTextIsFoundWhereverItLiesInAFile(t *testing.T) {
	const text, piece = "needle", 1 << 20
	path := filepath.Join(t.TempDir(), "haystack")
	for _, at := range []int{0, 1, piece - len(text), piece - 3, piece, 2*piece - 8, 3*piece - len(text)} {
		hay := make([]byte, 3*piece)
		copy(hay[at:], text)
		for want, content := range map[bool][]byte{true: hay, false: hay[:at+len(text)-1]} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := contains(path, text); err != nil || got != want {
				t.Errorf("at %d of %d bytes: found %v, %v", at, len(content), got, err)
			}
		}
	}
}

func reversed[V any](all []V) []V {
	out := slices.Clone(all)
	slices.Reverse(out)
	return out
}

func TestMirroredPictureGivesTheMirroredMap(t *testing.T) {
	m := open(t, onnxtest.Kind{}, Config{Provider: CPU})
	p := scene(84, 56, 2)
	plain := infer(t, m, p)[0]
	p.Mirrored = true
	mirrored := infer(t, m, p)[0]
	for i, v := range plain.D {
		x := i % 84
		if d := v - mirrored.D[i+83-2*x]; d > 1e-5 || d < -1e-5 {
			t.Fatalf("pixel %d is %v, mirrored %v", i, v, mirrored.D[i+83-2*x])
		}
	}
}

func TestFramesOfOneSizeShareTheirMemory(t *testing.T) {
	m := open(t, onnxtest.Kind{}, Config{Provider: CPU})
	p := scene(280, 196, 3)
	infer(t, m, p, p) // finds the shape, then makes the memory
	bound := m.bound
	per := testing.AllocsPerRun(5, func() { infer(t, m, p) })
	if m.bound != bound {
		t.Error("the memory was made anew")
	}
	if per > 8 { // the map, its slice, and the runtime's handles
		t.Errorf("%v allocations a frame", per)
	}
	if infer(t, m, scene(84, 56, 1)); m.bound == bound {
		t.Error("another size has the same memory")
	}
}

func TestTroubleIsOneLineThatSaysWhatToDo(t *testing.T) {
	lib := onnxtest.Library(t)
	garbage := filepath.Join(t.TempDir(), "garbage.onnx")
	if err := os.WriteFile(garbage, []byte("not a network"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Runtime(lib); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path   string
		config Config
		want   string
	}{
		"no network": {garbage, Config{}, "not a network that ONNX Runtime"},
		"no file":    {garbage + "x", Config{}, "not a network that ONNX Runtime"},
		"no CUDA":    {onnxtest.Write(t, onnxtest.Kind{}), Config{Provider: CUDA}, "--depth-provider cuda: this ONNX Runtime was built without: `pip install onnxruntime-gpu`"},
	} {
		_, err := Open(c.path, imageNet, c.config)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The library of these tests has a CPU alone, of which nobody needs to hear.
func TestNetworkSaysWhatComputesItAndWhyNoGPUDoes(t *testing.T) {
	m := open(t, onnxtest.Kind{}, Config{Threads: 3})
	want := "CPU, 3 threads, ONNX Runtime " + ort.GetVersion()
	if m.Provider() != CPU || m.String() != want {
		t.Errorf("%s says %q, want %q", m.Provider(), m, want)
	}
	m.noCUDA = "libcublasLt.so.12: cannot open shared object file"
	if want += " (CUDA doesn't work: libcublasLt.so.12: cannot open shared object file)"; m.String() != want {
		t.Errorf("%q, want %q", m, want)
	}
}

func TestInputsThatAreNoPictureAloneAreRefusedInOneLine(t *testing.T) {
	for want, shape := range map[string]ort.Shape{
		"wants 2 views of a scene at once": {1, 2, 3, 56, 56},
		"[batch, 3, height, width] or":     {-1, 4, -1, -1},
		"input in is [-1 3 -1]":            {-1, 3, -1},
		"use one that takes [":             {1, 1, 1, 3, 56, 56},
		"wants 2 pictures at once":         {2, 3, 56, 56},
		"40000×40000 are too large":        {1, 3, 40000, 40000},
		"2×4611686018427387904 are too":    {1, 3, 1 << 62, 2},
		"0×16385 are too large":            {-1, 3, 16385, -1},
	} {
		err := checkInput(ort.InputOutputInfo{Name: "in", Dimensions: shape})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", shape, err)
		}
	}
	for _, shape := range []ort.Shape{{-1, -1, 3, -1, -1}, {1, 1, 3, 56, 42}, {-1, -1, -1, -1, -1}, {1, 3, 56, 42}, {1, 3, 2072, 8288}} {
		if err := checkInput(ort.InputOutputInfo{Dimensions: shape}); err != nil {
			t.Error(err)
		}
	}
}

func TestOutputsThatAreNoMapAreRefusedInOneLine(t *testing.T) {
	for want, shape := range map[string]ort.Shape{
		"[2 56 0]: use a network that gives": {2, 56, 0},
		"[2 3 56 42]: use a network":         {2, 3, 56, 42},
		"[1 1 1 1]: use a network":           {1, 1, 1, 1},
		"[1 56 42], of 2 pictures":           {1, 56, 42},
		"16385×2 is too large":               {2, 2, 16385},
		"16384×16384 is too large":           {2, 16384, 1, 16384},
		"2×4611686018427387904 is too":       {2, 1 << 62, 2},
	} {
		if _, _, err := mapSize(shape, 2); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", shape, err)
		}
	}
	for _, shape := range []ort.Shape{{2, 56, 42}, {2, 1, 56, 42}, {2, 56, 42, 1}} {
		if w, h, err := mapSize(shape, 2); w != 42 || h != 56 || err != nil {
			t.Errorf("%v is %d×%d, %v", shape, w, h, err)
		}
	}
	for _, half := range []bool{false, true} {
		m := open(t, onnxtest.Kind{Empty: true, Half: half}, Config{Provider: CPU})
		for range 2 { // a network that has failed still fails, and closes
			_, err := m.Infer([]depth.Input{scene(84, 56, 1)})
			if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "32-bit form") != half {
				t.Errorf("maps without columns, half %v: %v", half, err)
			}
		}
	}
}

func TestWeightsInAFileOfTheirOwnAreFoundBesideTheNetwork(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.onnx")
	network, weights := onnxtest.Apart(onnxtest.Kind{Views: true}, "model.onnx_data")
	for name, content := range map[string][]byte{path: network, path + "_data": weights} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	apart, err := Open(path, imageNet, Config{Library: onnxtest.Library(t), Provider: CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer apart.Close()
	p := scene(84, 56, 1)
	if got, want := infer(t, apart, p)[0], infer(t, open(t, onnxtest.Kind{Views: true}, Config{Provider: CPU}), p)[0]; !slices.Equal(got.D, want.D) {
		t.Error("the network in two files gives another map")
	}
	if err := os.Remove(path + "_data"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, imageNet, Config{}); err == nil || !strings.Contains(err.Error(), "model.onnx_data") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without its weights: %v", err)
	}
}

func TestLibraryIsLookedForAndItsAbsenceExplained(t *testing.T) {
	t.Setenv("ORT_LIB", "")
	dir := t.TempDir()
	for _, name := range []string{"libonnxruntime.so.1.9.0", "libonnxruntime.so.1.24.4", "libonnxruntime.so.1.25.0"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := newestLibrary(dir); filepath.Base(got) != "libonnxruntime.so.1.25.0" {
		t.Errorf("found %q", got)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.so"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"other.so", "pipe.so", "."} {
		if _, err := FindLibrary(filepath.Join(dir, name)); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "pip install onnxruntime") {
			t.Errorf("%s as a library: %v", name, err)
		}
	}
	t.Setenv("ORT_LIB", filepath.Join(dir, "libonnxruntime.so.1.24.4"))
	if got, err := FindLibrary(""); err != nil || got != os.Getenv("ORT_LIB") {
		t.Errorf("ORT_LIB: %q, %v", got, err)
	}
}

func TestHalvesAreRoundedToTheNearest(t *testing.T) {
	for h := range 1 << 16 {
		v := floatOf(uint16(h))
		if v != v {
			continue
		}
		if got := halfOf(v); got != uint16(h) {
			t.Fatalf("%#04x is %v, and back %#04x", h, v, got)
		}
	}
	for v, want := range map[float32]uint16{1 + 1.0/2048: 0x3c00, 1 + 3.0/2048: 0x3c02, 65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00,
		1e-8: 0, 4e-8: 1, float32(math.Inf(-1)): 0xfc00} {
		if got := halfOf(v); got != want {
			t.Errorf("%v becomes %#04x, want %#04x", v, got, want)
		}
	}
}
