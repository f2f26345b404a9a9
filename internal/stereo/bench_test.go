package stereo

import (
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

func BenchmarkRender1080p(b *testing.B) {
	for _, f := range job.Formats() {
		b.Run(string(f), func(b *testing.B) { benchmark[uint8](b, f, 8, 5) })
	}
	b.Run("full-sbs-10bit", func(b *testing.B) { benchmark[uint16](b, job.FullSBS, 10, 5) })
	b.Run("full-sbs-half-depth", func(b *testing.B) { benchmark[uint8](b, job.FullSBS, 8, 2) }) // as a network's
	b.Run("full-sbs-full-depth", func(b *testing.B) { benchmark[uint8](b, job.FullSBS, 8, 1) })
}

// benchmark renders a 1080p frame whose depth map is coarser than it by the given factor.
func benchmark[T yuv.Sample](b *testing.B, f job.Format, bits, coarser int) {
	s, err := scene.New(scene.Solids, 1920, 1080)
	if err != nil {
		b.Fatal(err)
	}
	src := yuv.New[T](s.Width, s.Height, bits)
	scene.Render(s, 0, 0, src, nil)
	s.Width, s.Height = s.Width/coarser, s.Height/coarser
	_, inv := s.Frame(0, 0)
	m := &depth.Map{W: s.Width, H: s.Height, D: inv}
	r, err := NewRenderer[T](Config{Format: f, Divergence: 2, Convergence: 0.5}, 1920, 1080, bits, 1)
	if err != nil {
		b.Fatal(err)
	}
	w, h := r.OutputSize()
	dst := yuv.New[T](w, h, bits)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Render(dst, src, m); err != nil {
			b.Fatal(err)
		}
	}
}
