// Package yuv holds planar 4:2:0 pictures, the only picture type between decoder and encoder.
package yuv

// Sample is one component of one pixel: uint8 for 8-bit video, uint16 (low bits used) for 9 to 16 bits.
type Sample interface{ uint8 | uint16 }

// Plane is a rectangle of samples, row after row, Stride samples apart.
type Plane[T Sample] struct {
	Pix    []T
	Stride int
	W, H   int
}

// Row returns the W samples of row y.
func (p *Plane[T]) Row(y int) []T { return p.Pix[y*p.Stride : y*p.Stride+p.W : y*p.Stride+p.W] }

// Frame is one picture: luma at full resolution, chroma at half in both directions (rounded up).
// Bits is the sample depth (8 or 10): code values lie in [0, 1<<Bits).
type Frame[T Sample] struct {
	Y, U, V Plane[T]
	Bits    int
}

// Size returns the number of samples in a tightly packed w×h frame: planes Y, U, V without padding.
func Size(w, h int) int { return w*h + 2*((w+1)/2)*((h+1)/2) }

// New returns a frame of w×h with samples of its own.
func New[T Sample](w, h, bits int) *Frame[T] { return Wrap(make([]T, Size(w, h)), w, h, bits) }

// Wrap lays a frame over buf, which holds Size(w, h) samples: planes Y, U, V, tightly packed, as
// FFmpeg's rawvideo writes yuv420p and yuv420p10. The frame shares buf.
func Wrap[T Sample](buf []T, w, h, bits int) *Frame[T] {
	cw, ch := (w+1)/2, (h+1)/2
	y, u, v := buf[:w*h], buf[w*h:w*h+cw*ch], buf[w*h+cw*ch:w*h+2*cw*ch]
	return &Frame[T]{
		Y:    Plane[T]{Pix: y, Stride: w, W: w, H: h},
		U:    Plane[T]{Pix: u, Stride: cw, W: cw, H: ch},
		V:    Plane[T]{Pix: v, Stride: cw, W: cw, H: ch},
		Bits: bits,
	}
}
