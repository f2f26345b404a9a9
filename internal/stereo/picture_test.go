package stereo

import (
	"image/color"
	"math"
	"testing"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

func TestPictureUndoesMatrixAndRange(t *testing.T) {
	// Code values of BT.709 video range (ITU-R BT.709-6, 3.5): white, black, pure red, green, blue.
	for _, c := range []struct {
		y, u, v uint8
		want    color.RGBA
	}{
		{235, 128, 128, color.RGBA{255, 255, 255, 255}},
		{16, 128, 128, color.RGBA{0, 0, 0, 255}},
		{63, 102, 240, color.RGBA{255, 0, 0, 255}},
		{173, 42, 26, color.RGBA{0, 255, 0, 255}},
		{32, 240, 118, color.RGBA{0, 0, 255, 255}},
	} {
		f := yuv.New[uint8](2, 2, 8)
		for i := range f.Y.Pix {
			f.Y.Pix[i] = c.y
		}
		f.U.Pix[0], f.V.Pix[0] = c.u, c.v
		got := Picture(f, Config{Matrix: "bt709"}).RGBAAt(1, 1)
		if far(got.R, c.want.R) || far(got.G, c.want.G) || far(got.B, c.want.B) {
			t.Errorf("%d %d %d is shown as %v, want %v", c.y, c.u, c.v, got, c.want)
		}
	}
}

func far(a, b uint8) bool { return math.Abs(float64(a)-float64(b)) > 5 }

func TestDepthColorFollowsViridis(t *testing.T) {
	// Matplotlib's table at entries 0, 64, 128, 192 and 255.
	for d, want := range map[float64]color.RGBA{
		0: {68, 1, 84, 255}, 64. / 255: {59, 82, 139, 255}, 128. / 255: {33, 145, 140, 255}, 192. / 255: {94, 201, 98, 255}, 1: {253, 231, 37, 255},
	} {
		if got := DepthColor(d); far(got.R, want.R) || far(got.G, want.G) || far(got.B, want.B) {
			t.Errorf("depth %.3f is %v, want %v", d, got, want)
		}
	}
	brightness := func(d float64) int { c := DepthColor(d); return 2*int(c.R) + 7*int(c.G) + int(c.B) }
	for i := range 100 {
		if brightness(float64(i+1)/100) <= brightness(float64(i)/100) {
			t.Errorf("the scale isn't brighter at %d %% than before", i+1)
		}
	}
}
