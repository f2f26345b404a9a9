package clip

import (
	"sync"
	"unsafe"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// picture is a frame and the bytes it lies in, as FFmpeg's rawvideo has them: little-endian samples,
// which is the order of every machine that StereoSpot is built for.
type picture[T yuv.Sample] struct {
	raw   []byte
	frame *yuv.Frame[T]
}

// NewPicture returns a frame and the bytes it lies in, for media.FrameReader to fill.
func NewPicture[T yuv.Sample](w, h, bits int) (raw []byte, frame *yuv.Frame[T]) {
	p := newPicture[T](w, h, bits)
	return p.raw, p.frame
}

func newPicture[T yuv.Sample](w, h, bits int) *picture[T] {
	samples := make([]T, yuv.Size(w, h))
	var one T
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(samples))), len(samples)*int(unsafe.Sizeof(one)))
	return &picture[T]{raw: raw, frame: yuv.Wrap(samples, w, h, bits)}
}

// pool keeps pictures of one size for reuse. It grows with use and never shrinks: the queues between
// the stages bound it.
type pool[T yuv.Sample] struct {
	w, h, bits int

	mu   sync.Mutex
	free []*picture[T]
}

func newPool[T yuv.Sample](w, h, bits int) *pool[T] { return &pool[T]{w: w, h: h, bits: bits} }

func (p *pool[T]) get() *picture[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		pic := p.free[n-1]
		p.free = p.free[:n-1]
		return pic
	}
	return newPicture[T](p.w, p.h, p.bits)
}

func (p *pool[T]) put(pic *picture[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, pic)
}
