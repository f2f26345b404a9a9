package media

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// family is a kind of encoder that takes the same options.
type family struct {
	suffix string // of FFmpeg's encoder names: h264_nvenc
	// rate returns the options for constant quality and speed preset.
	rate func(crf int, preset string) []string
}

var families = []family{
	{"_nvenc", func(crf int, preset string) []string {
		return []string{"-rc", "vbr", "-cq", strconv.Itoa(crf), "-b:v", "0", "-preset", orElse(preset, "p5")}
	}},
	{"_qsv", func(crf int, preset string) []string {
		return []string{"-global_quality", strconv.Itoa(max(crf, 1)), "-preset", orElse(preset, "medium")}
	}},
	{"_vaapi", func(crf int, _ string) []string { return []string{"-rc_mode", "CQP", "-qp", strconv.Itoa(crf)} }},
	// VideoToolbox counts quality upwards to 100.
	{"_videotoolbox", func(crf int, _ string) []string { return []string{"-q:v", strconv.Itoa(100 - crf*100/51)} }},
}

// vaapiDevice is the first GPU that Linux offers for encoding.
const vaapiDevice = "/dev/dri/renderD128"

// hardwareArgs opens what an encoder needs beside itself.
func hardwareArgs(encoder string) []string {
	if strings.HasSuffix(encoder, "_vaapi") {
		return []string{"-vaapi_device", vaapiDevice}
	}
	return nil
}

// encoderFilters sets the shape of pixels, which encoders and muxers take from the frames, and brings frames of the given
// format into the form that the encoder reads: hardware reads interleaved chroma, VAAPI in its own memory.
func encoderFilters(r EncodeRequest, format string) string {
	filters := fmt.Sprintf("setsar=%d/%d", max(r.SAR.Num, 1), max(r.SAR.Den, 1))
	hardware := r.Encoder != "libx264" && r.Encoder != "libx265"
	switch {
	case hardware && r.Bits > 8:
		format = "p010le"
	case hardware:
		format = "nv12"
	}
	filters += ",format=" + format
	if strings.HasSuffix(r.Encoder, "_vaapi") {
		filters += ",hwupload"
	}
	return filters
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// defaultCRF is the quality that people who choose none get: next to transparent on film-like sources.
func defaultCRF(codec string) int {
	if codec == "hevc" {
		return 20
	}
	return 18
}

// codecOf returns the codec that an encoder's name tells, or "".
func codecOf(encoder string) string {
	switch {
	case encoder == "libx264" || strings.HasPrefix(encoder, "h264_"):
		return "h264"
	case encoder == "libx265" || strings.HasPrefix(encoder, "hevc_"):
		return "hevc"
	}
	return ""
}

// What a person may call an encoder without naming one.
const (
	AutoEncoder = "auto" // software's, which gives the same bytes on every run and every machine
	GPUEncoder  = "gpu"  // NVENC where it works on this machine, else as auto
)

// ChooseEncoder settles what a person left open: an empty codec is hevc for 10 bits, else h264, and the
// encoder of auto or gpu is one for that codec. It fails with an *Error when this FFmpeg lacks the encoder.
func ChooseEncoder(ctx context.Context, codec, encoder string, bits int) (string, string, error) {
	encoder = orElse(encoder, AutoEncoder)
	if encoder != AutoEncoder && encoder != GPUEncoder {
		implied := codecOf(encoder)
		if implied == "" || codec != "" && codec != implied {
			return "", "", &Error{Reason: fmt.Sprintf("encoder %s can't be used for %s: use libx264, libx265, gpu, or one like h264_nvenc or hevc_nvenc",
				encoder, orElse(codec, "h264 or hevc"))}
		}
		codec = implied
	}
	if codec == "" {
		codec = "h264"
		if bits > 8 {
			codec = "hevc"
		}
	}
	if nvenc := codec + "_nvenc"; encoder == GPUEncoder && tryEncoder(ctx, codec, nvenc, bits) == nil {
		return codec, nvenc, nil
	}
	if encoder == AutoEncoder || encoder == GPUEncoder {
		encoder = map[string]string{"h264": "libx264", "hevc": "libx265"}[codec]
	}
	return codec, encoder, checkEncoder(ctx, encoder)
}

// tryEncoder encodes a few frames as NewEncoder would, and returns why that can't be done.
func tryEncoder(ctx context.Context, codec, encoder string, bits int) error {
	ctx, cancel := context.WithTimeout(ctx, gpuPatience)
	defer cancel()
	r := EncodeRequest{Codec: codec, Encoder: encoder, Bits: bits, FrameRate: Rational{25, 1}, CRF: -1}
	args := append(hardwareArgs(encoder), "-f", "lavfi", "-i", "testsrc2=s=320x192:r=25", "-frames:v", "8", "-vf", encoderFilters(r, ""))
	_, err := ffmpegCommand(encoder, append(append(args, encoderArgs(r)...), "-f", "null", "-")...).output(ctx, 1)
	return err
}

// checkEncoder looks the encoder up in FFmpeg's own list.
func checkEncoder(ctx context.Context, encoder string) error {
	out, err := ffmpegCommand("FFmpeg", "-encoders").output(ctx, 1<<20)
	if err != nil {
		return err
	}
	if lists(string(out), encoder) {
		return nil
	}
	return &Error{Reason: fmt.Sprintf("this FFmpeg lacks the encoder %s: choose another with --encoder", encoder)}
}

// encoderArgs returns the options of the request's encoder.
func encoderArgs(r EncodeRequest) []string {
	crf := r.CRF
	if crf < 0 {
		crf = defaultCRF(r.Codec)
	}
	// A keyframe at least every 250 frames: seeking stays quick, and every segment begins with one anyway.
	args := []string{"-c:v", r.Encoder, "-g", strconv.Itoa(min(250, max(1, int(2*r.FrameRate.Float()+0.5))))}
	switch r.Encoder {
	case "libx264":
		args = append(args, x264Args(r, crf)...)
	case "libx265":
		args = append(args, x265Args(r, crf)...)
	default:
		i := slices.IndexFunc(families, func(f family) bool { return strings.HasSuffix(r.Encoder, f.suffix) })
		if i >= 0 {
			args = append(args, families[i].rate(crf, r.Preset)...)
		}
	}
	if r.Codec == "hevc" {
		args = append(args, "-tag:v", "hvc1") // the sample entry that Apple's players want
	}
	return args
}

// Frames that an encoder works on at once shape its output, and by default the machine's cores set their number. It
// is fixed here, so that a segment has the same bytes whatever it is made on and beside.
const (
	x264Threads      = "6"
	x265FrameThreads = 2
)

// x264Args: crf 0 is lossless at 8 bits by x264's own meaning, and -qp 0 is at 10.
func x264Args(r EncodeRequest, crf int) []string {
	args := []string{"-preset", orElse(r.Preset, "medium"), "-threads", x264Threads}
	if crf == 0 {
		args = append(args, "-qp", "0")
	} else {
		args = append(args, "-crf", strconv.Itoa(crf))
	}
	params := []string{"stitchable=1"} // no header depends on the pictures: segments are joined under one
	if r.Yields {
		// It looks ahead as far as ever, but in the thread that takes the frames: one of its own needs frames in store.
		params = append(params, "sync-lookahead=0")
	}
	// Frame packing arrangement SEI (ITU-T H.264, D.2.26): 3 is side by side, 4 top and bottom.
	switch r.Layout {
	case SideBySideHalf:
		params = append(params, "frame-packing=3")
	case TopBottomHalf:
		params = append(params, "frame-packing=4")
	}
	return append(args, "-x264-params", strings.Join(params, ":"))
}

// x265Args carries HDR10 metadata in the stream itself, at every keyframe, for players that don't read the
// container's. x265 has no option to write the frame packing message; for HEVC the container's tag alone
// says how the views lie. Its groups of pictures are closed, so that every seek shows whole pictures.
func x265Args(r EncodeRequest, crf int) []string {
	// info=0: the message that x265 leaves in the stream names the machine's processor.
	params := []string{"log-level=error", "info=0", "open-gop=0", fmt.Sprintf("frame-threads=%d", x265FrameThreads)}
	if crf == 0 {
		params = append(params, "lossless=1")
	}
	if h := r.HDR10; h != nil {
		params = append(params, hdr10Params(h)...)
	}
	return []string{"-preset", orElse(r.Preset, "medium"), "-crf", strconv.Itoa(crf), "-x265-params", strings.Join(params, ":")}
}

// hdr10Params writes ST 2086 and CTA-861.3 data in x265's units, which are those of HDR10.
func hdr10Params(h *HDR10) []string {
	params := []string{"hdr10=1", "hdr10-opt=0", "repeat-headers=1"}
	if h.HasMastering {
		params = append(params, fmt.Sprintf("master-display=G(%d,%d)B(%d,%d)R(%d,%d)WP(%d,%d)L(%d,%d)",
			h.Green[0], h.Green[1], h.Blue[0], h.Blue[1], h.Red[0], h.Red[1], h.White[0], h.White[1], h.MaxLuminance, h.MinLuminance))
	}
	if h.MaxCLL > 0 || h.MaxFALL > 0 {
		params = append(params, fmt.Sprintf("max-cll=%d,%d", h.MaxCLL, h.MaxFALL))
	}
	return params
}

// colorArgs tags the encoded stream.
func colorArgs(c Color) []string {
	var args []string
	for _, tag := range []struct{ option, value string }{
		{"-color_range", c.Range}, {"-color_primaries", c.Primaries}, {"-color_trc", c.Transfer},
		{"-colorspace", c.Matrix}, {"-chroma_sample_location", c.ChromaLocation},
	} {
		if tag.value != "" {
			args = append(args, tag.option, tag.value)
		}
	}
	return args
}
