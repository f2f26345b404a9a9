package media

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// FilmRequest is a made-up film to be written: pictures from a function, sound from a slice.
type FilmRequest struct {
	Path          string // an .mp4 file; replaced when the film is whole
	Width, Height int    // even
	FrameRate     int
	Frames        int
	// Draw fills buf with frame i: yuv420p, tightly packed, BT.709 in video range.
	Draw func(i int, buf []byte) error
	// Sound is mono at SoundRate; empty for a silent film.
	Sound []int16
}

// SoundRate is the sampling rate of FilmRequest.Sound, in hertz.
const SoundRate = 48000

// WriteFilm writes a made-up film as H.264 and AAC in MP4, to try StereoSpot on.
func WriteFilm(ctx context.Context, r FilmRequest) (err error) {
	args := []string{
		"-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", strconv.Itoa(r.Width) + "x" + strconv.Itoa(r.Height),
		"-r", strconv.Itoa(r.FrameRate), "-i", "pipe:0",
	}
	if len(r.Sound) > 0 {
		scratch, err := NewScratch()
		if err != nil {
			return err
		}
		defer scratch.Close()
		wav := filepath.Join(scratch.Dir, "sound.wav")
		if err := writeWAV(wav, r.Sound); err != nil {
			return err
		}
		args = append(append(args, inputArgs(wav)...), "-c:a", "aac", "-b:a", "128k")
	}
	args = append(args, "-c:v", "libx264", "-preset", "medium", "-crf", "16", "-bf", "2", "-pix_fmt", "yuv420p",
		"-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
		"-fflags", "+bitexact", "-movflags", "+faststart", "-f", "mp4", "-y")
	tmp, err := os.CreateTemp(filepath.Dir(r.Path), "."+filepath.Base(r.Path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = r.encode(ctx, append(args, fileURL(tmp.Name())))
	}
	if err == nil {
		err = os.Rename(tmp.Name(), r.Path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// encode has FFmpeg encode what is drawn.
func (r FilmRequest) encode(ctx context.Context, args []string) error {
	p := ffmpegCommand(r.Path, args...)
	in, err := p.stdinPipe()
	if err != nil {
		return err
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	drawn := r.draw(in)
	return errors.Join(drawn, in.Close(), p.wait())
}

func (r FilmRequest) draw(to io.Writer) error {
	buf := make([]byte, r.Width*r.Height*3/2)
	for i := range r.Frames {
		if err := r.Draw(i, buf); err != nil {
			return err
		}
		if _, err := to.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// writeWAV writes mono 16-bit samples as RIFF WAVE (Microsoft, "Multimedia Programming Interface and
// Data Specifications 1.0").
func writeWAV(path string, samples []int16) error {
	le := binary.LittleEndian
	data := uint32(len(samples) * 2)
	b := le.AppendUint32([]byte("RIFF"), 36+data)
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1) // PCM
	b = le.AppendUint16(b, 1) // channels
	b = le.AppendUint32(b, SoundRate)
	b = le.AppendUint32(b, SoundRate*2) // bytes per second
	b = le.AppendUint16(b, 2)           // bytes per sample of all channels
	b = le.AppendUint16(b, 16)          // bits
	b = append(b, "data"...)
	b = le.AppendUint32(b, data)
	for _, s := range samples {
		b = le.AppendUint16(b, uint16(s))
	}
	return os.WriteFile(path, b, 0o644)
}
