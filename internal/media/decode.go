package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// ErrFrameCount is in the chain of errors that say that a decoder gave more or fewer frames than planned.
var ErrFrameCount = errors.New("frame count differs from the plan")

// SegmentFile is a segment file that Split wrote.
type SegmentFile struct {
	path  string
	info  SegmentInfo
	times []int64 // of the frames that count, in display order, in milliseconds
	codec string  // of the packets, "" where GPUs have no decoder for it
	// resized says that frames are scaled to the size that info tells.
	resized bool
}

// OpenSegment reads what a segment file says about itself and checks that it holds the frames it speaks of.
func OpenSegment(ctx context.Context, path string) (*SegmentFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := readSegment(ctx, f)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // which says nothing of the file
	}
	if err != nil {
		return nil, &Error{Reason: fmt.Sprintf("%s is not a whole segment file: %v", filepath.Base(path), err), Err: err}
	}
	s.path = path
	return s, nil
}

func readSegment(ctx context.Context, r io.Reader) (*SegmentFile, error) {
	blocks := newBlockReader(r)
	s := &SegmentFile{}
	for {
		b, err := blocks.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		s.times = append(s.times, b.time)
	}
	if err := json.Unmarshal(blocks.tag, &s.info); err != nil {
		return nil, fmt.Errorf("its tag %s can't be read: %w", tagName, err)
	}
	if err := s.info.check(); err != nil {
		return nil, err
	}
	s.codec = codecOfTrack(blocks.head)
	slices.Sort(s.times)
	first, _ := slices.BinarySearch(s.times, s.info.Start)
	if s.times = s.times[first:]; len(s.times) < s.info.Frames {
		return nil, fmt.Errorf("it holds %d frames, not %d", len(s.times), s.info.Frames)
	}
	return s, nil
}

// codecOfTrack finds H.264 and HEVC in the description of the one track (RFC 9559, 27.3). A lossless segment has neither,
// whatever its source had.
func codecOfTrack(head []byte) string {
	for id, codec := range map[string]string{"V_MPEG4/ISO/AVC": "h264", "V_MPEGH/ISO/HEVC": "hevc"} {
		if bytes.Contains(head, []byte(id)) {
			return codec
		}
	}
	return ""
}

// check refuses what Split doesn't write, so that what follows can't be led astray.
func (i SegmentInfo) check() error {
	v := i.Video
	switch {
	case i.Index < 0 || i.Index >= i.Total || i.Frames < 1,
		i.LeadIn < 0 || i.LeadOut < 0 || i.Window.Frames < 1 || i.Window.First < i.LeadIn,
		i.LeadOut > i.Frames || i.Window.Frames > i.Frames || i.Window.First > i.Frames-i.Window.Frames-i.LeadOut:
		return fmt.Errorf("its tag %s speaks of frames that can't be", tagName)
	case v.CodedWidth < 1 || v.CodedHeight < 1 || v.CodedWidth > maxSide || v.CodedHeight > maxSide || v.CodedWidth*v.CodedHeight > maxPixels,
		v.Bits != 8 && v.Bits != 10, !slices.Contains([]int{0, 90, 180, 270}, v.Rotation),
		!slices.Contains([]string{"", "tv", "pc"}, v.Color.Range):
		return fmt.Errorf("its tag %s speaks of a video that can't be", tagName)
	}
	return nil
}

// Info returns what the file says about itself.
func (s *SegmentFile) Info() SegmentInfo { return s.info }

// Resize has Decode scale upright frames to a height in pixels; the width follows, and Info tells the new size. Both are even.
func (s *SegmentFile) Resize(height int) error {
	v := &s.info.Video
	w, h := int(math.Round(float64(v.Width)*float64(height)/float64(v.Height)/2))*2, height&^1
	if w < 2 || h < 2 || w > maxSide || h > maxSide || w*h > maxPixels {
		return &Error{Reason: fmt.Sprintf("%s: %d×%d pixels can't be scaled to a height of %d: that is %d×%d", s.path, v.Width, v.Height, height, w, h)}
	}
	v.Width, v.Height, s.resized = w, h, true
	return nil
}

// Decode decodes frames [first, first+frames) of the file, in the numbering of Info().Window.
func (s *SegmentFile) Decode(ctx context.Context, first, frames int) (*FrameReader, error) {
	return s.decode(ctx, first, frames, bySoftware(s.info.Video))
}

// DecodeOnGPU is Decode on a GPU. What goes wrong is an ErrGPU, also where its first frame isn't software's.
func (s *SegmentFile) DecodeOnGPU(ctx context.Context, first, frames int) (*FrameReader, error) {
	witness, err := s.Decode(ctx, first, 1)
	if err != nil {
		return nil, err
	}
	r, err := s.decode(ctx, first, frames, byGPU(s.info.Video))
	if err != nil {
		return nil, errors.Join(err, witness.Close())
	}
	r.witness = witness
	return r, nil
}

func (s *SegmentFile) decode(ctx context.Context, first, frames int, by decoding) (*FrameReader, error) {
	if first < 0 || frames < 1 || first+frames > s.info.Frames {
		return nil, fmt.Errorf("decode frames %d to %d of %d", first, first+frames, s.info.Frames)
	}
	v := s.info.Video
	p := ffmpegCommand(s.path, s.decodeArgs(first, frames, by)...)
	out, err := p.stdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	r := newFrameReader(p, out, v, frames)
	if s.resized {
		r.setSize(v.Width, v.Height)
	}
	return r, nil
}

// decoding is a way to decode a video.
type decoding struct {
	options []string // of FFmpeg, for its input
	filters string   // that bring frames into format
	format  string   // FFmpeg's name of how samples are stored
}

func bySoftware(v Video) decoding {
	d := decoding{[]string{"-threads", strconv.Itoa(decodeThreads())}, conversion(v), processedFormat(v)}
	if v.PixelFormat == "yuvj420p" {
		d.format = v.PixelFormat
	}
	return d
}

func byGPU(v Video) decoding { return decoding{gpuArgs(), fromGPU(v), processedFormat(v)} }

func (s *SegmentFile) decodeArgs(first, frames int, by decoding) []string {
	v := s.info.Video
	args := append([]string{"-copyts"}, inputArgs(s.path, append(by.options, strictArgs(v)...)...)...)
	return append(args, "-map", "0:v:0", "-vf", joinFilters(s.selection(first, frames), by.filters, upright(v), s.resizing()),
		"-fps_mode", "passthrough", "-pix_fmt", by.format, "-f", "rawvideo", "pipe:1")
}

// resizing returns the filter that scales upright frames, or "".
func (s *SegmentFile) resizing() string {
	if !s.resized {
		return ""
	}
	v := s.info.Video
	r := v.Color.Range
	if r == "" {
		r = "tv"
	}
	return fmt.Sprintf("scale=%d:%d:flags=lanczos+accurate_rnd+full_chroma_int:in_range=%s:out_range=%s", v.Width, v.Height, r, r)
}

// selection returns the filter that keeps frames [first, first+frames): it cuts halfway between timestamps, in ticks.
func (s *SegmentFile) selection(first, frames int) string {
	trim := "trim=start_pts=" + strconv.FormatInt(s.boundary(first), 10)
	if end := first + frames; end < len(s.times) {
		trim += ":end_pts=" + strconv.FormatInt(s.boundary(end), 10)
	}
	return "settb=1/1000," + trim
}

// boundary returns a timestamp between frame i and the one before it. Frames are at least minDistance apart.
func (s *SegmentFile) boundary(i int) int64 {
	if i == 0 {
		return s.times[0] - minDistance/2
	}
	return s.times[i-1] + (s.times[i]-s.times[i-1]+1)/2
}

// FrameReader gives a segment's decoded frames one by one. It is not safe for concurrent use; Close may be called at any time.
type FrameReader struct {
	p        *process
	out      io.ReadCloser
	stored   geometry // what FFmpeg writes
	even     geometry // what ReadFrame gives
	expected int
	given    int
	scratch  []byte
	witness  *FrameReader // of a GPU's frames: the first, by software
}

func newFrameReader(p *process, out io.ReadCloser, v Video, frames int) *FrameReader {
	r := &FrameReader{p: p, out: out, expected: frames}
	w, h := v.CodedWidth, v.CodedHeight
	if v.Rotation%180 != 0 {
		w, h = h, w
	}
	r.stored.bytes = (v.Bits + 7) / 8
	r.setSize(w, h)
	return r
}

// setSize says how large the frames are that FFmpeg writes.
func (r *FrameReader) setSize(w, h int) {
	r.stored.width, r.stored.height, r.scratch = w, h, nil
	r.even = geometry{width: (w + 1) &^ 1, height: (h + 1) &^ 1, bytes: r.stored.bytes}
	if r.even != r.stored {
		r.scratch = make([]byte, r.stored.size())
	}
}

// FrameBytes is the length of the buffer that ReadFrame fills: planes Y, U, V, tightly packed, 8-bit or 16-bit little-endian samples.
func (r *FrameReader) FrameBytes() int { return r.even.size() }

// ReadFrame reads the next frame into buf, which has FrameBytes bytes. After the last frame it gives io.EOF. It
// fails with an error that wraps ErrFrameCount when the decoder gives fewer or more frames than planned.
func (r *FrameReader) ReadFrame(buf []byte) error {
	if len(buf) != r.even.size() {
		return fmt.Errorf("frame buffer of %d bytes, want %d", len(buf), r.even.size())
	}
	err := r.readFrame(buf)
	if err != nil && err != io.EOF && r.witness != nil {
		return fmt.Errorf("%w: %w", ErrGPU, err)
	}
	return err
}

func (r *FrameReader) readFrame(buf []byte) error {
	if r.given == r.expected {
		return r.finish()
	}
	target := buf
	if r.scratch != nil {
		target = r.scratch
	}
	if _, err := io.ReadFull(r.out, target); err != nil {
		if err := r.p.wait(); err != nil {
			return err
		}
		return r.countError(strconv.Itoa(r.given))
	}
	if r.scratch != nil {
		r.stored.pad(buf, r.scratch)
	}
	r.given++
	if r.given == 1 && r.witness != nil {
		return r.compare(buf)
	}
	return nil
}

// compare holds the first frame against the witness's.
func (r *FrameReader) compare(frame []byte) error {
	want := make([]byte, len(frame))
	if err := r.witness.ReadFrame(want); err != nil {
		return err
	}
	if !bytes.Equal(frame, want) {
		return fmt.Errorf("%s: its first frame is not the one that software gives", r.p.about)
	}
	return r.witness.Close()
}

// finish checks that the decoder has nothing more to give and no complaint.
func (r *FrameReader) finish() error {
	var more [1]byte
	if n, _ := r.out.Read(more[:]); n > 0 {
		return r.p.fail(r.countError("more"))
	}
	if err := r.p.wait(); err != nil {
		return err
	}
	if r.witness != nil {
		if err := gpuTrouble(r.p.warnings()); err != nil {
			return err
		}
	}
	return io.EOF
}

func (r *FrameReader) countError(got string) error {
	return &Error{Reason: fmt.Sprintf("%s: the decoder gave %s frames where %d were planned", r.p.about, got, r.expected), Err: ErrFrameCount}
}

// Close ends the decoder and frees what it holds. It may be called twice.
func (r *FrameReader) Close() error {
	r.p.kill(errClosed)
	r.out.Close()
	_ = r.p.wait() // it was told to stop; ReadFrame reports what matters
	if r.witness != nil {
		return r.witness.Close()
	}
	return nil
}

var errClosed = errors.New("frame reader is closed")

// geometry is the layout of planar 4:2:0 frames.
type geometry struct{ width, height, bytes int }

func (g geometry) size() int { return yuv.Size(g.width, g.height) * g.bytes }

// pad copies a frame with an odd width or height and repeats luma's last column or row. Chroma covers it already.
func (g geometry) pad(to, from []byte) {
	row := g.width * g.bytes
	evenRow := (g.width + 1) &^ 1 * g.bytes
	at := 0
	for y := range g.height {
		at += copy(to[at:], from[y*row:(y+1)*row])
		if evenRow > row {
			at += copy(to[at:], from[(y+1)*row-g.bytes:(y+1)*row])
		}
	}
	if g.height%2 != 0 {
		at += copy(to[at:], to[at-evenRow:at])
	}
	copy(to[at:], from[g.height*row:])
}
