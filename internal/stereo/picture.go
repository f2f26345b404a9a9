package stereo

import (
	"image"
	"image/color"
	"math"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// Picture converts a frame to R'G'B' at 8 bits for looking at: the stream's matrix and range are undone, its
// transfer is left as it is.
func Picture[T yuv.Sample](f *yuv.Frame[T], cfg Config) *image.RGBA {
	w, h := f.Y.W, f.Y.H
	c := newColorimetry(cfg.Matrix, cfg.FullRange, f.Bits, w, h)
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		luma, u, v := f.Y.Row(y), f.U.Row(y/2), f.V.Row(y/2)
		row := img.Pix[y*img.Stride:]
		for x, code := range luma {
			l := (float64(code) - c.black) / c.lumaSpan
			cb, cr := (float64(u[x/2])-c.neutral)/c.colorSpan, (float64(v[x/2])-c.neutral)/c.colorSpan
			r := l + 2*(1-c.kr)*cr
			b := l + 2*(1-c.kb)*cb
			g := (l - c.kr*r - c.kb*b) / (1 - c.kr - c.kb)
			row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = to8(r), to8(g), to8(b), 255
		}
	}
	return img
}

func to8(v float64) uint8 { return uint8(math.Round(255 * min(max(v, 0), 1))) }

// viridis holds polynomials in depth for red, green and blue, lowest power first: least-squares fits to
// Matplotlib's viridis (S. van der Walt and N. Smith, CC0), at most 0.017 off in any channel.
var viridis = [3][7]float64{
	{0.274455, 0.107708, -0.327241, -4.599932, 6.203736, 4.751787, -5.432077},
	{0.005768, 1.396470, 0.214814, -5.758238, 14.153965, -13.749439, 4.641571},
	{0.332664, 1.386771, 0.091977, -19.291809, 56.656300, -65.320968, 26.272108},
}

// DepthColor maps depth in [0, 1] to a perceptually uniform scale: dark blue is far, yellow is near.
func DepthColor(d float64) color.RGBA {
	d = min(max(d, 0), 1)
	var out [3]uint8
	for i, p := range viridis {
		v := 0.0
		for k := len(p) - 1; k >= 0; k-- {
			v = v*d + p[k]
		}
		out[i] = to8(v)
	}
	return color.RGBA{out[0], out[1], out[2], 255}
}

// Disparity returns the total disparity in pixels of depth d in a picture of w×h: how much further right the
// left view shows it than the right view. Positive is in front of the screen.
func (c *Config) Disparity(d float64, w, h int) float64 { return c.disparity(d, w, h) }
