package stereo

import (
	"image"
	"image/color"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// Picture converts a frame to R'G'B' by the matrix and range of cfg, for stills. The signal is not
// changed otherwise: HDR looks flat on an ordinary display.
func Picture[T yuv.Sample](f *yuv.Frame[T], cfg Config) *image.RGBA {
	w, h := f.Y.W, f.Y.H
	c := newColorimetry(cfg.Matrix, cfg.FullRange, f.Bits, w, h)
	dec := c.decoder()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	left := cfg.chromaLeft()
	for y := range h {
		luma, u, v := f.Y.Row(y), f.U.Row(y/2), f.V.Row(y/2)
		for x := range w {
			k, next := chromaAround(x, len(u)-1, left)
			r, g, b := dec.rgb(float32(luma[x]), mean(u[k], u[next]), mean(v[k], v[next]))
			img.SetRGBA(x, y, color.RGBA{toByte(r), toByte(g), toByte(b), 255})
		}
	}
	return img
}

// DepthPicture colours a frame of job.Depth, in the range of cfg, as DepthColor does.
func DepthPicture[T yuv.Sample](f *yuv.Frame[T], cfg Config) *image.RGBA {
	black, white := lumaRange(cfg.FullRange, f.Bits)
	img := image.NewRGBA(image.Rect(0, 0, f.Y.W, f.Y.H))
	for y := range f.Y.H {
		for x, v := range f.Y.Row(y) {
			img.SetRGBA(x, y, DepthColor((float64(v)-black)/(white-black)))
		}
	}
	return img
}

func toByte(v float32) uint8 { return uint8(min(max(v, 0), 1)*255 + 0.5) }

// viridis is a polynomial in depth for each of red, green and blue, lowest power first: a
// least-squares fit of degree 6, within 0.014, to the colour map viridis, whose lightness grows evenly
// and which colour-blind people can read (S. van der Walt, N. Smith and E. Firing for Matplotlib; CC0).
var viridis = [3][7]float64{
	{0.2715, 0.1539, -0.4803, -4.7455, 7.5329, 2.8161, -4.5632},
	{0.0060, 1.3924, 0.2492, -5.9028, 14.4560, -14.0484, 4.7530},
	{0.3317, 1.3828, 0.3345, -20.8122, 60.3384, -69.2023, 27.7619},
}

// DepthColor returns the colour of depth d in [0, 1] on preview pictures: dark violet is far, yellow near.
func DepthColor(d float64) color.RGBA {
	d = min(max(d, 0), 1)
	var c [3]uint8
	for i, p := range viridis {
		v := 0.0
		for k := len(p) - 1; k >= 0; k-- {
			v = v*d + p[k]
		}
		c[i] = toByte(float32(v))
	}
	return color.RGBA{c[0], c[1], c[2], 255}
}
