package stereo

import "github.com/stereospot/stereospot/internal/stereo/yuv"

// curtain blacks what one eye alone would see past the window's edges. Moved forward, the window's left edge lies further
// right in the left view, and its right edge further left in the right view: the floating window of stereoscopic cinema
// (B. Mendiburu, "3D Movie Making", 2009).
type curtain[T yuv.Sample] struct {
	left, right int32 // widths, in 1/256 pixel
	black, grey int32 // luma and chroma of black
}

// set draws the curtain as far as a setting says; unit is the pixels of one percent.
func (c *curtain[T]) set(unit float64, now Setting) {
	c.left, c.right = int32(now.Left*unit*fixOne), int32(now.Right*unit*fixOne)
}

func (c *curtain[T]) luma(left, right []T) {
	shadeStart(left, c.left, c.black)
	shadeEnd(right, c.right, c.black)
}

func (c *curtain[T]) chroma(left, right []T) {
	shadeStart(left, c.left/2, c.grey)
	shadeEnd(right, c.right/2, c.grey)
}

// shadeStart covers the first samples of a row over the given width, in 1/256 sample; the last of them in part, so that
// a moving edge moves evenly.
func shadeStart[T yuv.Sample](row []T, width, shade int32) {
	n := min(int(width>>fixBits), len(row))
	for x := range n {
		row[x] = T(shade)
	}
	if part := width & (fixOne - 1); part > 0 && n < len(row) {
		row[n] = blend(row[n], shade, part)
	}
}

// shadeEnd is shadeStart's mirror image.
func shadeEnd[T yuv.Sample](row []T, width, shade int32) {
	n := max(len(row)-int(width>>fixBits), 0)
	for x := n; x < len(row); x++ {
		row[x] = T(shade)
	}
	if part := width & (fixOne - 1); part > 0 && n > 0 {
		row[n-1] = blend(row[n-1], shade, part)
	}
}

// blend returns v with part/256 of shade in it.
func blend[T yuv.Sample](v T, shade, part int32) T {
	return T((int32(v)*(fixOne-part) + shade*part + fixOne/2) >> fixBits)
}
