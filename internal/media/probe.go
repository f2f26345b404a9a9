package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Limits of what is taken as video.
const (
	maxSide   = 16384
	maxPixels = 64 << 20
	// maxProbeOutput bounds ffprobe's description of a source: tags and streams, never media.
	maxProbeOutput = 16 << 20
	// probePackets are decoded for what only the first frame tells, such as HDR10 metadata.
	probePackets = 8
)

// Probe measures what a file holds. It fails with an *Error when the file can't be read, is no video
// or is one that can't be converted.
func Probe(ctx context.Context, path string) (*Source, error) {
	size, err := checkFile(path)
	if err != nil {
		return nil, err
	}
	report, err := runProbe(ctx, path, "-show_format", "-show_streams", "-show_chapters",
		"-show_frames", "-read_intervals", fmt.Sprintf("%%+#%d", probePackets))
	if err != nil {
		return nil, clarify(path, err)
	}
	src := report.source(path, size)
	stream, err := report.pick(src)
	if err != nil {
		return nil, err
	}
	frame := report.firstFrame(stream.Index)
	if frame == nil {
		// Sound came first: ask for this stream alone.
		more, err := runProbe(ctx, path, "-select_streams", fmt.Sprint(stream.Index), "-show_frames", "-read_intervals", fmt.Sprintf("%%+#%d", probePackets))
		if err != nil {
			return nil, err
		}
		frame = more.firstFrame(stream.Index)
	}
	src.describe(stream, frame)
	if err := src.refuse(); err != nil {
		if cut := checkWhole(src); cut != nil {
			return nil, cut // too little is left to tell what it was
		}
		return nil, err
	}
	return src, nil
}

// name is what messages call the source.
func (s *Source) name() string { return filepath.Base(s.Path) }

// videoStream returns the stream that is converted.
func (s *Source) videoStream() Stream {
	for _, st := range s.Streams {
		if st.Index == s.Video.Stream {
			return st
		}
	}
	return Stream{}
}

// CheckFile returns an *Error when path is not a file that could hold a video: before any work starts.
func CheckFile(path string) error {
	_, err := checkFile(path)
	return err
}

// checkFile tells apart what FFmpeg reports alike, and returns the file's size in bytes.
func checkFile(path string) (int64, error) {
	name := filepath.Base(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, &Error{Reason: name + " does not exist", Err: err, Transient: true}
	case err != nil:
		return 0, &Error{Reason: fmt.Sprintf("%s can't be opened: %v", name, errors.Unwrap(err)), Err: err}
	case info.IsDir():
		return 0, &Error{Reason: name + " is a directory: name a video file"}
	case !info.Mode().IsRegular():
		return 0, &Error{Reason: name + " is not a regular file: copy the video to a file first"}
	case info.Size() == 0:
		return 0, &Error{Reason: name + " is empty"}
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, &Error{Reason: fmt.Sprintf("%s can't be opened: %v", name, errors.Unwrap(err)), Err: err}
	}
	return info.Size(), f.Close()
}

// clarify replaces what FFmpeg says of a file that it takes for a movie only because of its name.
func clarify(path string, err error) error {
	f, openErr := os.Open(path)
	if openErr != nil {
		return err
	}
	defer f.Close()
	b := header(f, 0)
	boxes := []string{"ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp", "uuid"}
	if strings.Contains(err.Error(), "moov") && (len(b) < 8 || !slices.Contains(boxes, string(b[4:8]))) {
		return &Error{Reason: filepath.Base(path) + " is not a video that StereoSpot can read", Err: err}
	}
	return err
}

func runProbe(ctx context.Context, path string, options ...string) (*probeReport, error) {
	p := ffprobeCommand(path, append(options, append([]string{"-of", "json"}, inputArgs(path)...)...)...)
	data, err := p.output(ctx, maxProbeOutput)
	if err != nil {
		return nil, err
	}
	return parseReport(data)
}

// source takes over everything but the video's description.
func (r *probeReport) source(path string, size int64) *Source {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	s := &Source{
		Path: path, Size: size, Format: r.Format.Name, Start: float64(r.Format.Start),
		Duration: float64(r.Format.Duration), Chapters: len(r.Chapters), Tags: r.Format.Tags,
	}
	for _, st := range r.Streams {
		s.Streams = append(s.Streams, Stream{
			Index: st.Index, ID: st.ID, Kind: st.Kind, Codec: st.Codec, TimeBase: Rational(st.TimeBase), Language: st.Tags["language"],
			Title: st.Tags["title"], Channels: st.Channels, SampleRate: int(st.SampleRate),
			AttachedPic: st.Disposition["attached_pic"] != 0, Tags: st.Tags,
		})
	}
	return s
}

// pick chooses the video stream: the default one, else the first; cover pictures are not video.
func (r *probeReport) pick(src *Source) (*probeStream, error) {
	var chosen *probeStream
	for i, st := range r.Streams {
		if st.Kind != "video" || st.Disposition["attached_pic"] != 0 || st.Disposition["still_image"] != 0 {
			continue
		}
		if chosen == nil || chosen.Disposition["default"] == 0 && st.Disposition["default"] != 0 {
			chosen = &r.Streams[i]
		}
	}
	if chosen != nil {
		return chosen, nil
	}
	holds := "no video"
	if slices.ContainsFunc(r.Streams, func(st probeStream) bool { return st.Kind == "audio" }) {
		holds = "sound but no video"
	}
	return nil, &Error{Reason: fmt.Sprintf("%s holds %s", src.name(), holds)}
}

// describe fills in the video from its stream and, where the container is silent, from its first frame (which may be nil).
func (s *Source) describe(st *probeStream, frame *probeFrame) {
	if frame == nil {
		frame = new(probeFrame)
	}
	v := Video{
		Stream: st.Index, Codec: st.Codec, CodedWidth: st.Width, CodedHeight: st.Height,
		PixelFormat: said(st.PixelFormat, frame.PixelFormat), TimeBase: Rational(st.TimeBase),
		FrameRate: sane(Rational(st.AverageRate), Rational(st.RealRate)), FieldOrder: said(st.FieldOrder),
		Color: Color{
			Range: said(st.ColorRange, frame.ColorRange), Primaries: said(st.ColorPrimaries, frame.ColorPrimaries),
			Transfer: said(st.ColorTransfer, frame.ColorTransfer), Matrix: said(st.ColorSpace, frame.ColorSpace),
			ChromaLocation: said(st.ChromaLocation, frame.ChromaLocation),
		},
	}
	v.Bits = processedBits(v.PixelFormat)
	v.Color = processedColor(v.Color, v.PixelFormat)
	v.HDR10 = hdr10(slices.Concat(frame.SideData, st.SideData))
	for _, d := range st.SideData {
		if strings.HasPrefix(d.Type, "DOVI") {
			v.DolbyVision = true
			s.Warnings = append(s.Warnings, "Dolby Vision: the dynamic layer is lost, the base layer is converted")
		}
		if d.Type == "Display Matrix" {
			var exact bool
			if v.Rotation, v.Flip, exact = parseDisplayMatrix(d.DisplayMatrix); !exact {
				s.Warnings = append(s.Warnings, fmt.Sprintf("the picture is marked as turned by %v degrees, which is not a quarter turn: it is left as stored", d.Rotation))
			}
		}
	}
	v.SAR = squareUnlessSaid(Rational(st.SampleAspect))
	v.Width, v.Height = v.CodedWidth, v.CodedHeight
	if v.Rotation%180 != 0 {
		v.Width, v.Height = v.Height, v.Width
		v.SAR = Rational{Num: v.SAR.Den, Den: v.SAR.Num}
	}
	v.Width, v.Height = (v.Width+1)&^1, (v.Height+1)&^1
	if v.FieldOrder != "" && v.FieldOrder != "progressive" {
		s.Warnings = append(s.Warnings, "the video is interlaced: its frames are converted as they are, without deinterlacing")
	}
	s.Video = v
}

// refuse returns why the video can't be converted, or nil.
func (s *Source) refuse() error {
	v := s.Video
	no := func(format string, args ...any) error {
		return &Error{Reason: s.name() + " " + fmt.Sprintf(format, args...)}
	}
	switch {
	case v.CodedWidth <= 0 || v.CodedHeight <= 0:
		return no("holds a video stream without a picture size: it is damaged or not finished")
	case v.CodedWidth > maxSide || v.CodedHeight > maxSide:
		return no("is too large: %d×%d, at most %d pixels on a side can be converted", v.CodedWidth, v.CodedHeight, maxSide)
	case v.CodedWidth*v.CodedHeight > maxPixels:
		return no("is too large: %d×%d, at most %d megapixels can be converted", v.CodedWidth, v.CodedHeight, maxPixels>>20)
	case v.Codec == "" || v.PixelFormat == "":
		return no("holds %s video of which no frame can be decoded: it is damaged, or this FFmpeg lacks the codec", said(v.Codec, "unknown"))
	case v.TimeBase.Num <= 0 || v.TimeBase.Den <= 0:
		return no("has no clock: its video has no time base")
	}
	return nil
}

// said returns the first value that says something.
func said(values ...string) string {
	for _, v := range values {
		if v != "" && v != "unknown" && v != "unspecified" && v != "reserved" {
			return v
		}
	}
	return ""
}

// sane returns the first rate between 1 and 240 frames per second, or the zero value: then the
// timestamps tell.
func sane(rates ...Rational) Rational {
	for _, r := range rates {
		if f := r.Float(); r.Num > 0 && f >= 1 && f <= 240 {
			return r
		}
	}
	return Rational{}
}

func squareUnlessSaid(r Rational) Rational {
	if r.Num <= 0 || r.Den <= 0 {
		return Rational{Num: 1, Den: 1}
	}
	return r
}

var deepFormat = regexp.MustCompile(`(9|10|12|14|16|32|48|64)(le|be)$`)

// processedBits returns 10 for every pixel format with more than 8 bits, else 8.
func processedBits(pixelFormat string) int {
	if deepFormat.MatchString(pixelFormat) {
		return 10
	}
	return 8
}

// processedColor returns the tags of the 4:2:0 frames that a source of this pixel format becomes: RGB
// turns into BT.709 limited range, grey and the "j" formats are full range unless said otherwise.
func processedColor(c Color, pixelFormat string) Color {
	switch {
	case isRGB(pixelFormat):
		c.Range, c.Matrix = "tv", "bt709"
	case c.Range == "" && (strings.HasPrefix(pixelFormat, "yuvj") || strings.HasPrefix(pixelFormat, "gray") || strings.HasPrefix(pixelFormat, "ya")):
		c.Range = "pc"
	}
	return c
}

func isRGB(pixelFormat string) bool {
	return strings.Contains(pixelFormat, "rgb") || strings.Contains(pixelFormat, "bgr") ||
		strings.HasPrefix(pixelFormat, "gbr") || strings.HasPrefix(pixelFormat, "bayer") || pixelFormat == "pal8" ||
		strings.HasPrefix(pixelFormat, "mono") || strings.HasPrefix(pixelFormat, "xyz")
}
