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
	codec    string // FFmpeg's encoder, where it is rewritten
}

func (c CarriedStream) String() string {
	text := strings.TrimSpace(c.Kind + " " + c.Codec)
	if c.Language != "" && c.Language != "und" {
		text += " (" + c.Language + ")"
	}
	text += ": " + string(c.Fate)
	if c.Reason != "" {
		text += ", " + c.Reason
	}
	return text
}

// What FFmpeg 5.1 muxes, found by trying. Vorbis in MP4 is left out: it has no registered form there, so
// hardly anything plays it.
var (
	mp4Sound = []string{"aac", "ac3", "alac", "dts", "eac3", "flac", "mp2", "mp3", "opus", "truehd"}
	mkvSound = append([]string{
		"adpcm_g722", "adpcm_ima_wav", "adpcm_ms", "adpcm_yamaha", "cook", "mlp", "mp1", "pcm_alaw", "pcm_f32le", "pcm_f64le", "pcm_mulaw",
		"pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_u8", "ra_288", "sipr", "speex", "tta",
		"vorbis", "wavpack", "wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice",
	}, mp4Sound...)
	// plainSound are uncompressed formats that Matroska lacks, and the ones of it that hold the same samples.
	plainSound = map[string]string{
		"pcm_bluray": "pcm_s24le", "pcm_dvd": "pcm_s24le", "s302m": "pcm_s24le", "pcm_s8": "pcm_u8", "pcm_s8_planar": "pcm_u8",
		"pcm_f32be": "pcm_f32le", "pcm_f64be": "pcm_f64le", "pcm_s16le_planar": "pcm_s16le", "pcm_s16be_planar": "pcm_s16le",
		"pcm_s24le_planar": "pcm_s24le", "pcm_s32le_planar": "pcm_s32le",
	}
	textCodecs = []string{"ass", "mov_text", "ssa", "subrip", "text", "webvtt"}
	// bitmapCodecs are subtitles that Matroska holds as they are.
	bitmapCodecs = []string{"dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle"}
	// styledCodecs lose fonts, colours and places as MP4's text.
	styledCodecs = []string{"ass", "ssa", "webvtt"}
	// coverCodecs are pictures that MP4's tags hold; Matroska attaches them as files.
	coverCodecs = []string{"mjpeg", "png"}
)

func mkvHolds(codec string) bool {
	return slices.Contains(mkvSound, codec) || plainSound[codec] != ""
}

// AutoContainer returns "mp4", or "mkv" where the source has sound that only Matroska can hold: sound matters more
// than the habit.
func AutoContainer(src *Source) string {
	for _, s := range src.Streams {
		if s.Kind == "audio" && !slices.Contains(mp4Sound, s.Codec) && mkvHolds(s.Codec) {
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
		if c.Fate == Rewritten {
			c.codec = rewrittenAs(s, container)
		}
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
		return soundFate(s, mkv)
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

// rewrittenAs returns FFmpeg's encoder for a stream that is rewritten.
func rewrittenAs(s Stream, container string) string {
	switch {
	case s.Kind == "audio":
		return plainSound[s.Codec]
	case container == "mkv":
		return "srt"
	}
	return "mov_text"
}

func soundFate(s Stream, mkv bool) (Fate, string) {
	switch {
	case s.SampleRate == 0 || s.Channels == 0:
		return LeftOut, "its format can't be told: the stream is empty or damaged"
	case !mkv && slices.Contains(mp4Sound, s.Codec), mkv && slices.Contains(mkvSound, s.Codec):
		return Copied, ""
	case mkv && plainSound[s.Codec] != "":
		return Rewritten, "" // the same samples: nothing is lost
	case !mkv && mkvHolds(s.Codec):
		return LeftOut, "MP4 can't hold it: use --container mkv"
	}
	return LeftOut, "no container here can hold it: convert the sound of the source to FLAC or AAC first"
}

func videoFate(src *Source, s Stream) (Fate, string) {
	switch {
	case s.Index == src.Video.Stream:
		return Converted, ""
	case s.AttachedPic && slices.Contains(coverCodecs, s.Codec):
		return Copied, ""
	case s.AttachedPic:
		return LeftOut, "it is a cover picture that is neither JPEG nor PNG"
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
	return LeftOut, "no container here can hold it"
}

// carried returns the streams that go into the output, in order.
func carried(src *Source, container string) []CarriedStream {
	all, _ := Carry(src, container)
	return slices.DeleteFunc(all, func(c CarriedStream) bool { return c.Fate != Copied && c.Fate != Rewritten })
}
