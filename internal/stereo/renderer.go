package stereo

import (
	"fmt"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// Renderer turns frames of one size and their depth maps into frames of the output format. It keeps
// its buffers between frames and allocates nothing for a frame, save when the depth map's size
// changes. It serves one goroutine at a time.
type Renderer[T yuv.Sample] struct {
	cfg        Config
	w, h, bits int // of the source
	ew, eh     int // of a view at full resolution: the source's size, made even by repeating the last column or row
	outW, outH int

	guide   upsampler[T]
	shifts  *shifts
	curtain curtain[T]
	margin  int // pixels by which a view's inverse map is longer than its row, at each end
	inverse *reciprocals
	kernel  *cubics
	pack    packer[T]

	dst, src *yuv.Frame[T] // of the frame under way
	crew     crew
	tasks    tasks
	desks    []*desk[T] // one for each worker
}

// packer puts what a pair of rows gives into the output frame.
type packer[T yuv.Sample] interface {
	// size returns the output frame's size.
	size() (w, h int)
	// rows renders source rows 2j and 2j+1.
	rows(r *Renderer[T], d *desk[T], j int)
	// finish returns how many pieces of work remain once all rows are rendered.
	finish() int
	// piece does one of them.
	piece(r *Renderer[T], d *desk[T], i int)
}

// desk is one worker's scratch space.
type desk[T yuv.Sample] struct {
	depth, shift, left, right []int32
	grey                      []int32
	cells                     []cell
	padded                    []T
	views                     [2]viewRows[T]
	mix                       mixRows
}

// viewRows are two luma rows of a view and the chroma rows they share.
type viewRows[T yuv.Sample] struct {
	y    [2][]T
	u, v []T
}

func newViewRows[T yuv.Sample](w int) viewRows[T] {
	return viewRows[T]{y: [2][]T{make([]T, w), make([]T, w)}, u: make([]T, w/2), v: make([]T, w/2)}
}

// NewRenderer returns a renderer of w×h frames with the given sample depth, which must fit T. It
// uses up to workers goroutines (at least one) while Render runs.
func NewRenderer[T yuv.Sample](cfg Config, w, h, bits, workers int) (*Renderer[T], error) {
	if err := cfg.validate(w, h, bits, sampleBits[T]()); err != nil {
		return nil, err
	}
	r := &Renderer[T]{
		cfg: cfg, w: w, h: h, bits: bits, ew: (w + 1) &^ 1, eh: (h + 1) &^ 1,
		guide:   upsampler[T]{w: w, h: h},
		shifts:  newShifts(&cfg, w, h),
		inverse: newReciprocals(),
		kernel:  newCubics(),
	}
	black, _ := lumaRange(cfg.FullRange, bits)
	r.curtain = curtain[T]{black: int32(black), grey: int32(1) << (bits - 1)}
	r.margin = r.shifts.margin()
	r.pack = newPacker(r)
	r.outW, r.outH = r.pack.size()
	r.crew.hire(max(workers, 1))
	r.tasks = r.bind()
	for range max(workers, 1) {
		r.desks = append(r.desks, r.newDesk())
	}
	return r, nil
}

// tasks are the steps that the crew shares out, bound once so that a frame costs no allocation.
type tasks struct{ shrink, fit, rows, piece func(worker, i int) }

func (r *Renderer[T]) bind() tasks {
	return tasks{
		shrink: func(_, y int) { r.guide.shrink(y) },
		fit:    func(_, y int) { r.guide.fit(y) },
		rows:   func(worker, j int) { r.pack.rows(r, r.desks[worker], j) },
		piece:  func(worker, i int) { r.pack.piece(r, r.desks[worker], i) },
	}
}

func sampleBits[T yuv.Sample]() int {
	var zero T
	if _, ok := any(zero).(uint8); ok {
		return 8
	}
	return 16
}

func (r *Renderer[T]) newDesk() *desk[T] {
	d := &desk[T]{padded: make([]T, r.w+3)}
	for _, p := range []*[]int32{&d.depth, &d.shift, &d.grey} {
		*p = make([]int32, r.w)
	}
	for _, p := range []*[]int32{&d.left, &d.right} {
		*p = make([]int32, r.w+2*r.margin)
	}
	for i := range d.views {
		d.views[i] = newViewRows[T](r.ew)
	}
	if r.cfg.Format == job.Anaglyph {
		d.mix = newMixRows(r.ew)
	}
	return d
}

// OutputSize returns the size of the frames that Render fills.
func (r *Renderer[T]) OutputSize() (w, h int) { return r.outW, r.outH }

// Set changes what a Stereographer decides from frame to frame. It holds from the next Render on.
func (r *Renderer[T]) Set(now Setting) {
	r.shifts.set(now)
	r.curtain.set(r.shifts.unit, now)
}

// Use sets how many goroutines the next Renders take, of those that the renderer was made with.
func (r *Renderer[T]) Use(workers int) { r.crew.call(workers) }

// Render fills dst, a frame of OutputSize, from src and its depth map.
func (r *Renderer[T]) Render(dst, src *yuv.Frame[T], m *depth.Map) error {
	if err := sameSize("source", src, r.w, r.h, r.bits); err != nil {
		return err
	}
	if err := sameSize("output", dst, r.outW, r.outH, r.bits); err != nil {
		return err
	}
	if err := r.guide.prepare(src, m); err != nil {
		return err
	}
	r.dst, r.src = dst, src
	if !r.guide.whole() {
		r.makeRoom(m.W)
		r.crew.do(m.H, r.tasks.shrink)
		r.crew.do(m.H, r.tasks.fit)
	}
	r.crew.do((r.h+1)/2, r.tasks.rows)
	if n := r.pack.finish(); n > 0 {
		r.crew.do(n, r.tasks.piece)
	}
	return nil
}

// makeRoom fits the desks to the depth map's width.
func (r *Renderer[T]) makeRoom(w int) {
	for _, d := range r.desks {
		if len(d.cells) != w {
			d.cells = make([]cell, w)
		}
	}
}

// views renders source rows 2j and 2j+1 as both eyes see them.
func (r *Renderer[T]) views(d *desk[T], j int, left, right *viewRows[T]) {
	for i := range 2 {
		y := 2*j + i
		if y >= r.h {
			copy(left.y[1], left.y[0])
			copy(right.y[1], right.y[0])
			return
		}
		r.place(d, y)
		row := r.src.Y.Row(y)
		padded := padRow(d.padded, row)
		if r.cfg.RightOnly {
			copy(left.y[i], row)
		} else {
			r.sampleLuma(left.y[i], padded, r.within(d.left))
		}
		r.sampleLuma(right.y[i], padded, r.within(d.right))
		r.curtain.luma(left.y[i][:r.w], right.y[i][:r.w])
		extend(left.y[i], r.w)
		extend(right.y[i], r.w)
		if i == 0 {
			r.chroma(d, j, left, right)
		}
	}
}

// within returns the part of an inverse map that belongs to the frame's columns.
func (r *Renderer[T]) within(places []int32) []int32 { return places[r.margin : r.margin+r.w] }

// place computes both views' inverse maps of row y.
func (r *Renderer[T]) place(d *desk[T], y int) {
	r.guide.shiftRow(d.depth, y, &r.shifts.byDepth, d.cells)
	widen(d.shift, d.depth, d.depth, r.guide.softness()+r.guide.pixels(r.cfg.EdgeDilation))
	r.shifts.atBorder(d.shift)
	if !r.cfg.RightOnly {
		mapLeft(d.left, d.shift, r.margin, r.inverse)
	}
	mapRight(d.right, d.shift, r.margin, r.inverse)
}

func (r *Renderer[T]) sampleLuma(dst, padded []T, places []int32) {
	sampleCubic(dst[:r.w], padded, places, r.kernel, int32(1)<<r.bits-1)
}

// chroma samples chroma row j with the maps of luma row 2j.
func (r *Renderer[T]) chroma(d *desk[T], j int, left, right *viewRows[T]) {
	u, v := r.src.U.Row(j), r.src.V.Row(j)
	if r.cfg.RightOnly {
		copy(left.u, u)
		copy(left.v, v)
	} else {
		sampleChroma(left.u, left.v, u, v, r.within(d.left))
	}
	sampleChroma(right.u, right.v, u, v, r.within(d.right))
	r.curtain.chroma(left.u, right.u)
	r.curtain.chroma(left.v, right.v)
}

// extend repeats the sample before n to the end of row.
func extend[T yuv.Sample](row []T, n int) {
	for x := n; x < len(row); x++ {
		row[x] = row[n-1]
	}
}

func sameSize[T yuv.Sample](name string, f *yuv.Frame[T], w, h, bits int) error {
	if f.Y.W != w || f.Y.H != h || f.Bits != bits {
		return fmt.Errorf("%s frame is %d×%d with %d bits, not %d×%d with %d", name, f.Y.W, f.Y.H, f.Bits, w, h, bits)
	}
	return nil
}
