package stereo

import (
	"hash/fnv"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// defaults are the settings that a person gets who chooses nothing.
func defaults(f job.Format) Config {
	return Config{Format: f, Divergence: 2, Convergence: 0.5, Matrix: "bt709"}
}

func render[T yuv.Sample](t *testing.T, cfg Config, src *yuv.Frame[T], m *depth.Map, workers int) *yuv.Frame[T] {
	t.Helper()
	r, err := NewRenderer[T](cfg, src.Y.W, src.Y.H, src.Bits, workers)
	if err != nil {
		t.Fatal(err)
	}
	w, h := r.OutputSize()
	dst := yuv.New[T](w, h, src.Bits)
	if err := r.Render(dst, src, m); err != nil {
		t.Fatal(err)
	}
	return dst
}

// newOutput returns a frame for r to fill.
func newOutput[T yuv.Sample](r *Renderer[T]) *yuv.Frame[T] {
	w, h := r.OutputSize()
	return yuv.New[T](w, h, r.bits)
}

// paint fills a frame and a depth map of its size by pixel.
func paint(w, h int, at func(x, y int) (luma, u, v uint8, d float32)) (*yuv.Frame[uint8], *depth.Map) {
	f, m := yuv.New[uint8](w, h, 8), &depth.Map{W: w, H: h, D: make([]float32, w*h)}
	for y := range h {
		for x := range w {
			f.Y.Row(y)[x], f.U.Row(y / 2)[x/2], f.V.Row(y / 2)[x/2], m.D[y*w+x] = at(x, y)
		}
	}
	return f, m
}

// texture is a picture with detail at every scale that fits, deterministic and without structure.
func texture(w, h int) *yuv.Frame[uint8] {
	f := yuv.New[uint8](w, h, 8)
	seed := uint32(1)
	for _, p := range []*yuv.Plane[uint8]{&f.Y, &f.U, &f.V} {
		for i := range p.Pix {
			seed = seed*1664525 + 1013904223
			p.Pix[i] = uint8(40 + (seed>>24)*180/255)
		}
	}
	return f
}

// hills is a depth map with slopes and a cliff.
func hills(w, h int) *depth.Map {
	m := &depth.Map{W: w, H: h, D: make([]float32, w*h)}
	for y := range h {
		for x := range w {
			d := 0.6 * float32(x+y) / float32(w+h)
			if x > w/3 && x < w/2 && y > h/4 {
				d = 0.95
			}
			m.D[y*w+x] = d
		}
	}
	return m
}

func flat(d float32) *depth.Map { return &depth.Map{W: 1, H: 1, D: []float32{d}} }

// widened returns the 8-bit frame with ten bits.
func widened(f *yuv.Frame[uint8]) *yuv.Frame[uint16] {
	out := yuv.New[uint16](f.Y.W, f.Y.H, 10)
	for i, p := range []*yuv.Plane[uint8]{&f.Y, &f.U, &f.V} {
		to := []*yuv.Plane[uint16]{&out.Y, &out.U, &out.V}[i]
		for k, v := range p.Pix {
			to.Pix[k] = uint16(v) << 2
		}
	}
	return out
}

func hashOf(f *yuv.Frame[uint8]) uint64 {
	h := fnv.New64a()
	h.Write(f.Y.Pix)
	h.Write(f.U.Pix)
	h.Write(f.V.Pix)
	return h.Sum64()
}
