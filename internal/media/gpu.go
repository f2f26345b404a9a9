package media

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Decoder says what decodes segments.
type Decoder string

// The decoders.
const (
	AutoDecoder     Decoder = "auto"     // CUDA where it gives software's frames, else software
	SoftwareDecoder Decoder = "software" // FFmpeg's own, which decodes everything
	CUDADecoder     Decoder = "cuda"     // that a GPU decodes is wanted: see Require
)

// ErrGPU is in the chain of errors of decoding that a GPU may be to blame for: software may decode the same clip.
var ErrGPU = errors.New("the GPU failed to decode")

// GPU is this machine's NVIDIA GPU as FFmpeg decodes on it. What it can do is tried, once for each kind of video: a
// made-up clip must give the frames that software gives. Safe for concurrent use; a nil GPU decodes nothing.
type GPU struct {
	say      func(text string) // hears what people should know
	patience time.Duration     // with a test

	mu       sync.Mutex
	tested   map[kind]error // nil: its frames are software's
	failures int            // of clips
}

// NewGPU returns the GPU of this machine, or nil where software is to decode. say may be called from any goroutine.
func NewGPU(d Decoder, say func(text string)) *GPU {
	if d != AutoDecoder && d != CUDADecoder {
		return nil
	}
	return &GPU{say: say, patience: gpuPatience, tested: map[kind]error{}}
}

// gpuPatience bounds a test: a driver that has just been loaded takes seconds.
const gpuPatience = 20 * time.Second

// mostFailures is how many clips a GPU may fail at before it is left alone.
const mostFailures = 3

// Decodes reports whether a segment should be tried on the GPU. The first segment of a kind waits for the test.
func (g *GPU) Decodes(ctx context.Context, s *SegmentFile) bool {
	if g == nil || !slices.Contains(kinds(), s.kind()) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failures < mostFailures && g.works(ctx, s.kind()) == nil
}

// works returns nil for a kind that the GPU decodes.
func (g *GPU) works(ctx context.Context, k kind) error {
	for _, k := range []kind{device, k} {
		err, known := g.tested[k]
		if !known {
			err = k.test(ctx, g.patience)
			if ctx.Err() != nil {
				return context.Cause(ctx) // which says nothing of the GPU
			}
			if g.tested[k] = err; err == nil && k != device {
				g.say(fmt.Sprintf("decoding: %s on the GPU (CUDA)", k))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Require returns an *Error that says why the GPU decodes nothing, if that is so.
func (g *GPU) Require(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, k := range kinds() {
		err := g.works(ctx, k)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return &Error{Reason: fmt.Sprintf("--decoder cuda doesn't work here: %v", errs[0]), Err: errors.Join(errs...), Transient: true}
}

// Failed notes that a clip had to be left to software.
func (g *GPU) Failed(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures++
	g.say(fmt.Sprintf("decoding again in software: %v", err))
	if g.failures == mostFailures {
		g.say("decoding in software from now on")
	}
}

// kind is a kind of video that GPUs have decoders for. H.264 and HEVC prescribe every bit of a frame.
type kind struct {
	codec string
	bits  int
}

// device stands for CUDA itself.
var device = kind{}

func kinds() []kind { return []kind{{"h264", 8}, {"hevc", 8}, {"hevc", 10}} }

func (k kind) String() string { return fmt.Sprintf("%s, %d bits,", k.codec, k.bits) }

// kind returns the segment's, device where GPUs have no decoder.
func (s *SegmentFile) kind() kind {
	v := s.info.Video
	if s.codec != v.Codec || v.PixelFormat != processedFormat(v) && v.PixelFormat != "yuvj420p" {
		return device
	}
	return kind{v.Codec, v.Bits}
}

// test returns nil when the GPU decodes the kind as software does.
func (k kind) test(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, &Error{Reason: fmt.Sprintf("the GPU's test took longer than %v", patience)})
	defer cancel()
	if k == device {
		_, err := ffmpegCommand("CUDA", "-init_hw_device", "cuda=gpu", "-f", "lavfi", "-i", "nullsrc=s=16x16", "-frames:v", "1", "-f", "null", "-").output(ctx, 1)
		return err
	}
	clip, err := k.clip(ctx)
	if err != nil {
		return err
	}
	v := Video{Codec: k.codec, Bits: k.bits}
	v.PixelFormat = processedFormat(v)
	want, err := framesSum(ctx, clip, v, strictArgs(v), "null")
	if err != nil {
		return err
	}
	got, err := framesSum(ctx, clip, v, append(gpuArgs(), strictArgs(v)...), fromGPU(v))
	if err == nil && got != want {
		err = &Error{Reason: fmt.Sprintf("the GPU decodes %s other than software does", k.codec)}
	}
	return err
}

// clip makes a Matroska file of the kind, with frames that are stored in another order than they are shown in.
func (k kind) clip(ctx context.Context) ([]byte, error) {
	encoder := map[string][]string{
		"h264": {"libx264", "-x264-params", "bframes=2"}, "hevc": {"libx265", "-x265-params", "log-level=error:bframes=2"},
	}[k.codec]
	args := []string{"-f", "lavfi", "-i", "testsrc2=s=320x192:r=25", "-frames:v", "16", "-pix_fmt", processedFormat(Video{Bits: k.bits}),
		"-g", "8", "-preset", "veryfast", "-c:v"}
	args = append(append(args, encoder...), "-f", "matroska", "pipe:1")
	return ffmpegCommand("CUDA", args...).output(ctx, 4<<20)
}

// framesSum returns a hash of the frames that a clip decodes to.
func framesSum(ctx context.Context, clip []byte, v Video, options []string, filters string) (string, error) {
	args := append(slices.Clone(options), "-protocol_whitelist", "pipe", "-format_whitelist", "matroska", "-i", "pipe:0")
	args = append(args, "-vf", filters, "-fps_mode", "passthrough", "-pix_fmt", processedFormat(v), "-f", "md5", "pipe:1")
	p := ffmpegCommand("CUDA", args...)
	in, err := p.stdinPipe()
	if err != nil {
		return "", err
	}
	go func() {
		_, _ = in.Write(clip) // what FFmpeg doesn't take, it has a reason for
		in.Close()
	}()
	sum, err := p.output(ctx, 1<<10)
	return string(sum), err
}

// gpuArgs has FFmpeg's own decoder give the slices of its pictures to the GPU; order, cropping and timestamps stay its own
// work. More threads would only hold more of the GPU's pictures, of which it has few.
func gpuArgs() []string {
	return []string{"-threads", "1", "-hwaccel", "cuda", "-hwaccel_output_format", "cuda"}
}

// fromGPU returns the filters that bring the GPU's frames into the processed format; frames that are not in its memory fail.
func fromGPU(v Video) string {
	stored := "nv12"
	if v.Bits > 8 {
		stored = "p010le"
	}
	r := orElse(v.Color.Range, "tv")
	return fmt.Sprintf("hwdownload,format=%s,scale=flags=accurate_rnd+full_chroma_int:in_range=%s:out_range=%s,format=%s", stored, r, r, processedFormat(v))
}

// gpuComplaints are what FFmpeg says when frames of a GPU were lost or may be wrong; it goes on then.
var gpuComplaints = []string{"hardware accelerator failed", "cuvid", "decoder surfaces", "CUDA_ERROR"}

// gpuTrouble returns an error where FFmpeg's messages complain of the GPU.
func gpuTrouble(messages string) error {
	for _, c := range gpuComplaints {
		if strings.Contains(messages, c) {
			return fmt.Errorf("FFmpeg says: %s", lastLine(messages, ErrGPU))
		}
	}
	return nil
}
