package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// EncodeRequest describes one encoded segment.
type EncodeRequest struct {
	Path          string // of the MP4 to write; overwritten
	Width, Height int    // pixels of a frame
	Bits          int    // 8 or 10
	FrameRate     Rational
	SAR           Rational
	Color         Color
	HDR10         *HDR10
	Codec         string // "h264" or "hevc"; with Encoder as ChooseEncoder returns them
	Encoder       string
	Preset        string // empty: medium or its likeness
	CRF           int    // 0 (lossless) to 51; negative: the codec's default
	Layout        Layout
	// Yields has the encoder leave the processor to whoever wants it too, and hold fewer frames back: where frames come
	// slowly, what makes them is what everybody waits for. The bytes are the same.
	Yields bool
}

// largest frame sides that encoders take, in pixels.
const maxEncodedSide = 16384

// Encoder writes one MP4 that holds only video: frame i stands at tick i of a constant clock. The true
// timestamps are applied when segments are joined.
type Encoder struct {
	path    string
	size    int // bytes of a frame
	process *process
	in      io.WriteCloser
	frames  int
}

// NewEncoder starts an encoder. End it with Close or Abort.
func NewEncoder(ctx context.Context, r EncodeRequest) (*Encoder, error) {
	if r.Width > maxEncodedSide || r.Height > maxEncodedSide {
		return nil, &Error{Reason: fmt.Sprintf("a frame of %d×%d is larger than encoders take (%d): use --format half-sbs, half-tb or anaglyph",
			r.Width, r.Height, maxEncodedSide)}
	}
	if codecOf(r.Encoder) == "" {
		return nil, fmt.Errorf("encoder %q is not settled", r.Encoder)
	}
	format, sample := "yuv420p", 1
	if r.Bits > 8 {
		format, sample = "yuv420p10le", 2
	}
	r.FrameRate = sane(r.FrameRate, Rational{Num: 25, Den: 1})
	args := hardwareArgs(r.Encoder)
	args = append(args,
		"-f", "rawvideo", "-pix_fmt", format, "-s", fmt.Sprintf("%dx%d", r.Width, r.Height),
		"-r", r.FrameRate.String(), "-i", "pipe:0", "-an", "-sn", "-dn",
		"-vf", encoderFilters(r, format), "-fps_mode", "passthrough")
	args = append(args, encoderArgs(r)...)
	args = append(args, colorArgs(r.Color)...)
	args = append(args,
		"-video_track_timescale", strconv.FormatInt(r.FrameRate.Num, 10), "-fflags", "+bitexact", "-flags:v", "+bitexact",
		"-map_metadata", "-1", "-f", "mp4", "-y", fileURL(r.Path))
	e := &Encoder{path: r.Path, size: (r.Width*r.Height + 2*((r.Width+1)/2)*((r.Height+1)/2)) * sample, process: ffmpegCommand(r.Path, args...)}
	e.process.yields = r.Yields
	var err error
	if e.in, err = e.process.stdinPipe(); err != nil {
		return nil, err
	}
	if err := e.process.start(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// WriteFrame encodes one frame: planes Y, U, V tightly packed, 16-bit little-endian samples when Bits is 10.
// When FFmpeg has ended, the error says why it did.
func (e *Encoder) WriteFrame(buf []byte) error {
	if len(buf) != e.size {
		return fmt.Errorf("a frame of %d bytes, want %d", len(buf), e.size)
	}
	if _, err := e.in.Write(buf); err != nil {
		e.in.Close()
		if why := e.process.wait(); why != nil {
			return why
		}
		return diskError(err)
	}
	e.frames++
	return nil
}

// Close ends the stream, waits for the file and returns how many frames went into it. After an error there is no file.
func (e *Encoder) Close() (frames int, err error) {
	err = errors.Join(e.in.Close(), e.process.wait())
	if err != nil {
		return 0, errors.Join(err, e.remove())
	}
	return e.frames, nil
}

// Abort ends the encoder at once and removes its file.
func (e *Encoder) Abort() {
	e.process.kill(errAborted)
	_, _ = e.Close() // it is being thrown away: what it says doesn't matter
}

var errAborted = errors.New("encoding was aborted")

func (e *Encoder) remove() error {
	if err := os.Remove(e.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
