// Package clip converts one segment file: it decodes the segment's window with its lead-in and
// lead-out, estimates depth, renders the views and encodes the window's own frames, all at once.
package clip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// Request is one conversion of one segment file.
type Request struct {
	Input  string // path of a segment file as media.Split writes it
	Output string // path of the MP4 to write; it is removed again on failure
	// Window overrides the segment's own window when Frames > 0.
	Window media.Window
	Format job.Format
	Stereo job.StereoOptions
	Depth  job.DepthOptions
	// Models opens neural models; nil where there is only classic.
	Models Models
	// GPU decodes what it can; nil leaves that to software. The frames are the same.
	GPU    *media.GPU
	Encode job.EncodeOptions
	// Workers is how many goroutines render one frame; 0 means one per core.
	Workers int
	// Progress, if set, is called from one goroutine with the count so far after every frame that was handed to the
	// encoder, which holds the last ones back.
	Progress func(frames int)
}

// Result says what Convert made.
type Result struct {
	Frames  int
	Figures []stereo.Figures // of every frame
}

// Convert runs the request. The output holds exactly the window's frames, in order, or does not exist.
// errors.Is(err, media.ErrFrameCount) means that the segment doesn't decode to the frames it promises.
func Convert(ctx context.Context, req Request) (Result, error) {
	seg, err := OpenSegment(ctx, req.Input, req.Encode)
	if err != nil {
		return Result{}, err
	}
	if req.Encode, err = settle(ctx, req.Encode, seg.Info().Video.Bits); err != nil {
		return Result{}, err
	}
	if req.GPU.Decodes(ctx, seg) {
		res, err := convertFrom(ctx, req, seg, seg.DecodeOnGPU)
		if !errors.Is(err, media.ErrGPU) || ctx.Err() != nil {
			return res, err
		}
		req.GPU.Failed(err)
	}
	return convertFrom(ctx, req, seg, seg.Decode)
}

// settle names the encoder where a request leaves it open, as a film's job never does.
func settle(ctx context.Context, e job.EncodeOptions, bits int) (job.EncodeOptions, error) {
	if e.Encoder != "" && e.Encoder != media.AutoEncoder {
		return e, nil
	}
	var err error
	e.Codec, e.Encoder, err = media.ChooseEncoder(ctx, e.Codec, e.Encoder, bits)
	return e, err
}

// decode starts to decode some of a segment's frames.
type decode func(ctx context.Context, first, frames int) (*media.FrameReader, error)

func convertFrom(ctx context.Context, req Request, seg *media.SegmentFile, source decode) (Result, error) {
	if seg.Info().Video.Bits > 8 {
		return convert[uint16](ctx, req, seg.Info(), source)
	}
	return convert[uint8](ctx, req, seg.Info(), source)
}

// OpenSegment opens a segment file whose frames are scaled as the options ask.
func OpenSegment(ctx context.Context, path string, o job.EncodeOptions) (*media.SegmentFile, error) {
	seg, err := media.OpenSegment(ctx, path)
	if err == nil && o.Height > 0 {
		err = seg.Resize(o.Height)
	}
	return seg, err
}

// work is one conversion under way; T is the sample type of the video.
type work[T yuv.Sample] struct {
	req      Request
	video    media.Video
	span     span
	est      depth.Estimator
	director *stereo.Stereographer
	reducer  *depth.Reducer[T]
	number   int // in the film, of the first decoded frame
	renderer *stereo.Renderer[T]
	workers  int // that the renderer has
	reader   *media.FrameReader
	encoder  *media.Encoder
	sources  *pool[T]         // decoded frames
	outputs  *pool[T]         // rendered frames
	figures  []stereo.Figures // of the frames that were handed to the renderer
}

// span is the part of the segment file that is decoded, and the part of that which is kept.
type span struct {
	first, frames int // in the file's frames
	lead          int // decoded frames before the window
	keep          int // frames of the window
}

// decodeSpan widens the window by the support, within the lead that the segment allows.
func decodeSpan(info media.SegmentInfo, w media.Window, support int) (span, error) {
	own := info.Window
	end := own.First + own.Frames
	if w.First < own.First-info.LeadIn || w.Frames < 1 || w.First+w.Frames > end+info.LeadOut {
		return span{}, &media.Error{Reason: fmt.Sprintf(
			"window of %d frames at %d lies outside of segment %d", w.Frames, w.First, info.Index)}
	}
	first := max(w.First-support, own.First-info.LeadIn)
	last := min(w.First+w.Frames+support, end+info.LeadOut)
	return span{first: first, frames: last - first, lead: w.First - first, keep: w.Frames}, nil
}

func convert[T yuv.Sample](ctx context.Context, req Request, info media.SegmentInfo, source decode) (res Result, err error) {
	w, err := newWork[T](ctx, req, info, source)
	if err != nil {
		return Result{}, err
	}
	defer w.reader.Close()
	defer func() {
		if err != nil {
			w.encoder.Abort()
		}
	}()
	if err := w.run(ctx); err != nil {
		return Result{}, err
	}
	w.forget()
	n, err := w.encoder.Close()
	if err != nil {
		return Result{}, err
	}
	if n != w.span.keep {
		return Result{}, &media.Error{Reason: fmt.Sprintf("encoder wrote %d frames of %d", n, w.span.keep)}
	}
	return Result{Frames: n, Figures: w.figures}, nil
}

// forget lets go of all that made the frames. The encoder may work on for seconds, and the next segment begin meanwhile.
func (w *work[T]) forget() {
	w.est, w.director, w.reducer, w.renderer, w.sources, w.outputs = nil, nil, nil, nil, nil, nil
}

func newWork[T yuv.Sample](ctx context.Context, req Request, info media.SegmentInfo, source decode) (*work[T], error) {
	v := info.Video
	est, err := NewEstimator(ctx, req.Depth, req.Models)
	if err != nil {
		return nil, err
	}
	window := req.Window
	if window.Frames == 0 {
		window = info.Window
	}
	w := &work[T]{req: req, video: v, est: est, director: stereo.NewStereographer(RenderConfig(v, req.Format, req.Stereo))}
	if w.span, err = decodeSpan(info, window, est.Support()+w.director.Support()); err != nil {
		return nil, err
	}
	w.reducer = NewReducer[T](v, est)
	w.number = info.First + w.span.first - info.Window.First
	if w.workers = req.Workers; w.workers <= 0 {
		w.workers = runtime.GOMAXPROCS(0)
	}
	if w.renderer, err = NewRenderer[T](v, req.Format, req.Stereo, w.workers); err != nil {
		return nil, err
	}
	ow, oh := w.renderer.OutputSize()
	w.sources = newPool[T](v.Width, v.Height, v.Bits)
	w.outputs = newPool[T](ow, oh, v.Bits)
	w.encoder, err = media.NewEncoder(ctx, encodeRequest(req, v, ow, oh))
	if err != nil {
		return nil, err
	}
	if w.reader, err = source(ctx, w.span.first, w.span.frames); err != nil {
		w.encoder.Abort()
		return nil, err
	}
	return w, nil
}

// RenderConfig is what the renderer needs to know of a video and a person's choices.
func RenderConfig(v media.Video, f job.Format, s job.StereoOptions) stereo.Config {
	return stereo.Config{
		Format:          f,
		Divergence:      s.Divergence,
		Convergence:     s.Convergence,
		ForegroundScale: s.ForegroundScale,
		AutoConvergence: s.AutoConvergence,
		MaxNear:         s.MaxNear,
		MaxFar:          s.MaxFar,
		FloatingWindow:  s.FloatingWindow,
		EdgeDilation:    s.EdgeDilation,
		RightOnly:       s.Eyes == job.RightEye,
		Anaglyph:        s.Anaglyph,
		FullRange:       v.Color.Range == "pc",
		Matrix:          v.Color.Matrix,
		Transfer:        v.Color.Transfer,
		ChromaLocation:  v.Color.ChromaLocation,
	}
}

// NewRenderer builds the renderer for a video and a person's choices.
func NewRenderer[T yuv.Sample](v media.Video, f job.Format, s job.StereoOptions, workers int) (*stereo.Renderer[T], error) {
	return stereo.NewRenderer[T](RenderConfig(v, f, s), v.Width, v.Height, v.Bits, workers)
}

func encodeRequest(req Request, v media.Video, w, h int) media.EncodeRequest {
	return media.EncodeRequest{
		Path: req.Output, Width: w, Height: h, Bits: v.Bits,
		FrameRate: v.FrameRate, SAR: v.SAR, Color: v.Color, HDR10: v.HDR10,
		Codec: req.Encode.Codec, Encoder: req.Encode.Encoder, Preset: req.Encode.Preset, CRF: req.Encode.CRF,
		Layout: LayoutOf(req.Format), Yields: req.Depth.Model != job.Classic, // frames wait for the network
	}
}

// LayoutOf returns the stereo tag that goes with a format.
func LayoutOf(f job.Format) media.Layout {
	switch f {
	case job.FullSBS:
		return media.SideBySide
	case job.HalfSBS:
		return media.SideBySideHalf
	case job.FullTB:
		return media.TopBottom
	case job.HalfTB:
		return media.TopBottomHalf
	case job.CrossEyed:
		return media.RightLeft
	case job.VR180:
		return media.Equirect180
	}
	return media.Mono
}

// rendering is a decoded frame with its finished depth map and setting.
type rendering[T yuv.Sample] struct {
	frame *picture[T]
	depth depth.Map
	set   stereo.Setting
}

// reduction is a decoded frame with what the estimator and the stereographer see of it.
type reduction[T yuv.Sample] struct {
	frame     *picture[T]
	reduced   *depth.Picture
	attention *stereo.Attention
}

// run moves frames through decode → reduce → estimate → render → encode, each in a goroutine of its own, over
// short queues, so that all overlap and memory stays bounded.
func (w *work[T]) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	decoded := make(chan *picture[T], 2)
	reduced := make(chan reduction[T], 2)
	estimated := make(chan rendering[T], 1)
	rendered := make(chan *picture[T], 2)
	g.Go(func() error { defer close(decoded); return calm(func() error { return w.decode(ctx, decoded) }) })
	g.Go(func() error {
		defer close(reduced)
		return calm(func() error { return w.reduce(ctx, decoded, reduced) })
	})
	g.Go(func() error {
		defer close(estimated)
		return calm(func() error { return w.estimate(ctx, reduced, estimated) })
	})
	g.Go(func() error {
		defer close(rendered)
		return calm(func() error { return w.render(ctx, estimated, rendered) })
	})
	g.Go(func() error { return calm(func() error { return w.encode(rendered) }) })
	return g.Wait()
}

// Fault is a panic in a conversion, as an error: one bad clip must not end the program, and what it converts beside that.
type Fault struct {
	Value any
	stack string
}

// Error is one line.
func (f *Fault) Error() string {
	line, _, _ := strings.Cut(fmt.Sprint(f.Value), "\n")
	return "a fault in the program: " + line
}

// Stack says where it was.
func (f *Fault) Stack() string { return fmt.Sprintf("%v\n\n%s", f.Value, f.stack) }

// calm turns a panic of do into a *Fault.
func calm(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Fault{v, string(debug.Stack())}
		}
	}()
	return do()
}

// send hands v on unless the work has ended.
func send[V any](ctx context.Context, to chan<- V, v V) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *work[T]) decode(ctx context.Context, out chan<- *picture[T]) error {
	for {
		p := w.sources.get()
		err := w.reader.ReadFrame(p.raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := send(ctx, out, p); err != nil {
			return err
		}
	}
}

// reduce makes the estimator's pictures.
func (w *work[T]) reduce(ctx context.Context, in <-chan *picture[T], out chan<- reduction[T]) error {
	number := w.number
	for p := range in {
		r := reduction[T]{frame: p, reduced: w.reducer.Reduce(p.frame, nil)}
		r.reduced.Number = number
		if w.req.Stereo.AutoConvergence {
			r.attention = stereo.Attend(r.reduced)
		}
		number++
		if err := send(ctx, out, r); err != nil {
			return err
		}
	}
	return nil
}

// estimate pairs every frame with its depth map and its setting. They come Support frames late, so frames wait in a
// queue, in display order; those of the lead-in and lead-out end there.
func (w *work[T]) estimate(ctx context.Context, in <-chan reduction[T], out chan<- rendering[T]) error {
	q := &lobby[T]{work: w, index: -w.span.lead, out: out}
	for r := range in {
		q.waiting = append(q.waiting, reduction[T]{frame: r.frame, attention: r.attention}) // the estimator keeps what it needs
		ready, err := w.est.Push(r.reduced)
		if err != nil {
			return err
		}
		if err := q.estimated(ctx, ready); err != nil {
			return err
		}
	}
	ready, err := w.est.Flush()
	if err != nil {
		return err
	}
	if err := q.estimated(ctx, ready); err != nil {
		return err
	}
	return q.taken(ctx, w.director.Flush())
}

func (w *work[T]) render(ctx context.Context, in <-chan rendering[T], out chan<- *picture[T]) error {
	pace := pace{workers: w.workers}
	for r := range in {
		dst := w.outputs.get()
		w.renderer.Set(r.set)
		w.renderer.Use(pace.begin(time.Now()))
		if err := w.renderer.Render(dst.frame, r.frame.frame, &r.depth); err != nil {
			return err
		}
		pace.end(time.Now())
		w.sources.put(r.frame)
		if err := send(ctx, out, dst); err != nil {
			return err
		}
	}
	return nil
}

func (w *work[T]) encode(in <-chan *picture[T]) error {
	n := 0
	for p := range in {
		if err := w.encoder.WriteFrame(p.raw); err != nil {
			return err
		}
		w.outputs.put(p)
		n++
		if w.req.Progress != nil {
			w.req.Progress(n)
		}
	}
	return nil
}
