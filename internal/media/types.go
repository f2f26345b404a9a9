// Package media is the only place that runs FFmpeg and ffprobe: it measures a source, plans and
// writes its segments, decodes and encodes clips, and joins the converted segments with the
// source's sound into the final file.
package media

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Rational is an exact fraction, such as a time base (seconds per tick) or a frame rate.
type Rational struct {
	Num int64 `json:"num"`
	Den int64 `json:"den"`
}

// Float returns the fraction's value, or 0 when Den is 0.
func (r Rational) Float() float64 {
	if r.Den == 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

func (r Rational) String() string { return fmt.Sprintf("%d/%d", r.Num, r.Den) }

// Color holds the tags that say what the code values mean, in FFmpeg's names; empty = not said.
type Color struct {
	Range          string `json:"range,omitempty"`     // "tv" or "pc"
	Primaries      string `json:"primaries,omitempty"` // such as "bt709"
	Transfer       string `json:"transfer,omitempty"`  // such as "smpte2084"
	Matrix         string `json:"matrix,omitempty"`    // such as "bt2020nc"
	ChromaLocation string `json:"chroma_location,omitempty"`
}

// HDR10 is static HDR metadata: SMPTE ST 2086 mastering display and CTA-861.3 light levels.
type HDR10 struct {
	// Red, Green, Blue and White are CIE xy chromaticities in units of 0.00002.
	Red, Green, Blue, White [2]int64
	// MinLuminance and MaxLuminance are in units of 0.0001 cd/m².
	MinLuminance, MaxLuminance int64
	HasMastering               bool
	// MaxCLL and MaxFALL are in cd/m²; both 0 when the source doesn't say.
	MaxCLL, MaxFALL int64
}

// Stream is one stream of a source as ffprobe tells it.
type Stream struct {
	Index       int               `json:"index"`
	ID          string            `json:"id,omitempty"` // the container's own, such as "0x100"
	Kind        string            `json:"kind"`         // "video", "audio", "subtitle", "data", "attachment"
	Codec       string            `json:"codec"`
	TimeBase    Rational          `json:"time_base"`
	Language    string            `json:"language,omitempty"`
	Title       string            `json:"title,omitempty"`
	Channels    int               `json:"channels,omitempty"`
	SampleRate  int               `json:"sample_rate,omitempty"`
	AttachedPic bool              `json:"attached_pic,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// Video describes the one video stream that is converted, as the worker will decode it.
type Video struct {
	Stream int    `json:"stream"` // its index in the source
	Codec  string `json:"codec"`
	// CodedWidth and CodedHeight are the stored size; Width and Height the size of the frames that the
	// decoder here hands out: upright (rotation applied) and made even by repeating the last column or row.
	CodedWidth  int `json:"coded_width"`
	CodedHeight int `json:"coded_height"`
	Width       int `json:"width"`
	Height      int `json:"height"`
	// Rotation is the clockwise turn, 0, 90, 180 or 270 degrees, that makes the stored picture upright; Flip mirrors
	// it left-right afterwards.
	Rotation int  `json:"rotation,omitempty"`
	Flip     bool `json:"flip,omitempty"`
	// SAR is the sample aspect ratio of the upright picture; 1:1 when not said.
	SAR         Rational `json:"sar"`
	PixelFormat string   `json:"pixel_format"` // as stored, such as "yuv420p10le"
	Bits        int      `json:"bits"`         // as processed: 8 or 10
	TimeBase    Rational `json:"time_base"`
	FrameRate   Rational `json:"frame_rate"` // average, for the encoder's rate control
	Color       Color    `json:"color"`
	HDR10       *HDR10   `json:"hdr10,omitempty"`
	FieldOrder  string   `json:"field_order,omitempty"` // "progressive" or empty when not interlaced
	DolbyVision bool     `json:"dolby_vision,omitempty"`
}

// Source is what a file holds.
type Source struct {
	Path     string   `json:"path"`
	Format   string   `json:"format"` // FFmpeg's demuxer name, such as "mov,mp4,m4a,3gp,3g2,mj2"
	Size     int64    `json:"size"`   // bytes
	Start    float64  `json:"start"`  // seconds, the container's start time
	Duration float64  `json:"duration"`
	Video    Video    `json:"video"`
	Streams  []Stream `json:"streams"` // every stream, the converted video included
	Chapters int      `json:"chapters"`
	// Warnings are lines for people about what can't be kept as it is.
	Warnings []string          `json:"warnings,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// Timeline is the packet table of a source, read once.
type Timeline struct {
	// PTS holds the presentation timestamp of every frame in display order, in ticks of Video.TimeBase.
	PTS []int64
	// LastDuration is how long the last frame stands, in the same ticks.
	LastDuration int64
	// Order holds the decode order: Order[i] is the position of frame i's packet among the video's
	// packets, counted from 0 in the order in which they are stored.
	Order []int32
	// Entries are where a decoder may start such that the entry's frame and all after it (in display
	// order) decode exactly; ascending. The first is frame 0.
	Entries []Entry
	// NotCopyable is empty when segments may be stream copies; otherwise it says why they can't be proven
	// exact. PTS then holds the frames that a decoder gave, and Order and Entries count frames.
	NotCopyable string
	// Packets counts the packets of every stream, by stream index.
	Packets map[int]int

	table *packetTable // of a copyable source
}

// Entry is a frame at which decoding may start.
type Entry struct {
	Frame  int // display index
	Packet int // where to start feeding the decoder, in decode order
}

// Segment is one planned piece: frames [First, First+Frames) of the plan's frames.
type Segment struct {
	Index  int `json:"index"`
	First  int `json:"first"`
	Frames int `json:"frames"`
	// FileFirst and FileFrames are the frames that the segment file lets a decoder recover: its own plus
	// lead-in (from an entry point at or before) and lead-out, in the same numbering. FileFirst is negative
	// when the plan starts inside the source and the entry point lies before it.
	FileFirst  int `json:"file_first"`
	FileFrames int `json:"file_frames"`
	// FileStart is the presentation timestamp of frame FileFirst, in ticks; what is shown earlier is no
	// frame of the file.
	FileStart int64 `json:"file_start"`
	// PacketFirst and Packets are the source's video packets (in decode order; for a lossless plan: its
	// decoded frames) that the file is made of.
	PacketFirst int `json:"packet_first"`
	Packets     int `json:"packets"`
}

// Window is where a segment's own frames lie among the frames of its file.
type Window struct {
	First  int `json:"first"`
	Frames int `json:"frames"`
}

// Window returns where s's own frames lie in its file.
func (s Segment) Window() Window { return Window{First: s.First - s.FileFirst, Frames: s.Frames} }

// Layout is how views lie in a converted frame, for the tags and messages that players read.
type Layout string

// The layouts. Mono carries no stereo tag.
const (
	Mono           Layout = ""
	SideBySide     Layout = "side_by_side"      // left | right, full resolution
	SideBySideHalf Layout = "side_by_side_half" // left | right, squeezed
	TopBottom      Layout = "top_bottom"
	TopBottomHalf  Layout = "top_bottom_half"
	RightLeft      Layout = "right_left"     // right | left: cross-eyed
	Equirect180    Layout = "equirect180_lr" // left | right, half-equirectangular (VR180)
)

// Error is a failure that a person can act on: one line that says why and what to do.
type Error struct {
	Reason string // such as "film.mkv ends too early: the container promises more than the file holds"
	Err    error  // the cause, for the log; may be nil
	// Transient says that the machine was in trouble rather than the file: trying again may help. Where the disk
	// was full, syscall.ENOSPC is in the chain.
	Transient bool
}

func (e *Error) Error() string { return e.Reason }
func (e *Error) Unwrap() error { return e.Err }

// Rename returns an *Error in err's tree with a file's name as people know it instead of the one at path, such as that
// of an object in a store. Other errors stay as they are.
func Rename(err error, path, name string) error {
	bad := new(Error)
	if !errors.As(err, &bad) {
		return err
	}
	reason := strings.ReplaceAll(err.Error(), filepath.Base(path), name)
	return &Error{Reason: reason, Err: err, Transient: bad.Transient}
}
