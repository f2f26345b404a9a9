package job

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Eyes says which views are synthesised.
type Eyes string

// The values of Eyes.
const (
	BothEyes Eyes = "both"  // each view moves by half of the disparity
	RightEye Eyes = "right" // the left view is the source untouched, the right view moves by all of it
)

// Container is the file format of the final video.
type Container string

// The containers. AutoContainer is MP4 unless the source has sound that MP4 can't carry.
const (
	AutoContainer Container = "auto"
	MP4           Container = "mp4"
	MKV           Container = "mkv"
)

// StereoOptions shape the two views.
type StereoOptions struct {
	// Divergence is the total disparity between depth 0 and depth 1, in percent of max(width, height). [0, 10]
	Divergence float64 `json:"divergence"`
	// Convergence is the depth in [0, 1] that lies in the screen plane: nearer comes out of the screen.
	Convergence float64 `json:"convergence"`
	// AutoConvergence lays the subject in the screen plane, whatever Convergence says.
	AutoConvergence bool `json:"auto_convergence"`
	Eyes            Eyes `json:"eyes"`
	// ForegroundScale bends the depth curve: positive values spread what is near, negative ones what is far. [-3, 3]
	ForegroundScale float64 `json:"foreground_scale"`
	// MaxNear and MaxFar hold disparity in front of and behind the screen below so many percent of max(width, height);
	// 0 is no limit. [0, 10]
	MaxNear float64 `json:"max_near"`
	MaxFar  float64 `json:"max_far"`
	// FloatingWindow moves the window's edges forward where they cut near things, by masking one eye's border.
	FloatingWindow bool `json:"floating_window"`
	// EdgeDilation lets near things reach so many cells of the depth map further over far ones. [0, 8]
	EdgeDilation float64        `json:"edge_dilation"`
	Anaglyph     AnaglyphMethod `json:"anaglyph"`
}

// validate calls bad with every problem.
func (s StereoOptions) validate(bad func(format string, args ...any)) {
	for _, v := range []struct {
		name       string
		is, lo, hi float64
	}{
		{"divergence", s.Divergence, 0, 10}, {"convergence", s.Convergence, 0, 1}, {"foreground scale", s.ForegroundScale, -3, 3},
		{"largest parallax in front", s.MaxNear, 0, 10}, {"largest parallax behind", s.MaxFar, 0, 10},
		{"edge dilation", s.EdgeDilation, 0, 8},
	} {
		if !(v.is >= v.lo && v.is <= v.hi) { // written so that NaN fails too
			bad("%s is %v: use a number from %v to %v", v.name, v.is, v.lo, v.hi)
		}
	}
	if s.Eyes != BothEyes && s.Eyes != RightEye {
		bad("eyes is %q: use both or right", s.Eyes)
	}
	if !slices.Contains(AnaglyphMethods(), s.Anaglyph) {
		bad("anaglyph method is %q: use dubois, color, half-color or gray", s.Anaglyph)
	}
}

// Depth sources that are no models.
const (
	Classic   = "classic" // needs none
	AutoDepth = "auto"    // the best that is here; settled before a job starts
)

// DepthOptions choose where depth comes from. What follows Model is for neural models alone.
type DepthOptions struct {
	Model string `json:"model"` // Classic, or the name or path of a neural model
	// Content is the SHA-256 of the model, hexadecimal: results of different models are never mixed.
	Content string `json:"content,omitempty"`
	// Size is the shorter side of the picture that the model sees, in pixels; 0 is the model's own.
	Size int `json:"size,omitempty"`
	// Every has the model see only every n-th frame of the film; 0 and 1 are all.
	Every int `json:"every,omitempty"`
	// Flip averages the depth of the picture and of the mirrored one.
	Flip bool `json:"flip,omitempty"`
	// Orientation says what larger values of the model mean, where the model doesn't.
	Orientation Orientation `json:"orientation,omitempty"`
}

// Settles reports whether d is what the choice asked may have become when it was settled: a model has its content
// then, and AutoDepth is a model or Classic.
func (d DepthOptions) Settles(asked DepthOptions) bool {
	if asked.Content == "" {
		d.Content = ""
	}
	if asked.Model == AutoDepth {
		d.Model = AutoDepth
	}
	return d == asked
}

// Orientation is what a larger value of a model's output means.
type Orientation string

// The orientations.
const (
	AutoOrientation Orientation = ""     // as the model says; near where it says nothing
	LargerIsNear    Orientation = "near" // relative inverse depth
	LargerIsFar     Orientation = "far"  // distance
)

// Limits of DepthOptions.
const (
	LeastDepthSize = 56
	MostDepthSize  = 2072
	MostDepthEvery = 12
)

// validate calls bad with every problem.
func (d DepthOptions) validate(bad func(format string, args ...any)) {
	if d.Model == "" {
		bad("depth source is empty: use classic")
	}
	if d.Size != 0 && (d.Size < LeastDepthSize || d.Size > MostDepthSize) {
		bad("depth size is %d: use %d to %d, or 0 for the model's own", d.Size, LeastDepthSize, MostDepthSize)
	}
	if d.Every < 0 || d.Every > MostDepthEvery {
		bad("depth every is %d: use 1 (all frames) to %d", d.Every, MostDepthEvery)
	}
	if !slices.Contains([]Orientation{AutoOrientation, LargerIsNear, LargerIsFar}, d.Orientation) {
		bad("depth orientation is %q: use near or far", d.Orientation)
	}
	if d.Model == Classic && d != (DepthOptions{Model: Classic}) {
		bad("a size, every, flip (--tta) or orientation of depth needs a neural model: classic has none of them")
	}
}

// EncodeOptions shape the encoded video.
type EncodeOptions struct {
	Codec   string `json:"codec"`   // "h264" or "hevc"; empty follows the source (hevc for 10-bit, else h264)
	Encoder string `json:"encoder"` // "auto" or "gpu", until they are settled, or an FFmpeg encoder's name, such as "libx264"
	// CRF is the encoder's constant quality, 0 (lossless) to 51; negative means the codec's default here.
	CRF    int    `json:"crf"`
	Preset string `json:"preset"` // the encoder's own preset name; empty means "medium" or its likeness
	// Height is that of the picture before views are made of it, in pixels; the width follows. 0 leaves it as it is.
	Height    int       `json:"height,omitempty"`
	Container Container `json:"container"`
}

// Options are everything a person chooses about one conversion. The zero value is not valid; start from DefaultOptions.
type Options struct {
	Format Format        `json:"format"`
	Stereo StereoOptions `json:"stereo"`
	Depth  DepthOptions  `json:"depth"`
	Encode EncodeOptions `json:"encode"`
	// Start and Duration choose a part of the source, in seconds. Duration 0 means to the end.
	Start    float64 `json:"start,omitempty"`
	Duration float64 `json:"duration,omitempty"`
	// SegmentFrames is the largest number of frames in one segment.
	SegmentFrames int `json:"segment_frames"`
}

// DefaultSegmentFrames is one minute at 24 frames per second: long enough that a segment's start-up
// costs little, short enough for the hour that an asynchronous inference call may take.
const DefaultSegmentFrames = 1440

// DefaultOptions returns what a person who chooses nothing gets.
func DefaultOptions() Options {
	return Options{
		Format:        FullSBS,
		Stereo:        Standard.Stereo(StereoOptions{Eyes: BothEyes, Anaglyph: Dubois}),
		Depth:         DepthOptions{Model: Classic},
		Encode:        EncodeOptions{Encoder: "auto", CRF: -1, Container: AutoContainer},
		SegmentFrames: DefaultSegmentFrames,
	}
}

// Validate returns every problem with o joined into one error, or nil.
func (o Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, err := ParseFormat(string(o.Format)); err != nil {
		errs = append(errs, err)
	}
	o.Stereo.validate(bad)
	o.Depth.validate(bad)
	if !slices.Contains([]string{"", "h264", "hevc"}, o.Encode.Codec) {
		bad("codec is %q: use h264 or hevc", o.Encode.Codec)
	}
	if o.Encode.CRF > 51 {
		bad("crf is %d: use 0 (lossless) to 51", o.Encode.CRF)
	}
	if o.Encode.Height != 0 && (o.Encode.Height < 16 || o.Encode.Height > 8192) {
		bad("height is %d: use 16 to 8192 pixels, or 0 for the source's", o.Encode.Height)
	}
	if !slices.Contains([]Container{AutoContainer, MP4, MKV}, o.Encode.Container) {
		bad("container is %q: use auto, mp4 or mkv", o.Encode.Container)
	}
	if !(o.Start >= 0) || math.IsInf(o.Start, 0) {
		bad("start is %v: use seconds from 0", o.Start)
	}
	if !(o.Duration >= 0) || math.IsInf(o.Duration, 0) {
		bad("duration is %v: use seconds above 0, or leave it out", o.Duration)
	}
	if o.SegmentFrames < 1 || o.SegmentFrames > 1<<20 {
		bad("segment frames is %d: use 1 to %d", o.SegmentFrames, 1<<20)
	}
	return errors.Join(errs...)
}
