//go:build cgo

package onnx

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	var made ort.Value
	if half {
		t.bytes = make([]byte, 2*len(t.values))
		made, err = ort.NewCustomDataTensor(s, t.bytes, ort.TensorElementDataTypeFloat16)
	} else {
		made, err = ort.NewTensor(s, t.values)
	}
	if err == nil { // else it is a nil pointer, which in an interface isn't nil
		t.ort = made
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

// Infer implements depth.Net.
func (m *Model) Infer(pictures []depth.Input) ([]depth.Map, error) { return m.infer(pictures, nil) }

// Until implements depth.Interruptible. A CPU's run ends before the network's next operator, a GPU's isn't cut off.
func (m *Model) Until(ctx context.Context) depth.Net { return bounded{m, ctx} }

// bounded is a network whose runs end with ctx.
type bounded struct {
	*Model
	ctx context.Context
}

// Infer implements depth.Net.
func (b bounded) Infer(pictures []depth.Input) ([]depth.Map, error) {
	options, err := ort.NewRunOptions()
	if err != nil {
		return nil, err
	}
	var terminated error
	told := make(chan struct{})
	stop := context.AfterFunc(b.ctx, func() { terminated = options.Terminate(); close(told) })
	maps, err := b.infer(pictures, options)
	if !stop() {
		<-told
		err = errors.Join(context.Cause(b.ctx), terminated)
	}
	return maps, errors.Join(err, options.Destroy())
}

// infer runs the network with options, which may be nil. Memory that there isn't halves the batch, for good.
func (m *Model) infer(pictures []depth.Input, options *ort.RunOptions) ([]depth.Map, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var maps []depth.Map
	for len(maps) < len(pictures) {
		batch := m.Batch()
		some := pictures[len(maps):min(len(maps)+batch, len(pictures))]
		done, err := m.inferBatch(some, batch, options)
		if err != nil && batch > 1 && outOfMemory(err) {
			m.batch.Store(int64(batch / 2))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("depth network %s: %w", m.out.name, plain(err))
		}
		maps = append(maps, done...)
	}
	return maps, nil
}

// shortage are words of ONNX Runtime, of its arena, and of CUDA's libraries, cuBLAS and cuDNN, for memory that there isn't.
var shortage = []string{"bad_alloc", "failed to allocate", "available memory", "out of memory", "alloc_failed"}

func outOfMemory(err error) bool {
	text := strings.ToLower(err.Error())
	return slices.ContainsFunc(shortage, func(words string) bool { return strings.Contains(text, words) })
}

// inferBatch runs at most a batch. A smaller one is filled up, so that the shape, and with it every bit of the result,
// doesn't depend on how many frames there are.
func (m *Model) inferBatch(pictures []depth.Input, batch int, options *ort.RunOptions) ([]depth.Map, error) {
	w, h := pictures[0].W, pictures[0].H
	if err := m.bind(batch, w, h); err != nil {
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
	if err := m.run(b, options); err != nil {
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
	if b.in, err = newTensor(m.in.half, m.inputShape(batch, w, h)...); err == nil {
		m.bound = b
	}
	return err
}

// run runs the network on what is in b. The first run finds out the output's shape, of which memory is made for all
// others. That is bound to the session where a GPU has to copy it; bound runs can't be cut off.
func (m *Model) run(b *binding, options *ort.RunOptions) error {
	switch {
	case b.io != nil:
		return m.session.RunWithBinding(b.io)
	case b.out.ort != nil:
		return m.session.RunWithOptions([]ort.Value{b.in.ort}, []ort.Value{b.out.ort}, options)
	}
	first := m.firstRun
	if m.out.half {
		first = m.firstHalfRun
	}
	if err := first(b, options); err != nil || m.provider == CPU {
		return err
	}
	var err error
	if b.io, err = m.session.CreateIoBinding(); err != nil {
		return err
	}
	return errors.Join(b.io.BindInput(m.in.name, b.in.ort), b.io.BindOutput(m.out.name, b.out.ort))
}

// firstRun lets the runtime make the output.
func (m *Model) firstRun(b *binding, options *ort.RunOptions) error {
	outs := []ort.Value{nil}
	if err := m.session.RunWithOptions([]ort.Value{b.in.ort}, outs, options); err != nil {
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
func (m *Model) firstHalfRun(b *binding, options *ort.RunOptions) error {
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
	err := m.session.RunWithOptions([]ort.Value{b.in.ort}, []ort.Value{b.out.ort}, options)
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "shape verification failed") {
		err = fmt.Errorf("a 16-bit map of another size than the picture's: use the network's 32-bit form (%w)", plain(err))
	}
	err = errors.Join(err, b.out.free())
	b.out = tensor{} // the next run is the first again
	return err
}

// makeOutput makes the memory for outputs of a shape.
func (b *binding) makeOutput(half bool, shape ort.Shape) error {
	w, h, err := mapSize(shape, b.batch)
	if err == nil {
		b.mapW, b.mapH = w, h
		b.out, err = newTensor(half, shape...)
	}
	return err
}
