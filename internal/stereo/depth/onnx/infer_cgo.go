//go:build cgo

package onnx

import (
	"errors"
	"fmt"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// binding is the memory that runs of one shape share: it is bound to the session once and used again for every frame.
type binding struct {
	batch, w, h int
	in, out     tensor
	mapW, mapH  int
	io          *ort.IoBinding
}

// tensor is memory that the runtime reads or writes: values, and their 16-bit form where the network has that.
type tensor struct {
	values []float32
	bytes  []byte
	ort    ort.Value
}

// newTensor makes memory for a shape, in 16 bits if half is set.
func newTensor(half bool, shape ...int64) (t tensor, err error) {
	s := ort.NewShape(shape...)
	t.values = make([]float32, s.FlattenedSize())
	if half {
		t.bytes = make([]byte, 2*len(t.values))
		t.ort, err = ort.NewCustomDataTensor(s, t.bytes, ort.TensorElementDataTypeFloat16)
	} else {
		t.ort, err = ort.NewTensor(s, t.values)
	}
	return t, err
}

func (t *tensor) free() error {
	if t.ort == nil {
		return nil
	}
	return t.ort.Destroy()
}

func (b *binding) free() error {
	if b == nil {
		return nil
	}
	var errs []error
	if b.io != nil {
		errs = append(errs, b.io.Destroy())
	}
	return errors.Join(append(errs, b.in.free(), b.out.free())...)
}

// Infer implements depth.Net. Memory that a GPU doesn't have halves the batch, for good.
func (m *Model) Infer(pictures []depth.Input) ([]depth.Map, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var maps []depth.Map
	for len(maps) < len(pictures) {
		some := pictures[len(maps):min(len(maps)+m.batch, len(pictures))]
		done, err := m.inferBatch(some)
		if err != nil && m.batch > 1 && outOfMemory(err) {
			m.batch /= 2
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("depth network %s: %w", m.out.name, err)
		}
		maps = append(maps, done...)
	}
	return maps, nil
}

func outOfMemory(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "out of memory") || strings.Contains(text, "failed to allocate") || strings.Contains(text, "available memory")
}

// inferBatch runs at most a batch. A smaller one is filled up, so that the shape, and with it every bit of the result,
// doesn't depend on how many frames there are.
func (m *Model) inferBatch(pictures []depth.Input) ([]depth.Map, error) {
	w, h := pictures[0].W, pictures[0].H
	if err := m.bind(m.batch, w, h); err != nil {
		return nil, err
	}
	b := m.bound
	size := 3 * w * h
	for i := range b.batch {
		p := pictures[min(i, len(pictures)-1)]
		if p.W != w || p.H != h {
			return nil, fmt.Errorf("pictures of %d×%d and %d×%d in one batch", w, h, p.W, p.H)
		}
		m.spec.Tensor(b.in.values[i*size:(i+1)*size], p)
	}
	if b.in.bytes != nil {
		toHalf(b.in.bytes, b.in.values)
	}
	if err := m.run(b); err != nil {
		return nil, err
	}
	if b.out.bytes != nil {
		fromHalf(b.out.values, b.out.bytes)
	}
	maps := make([]depth.Map, len(pictures))
	n := b.mapW * b.mapH
	for i := range maps {
		maps[i] = depth.Map{W: b.mapW, H: b.mapH, D: append([]float32(nil), b.out.values[i*n:(i+1)*n]...)}
	}
	return maps, nil
}

// bind makes the memory for a shape unless the last run had the same.
func (m *Model) bind(batch, w, h int) (err error) {
	if b := m.bound; b != nil && b.batch == batch && b.w == w && b.h == h {
		return nil
	}
	err = m.bound.free()
	m.bound = nil
	if err != nil {
		return err
	}
	b := &binding{batch: batch, w: w, h: h}
	if b.in, err = newTensor(m.in.half, int64(batch), 3, int64(h), int64(w)); err == nil {
		m.bound = b
	}
	return err
}

// run runs the network on what is in b. The first run finds out the output's shape, of which memory is made for all
// others.
func (m *Model) run(b *binding) error {
	if b.io != nil {
		return m.session.RunWithBinding(b.io)
	}
	first := m.firstRun
	if m.out.half {
		first = m.firstHalfRun
	}
	err := first(b)
	if err == nil {
		b.io, err = m.session.CreateIoBinding()
	}
	if err != nil {
		return err
	}
	return errors.Join(b.io.BindInput(m.in.name, b.in.ort), b.io.BindOutput(m.out.name, b.out.ort))
}

// firstRun lets the runtime make the output.
func (m *Model) firstRun(b *binding) error {
	outs := []ort.Value{nil}
	if err := m.session.Run([]ort.Value{b.in.ort}, outs); err != nil {
		return err
	}
	made, ok := outs[0].(*ort.Tensor[float32])
	if !ok {
		return fmt.Errorf("the output is %T", outs[0])
	}
	defer made.Destroy()
	if err := b.makeOutput(false, made.GetShape()); err != nil {
		return err
	}
	copy(b.out.values, made.GetData())
	return nil
}

// firstHalfRun does without the runtime's own output, which the library can't read in 16 bits: sizes that the network
// leaves open are taken to be the picture's.
func (m *Model) firstHalfRun(b *binding) error {
	shape := m.out.shape.Clone()
	sides := []int64{int64(b.w), int64(b.h)}
	for i := len(shape) - 1; i >= 0; i-- {
		switch {
		case i == 0 && len(shape) > 2:
			shape[i] = int64(b.batch)
		case shape[i] < 0 && len(sides) > 0:
			shape[i], sides = sides[0], sides[1:]
		case shape[i] < 0:
			shape[i] = 1
		}
	}
	if err := b.makeOutput(true, shape); err != nil {
		return err
	}
	return m.session.Run([]ort.Value{b.in.ort}, []ort.Value{b.out.ort})
}

// makeOutput makes the memory for outputs of a shape.
func (b *binding) makeOutput(half bool, shape ort.Shape) (err error) {
	if b.mapW, b.mapH, err = mapSize(shape, b.batch); err == nil {
		b.out, err = newTensor(half, shape...)
	}
	return err
}

// mapSize reads an output's shape: [batch, height, width], with ones anywhere.
func mapSize(s ort.Shape, batch int) (w, h int, err error) {
	var sides []int
	for i, n := range s {
		if n != 1 && !(i == 0 && len(s) > 2 && n == int64(batch)) {
			sides = append(sides, int(n))
		}
	}
	if len(sides) != 2 || s.FlattenedSize() != int64(batch*sides[0]*sides[1]) {
		return 0, 0, fmt.Errorf("the output's shape is %s: use a network that gives [batch, height, width]", s)
	}
	return sides[1], sides[0], nil
}
