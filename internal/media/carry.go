package media

import (
	"fmt"
	"slices"
	"strings"
)

// Fate is what becomes of a source's stream in the output.
type Fate string

// The fates.
const (
	Converted Fate = "converted" // the video that becomes 3D
	Copied    Fate = "copied"    // the same packets
	Rewritten Fate = "rewritten" // text subtitles, in the container's own text format
	LeftOut   Fate = "left out"
)

// CarriedStream says what becomes of one stream.
type CarriedStream struct {
	Index    int    `json:"index"`
	Kind     string `json:"kind"`
	Codec    string `json:"codec"`
	Language string `json:"language,omitempty"`
	Fate     Fate   `json:"fate"`
	Reason   string `json:"reason,omitempty"` // why it is rewritten or left out
}

func (c CarriedStream) String() string {
	text := c.Kind + " " + c.Codec
	if c.Language != "" && c.Language != "und" {
		text += " (" + c.Language + ")"
	}
	text += ": " + string(c.Fate)
	if c.Reason != "" {
		text += ", " + c.Reason
	}
	return text
}

// What FFmpeg 5.1 muxes into MP4 (its list of MP4 codec tags), and the text formats it converts to MP4's.
var (
	mp4Sound   = []string{"aac", "ac3", "alac", "dts", "eac3", "flac", "mp2", "mp3", "opus", "truehd", "vorbis"}
	textCodecs = []string{"ass", "mov_text", "ssa", "subrip", "text", "webvtt"}
	// bitmapCodecs are subtitles that Matroska holds as they are.
	bitmapCodecs = []string{"dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle"}
	// styledCodecs lose fonts, colours and places as MP4's text.
	styledCodecs = []string{"ass", "ssa", "webvtt"}
)

// AutoContainer returns "mp4", or "mkv" where the source has sound that MP4 can't hold: sound matters more than
// the habit.
func AutoContainer(src *Source) string {
	for _, s := range src.Streams {
		if s.Kind == "audio" && !slices.Contains(mp4Sound, s.Codec) {
			return "mkv"
		}
	}
	return "mp4"
}

// Carry says of every stream what becomes of it in the container ("mp4" or "mkv"), and warns in plain words of
// what is lost.
func Carry(src *Source, container string) (streams []CarriedStream, warnings []string) {
	for _, s := range src.Streams {
		c := CarriedStream{Index: s.Index, Kind: s.Kind, Codec: s.Codec, Language: s.Language}
		c.Fate, c.Reason = fate(src, s, container)
		streams = append(streams, c)
		if c.Reason != "" {
			warnings = append(warnings, fmt.Sprintf("stream %d, %s", c.Index, c))
		}
	}
	return streams, warnings
}

func fate(src *Source, s Stream, container string) (Fate, string) {
	mkv := container == "mkv"
	switch s.Kind {
	case "video":
		return videoFate(src, s)
	case "audio":
		if !mkv && !slices.Contains(mp4Sound, s.Codec) {
			return LeftOut, "MP4 can't hold it: use --container mkv"
		}
		return Copied, ""
	case "subtitle":
		return subtitleFate(s, mkv)
	case "attachment":
		if !mkv {
			return LeftOut, "MP4 has no attachments: use --container mkv"
		}
		return Copied, ""
	}
	return LeftOut, "only picture, sound and subtitles are carried"
}

func videoFate(src *Source, s Stream) (Fate, string) {
	switch {
	case s.Index == src.Video.Stream:
		return Converted, ""
	case s.AttachedPic:
		return LeftOut, "it is a cover picture of the flat film"
	}
	return LeftOut, "one video stream is converted"
}

func subtitleFate(s Stream, mkv bool) (Fate, string) {
	switch {
	case slices.Contains(textCodecs, s.Codec):
		switch {
		case mkv && s.Codec == "mov_text":
			return Rewritten, "" // plain text either way: nothing is lost
		case mkv:
			return Copied, ""
		case slices.Contains(styledCodecs, s.Codec):
			return Rewritten, "without its styling: --container mkv keeps it"
		case s.Codec == "mov_text":
			return Copied, ""
		}
		return Rewritten, ""
	case slices.Contains(bitmapCodecs, s.Codec):
		if !mkv {
			return LeftOut, "MP4 can't hold subtitles that are pictures: use --container mkv"
		}
		return Copied, ""
	}
	return LeftOut, strings.TrimSpace("no container here can hold " + s.Codec)
}

// carried returns the streams of a kind that go into the output, in order.
func carried(src *Source, container string) []CarriedStream {
	all, _ := Carry(src, container)
	return slices.DeleteFunc(all, func(c CarriedStream) bool { return c.Fate != Copied && c.Fate != Rewritten })
}
