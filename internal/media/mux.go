package media

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// muxing is one run of FFmpeg that writes the final file: the video comes through a pipe, everything else
// from the source.
type muxing struct {
	AssembleRequest
	streams []CarriedStream // of the source, as they follow the video in the output
	track   *videoTrack
	covers  []cover
	delays  []int64 // of each sound stream in Matroska, in milliseconds: see measureDelays
	rewrite bool    // the index is moved to the front in a second pass
}

// run feeds the video to FFmpeg while it muxes, and returns the sound packets that it took from the source.
func (m *muxing) run(ctx context.Context) ([]soundTrack, error) {
	p := ffmpegCommand(m.Output, m.args()...)
	in, err := p.stdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.stdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	written := make(chan error, 1)
	go func() { written <- errors.Join(m.track.writeTo(in), in.Close()) }()
	sound, readErr := readSound(out)
	if readErr != nil {
		p.kill(readErr)
	}
	writeErr := <-written
	if err := p.wait(); err != nil {
		return nil, err // it says why a write failed
	}
	return sound, errors.Join(readErr, writeErr)
}

// The inputs: the video, the source, and where there are subtitles the source again for them alone.
// FFmpeg reads on until each stream has a packet to offer; with an input of their own, subtitles that come
// seldom don't make it read far ahead in the sound.
const (
	videoInput = iota
	sourceInput
	subtitleInput
)

func (m *muxing) args() []string {
	args := []string{"-copyts", "-thread_queue_size", "64", "-protocol_whitelist", "pipe", "-f", "mov", "-i", "pipe:0"}
	if m.usesSource() {
		args = append(args, inputArgs(m.SourcePath, m.sourceOptions()...)...)
	}
	if m.holds("subtitle") {
		args = append(args, inputArgs(m.SourcePath, m.sourceOptions()...)...)
	}
	args = append(args, "-map", "0:v:0")
	for _, s := range m.streams {
		args = append(args, "-map", inputOf(s)+":"+strconv.Itoa(s.Index))
	}
	if m.usesSource() {
		args = append(args, "-map_metadata", strconv.Itoa(sourceInput), "-map_chapters", strconv.Itoa(sourceInput))
	}
	args = append(args, "-c", "copy")
	args = append(args, m.codecArgs()...)
	args = append(args, m.tagArgs()...)
	args = append(args, m.partArgs()...)
	args = append(args, timesKept...)
	args = append(args, "-fflags", "+bitexact", "-flags", "+bitexact", "-strict", "experimental")
	args = append(args, m.containerArgs()...)
	args = append(args, "-y", fileURL(m.Output))
	return append(args, m.soundArgs()...)
}

// timesKept lets packets from before 0 (an encoder's priming) through and moves nothing in time.
var timesKept = []string{"-copypriorss", "1", "-copyinkf", "-avoid_negative_ts", "disabled"}

func inputOf(s CarriedStream) string {
	if s.Kind == "subtitle" {
		return strconv.Itoa(subtitleInput)
	}
	return strconv.Itoa(sourceInput)
}

// usesSource reports whether the source has anything to give besides its picture.
func (m *muxing) usesSource() bool {
	src := &m.Plan.Source
	return len(m.streams) > 0 || src.Chapters > 0 || len(src.Tags) > 0
}

func (m *muxing) holds(kind string) bool {
	return slices.ContainsFunc(m.streams, func(s CarriedStream) bool { return s.Kind == kind })
}

// seekMargin is how long before a chosen part reading begins, in seconds: sound lies that far from its picture at most.
const seekMargin = 10

// sourceOptions move the source's clock so that the track's origin is 0, and begin reading near a chosen part.
func (m *muxing) sourceOptions() []string {
	options := []string{"-thread_queue_size", "64"}
	origin, base := m.track.clock.origin, m.Plan.TimeBase
	if origin != 0 {
		options = append(options, "-itsoffset", fmt.Sprintf("%dus", -rescale(origin, base.Num*1_000_000, base.Den)))
	}
	if from := float64(origin)*base.Float() - m.Plan.Source.Start - seekMargin; m.Plan.Partial && from > 0 {
		options = append(options, "-ss", fmt.Sprintf("%.6f", from))
	}
	return options
}

// codecArgs name the codecs of what is rewritten, and unwrap AAC as both containers want it.
func (m *muxing) codecArgs() []string {
	var args []string
	for i, s := range m.streams {
		if s.Fate == Rewritten {
			args = append(args, fmt.Sprintf("-c:%d", i+1), s.codec)
		}
	}
	return append(args, m.filterArgs(1)...)
}

// filterArgs returns bitstream filters for the sound and subtitles, of which the first is stream number first
// of the output. AAC loses its ADTS headers if it has them, and packets that begin before a chosen part are dropped.
func (m *muxing) filterArgs(first int) []string {
	var args []string
	sound := 0
	for i, s := range m.streams {
		var filters []string
		if s.Codec == "aac" {
			filters = append(filters, "aac_adtstoasc")
		}
		// Filters see timestamps in ticks of the output, but FFmpeg 5.1 tells them the input's time base: no seconds here.
		if m.Plan.Partial && (s.Kind == "audio" || s.Kind == "subtitle") {
			filters = append(filters, "noise=drop='lt(pts,0)'")
		}
		if s.Kind == "audio" {
			if sound < len(m.delays) && m.delays[sound] != 0 {
				filters = append(filters, fmt.Sprintf("setts=ts=TS+%d", m.delays[sound]))
			}
			sound++
		}
		if len(filters) > 0 {
			args = append(args, fmt.Sprintf("-bsf:%d", first+i), strings.Join(filters, ","))
		}
	}
	return args
}

// seconds is how long a chosen part lasts.
func (m *muxing) seconds() float64 {
	return float64(m.Plan.End()-m.track.clock.origin) * m.Plan.TimeBase.Float()
}

func (m *muxing) partArgs() []string {
	if !m.Plan.Partial {
		return nil
	}
	return []string{"-t", fmt.Sprintf("%.6f", m.seconds())}
}

// soundArgs ask for a second output: a line for each packet of sound, to hold the final file against.
func (m *muxing) soundArgs() []string {
	if !m.holds("audio") {
		return nil
	}
	return append(m.soundOnly(sourceInput), "-f", "framecrc", "pipe:1")
}

// soundOnly are the options of an output that holds the sound alone, from the given input, not yet delayed.
func (m *muxing) soundOnly(input int) []string {
	var args []string
	sound := &muxing{AssembleRequest: m.AssembleRequest, track: m.track}
	for _, s := range m.streams {
		if s.Kind == "audio" {
			args = append(args, "-map", fmt.Sprintf("%d:%d", input, s.Index))
			sound.streams = append(sound.streams, s)
		}
	}
	args = append(args, "-c", "copy")
	for i, s := range sound.streams {
		if s.Fate == Rewritten {
			args = append(args, fmt.Sprintf("-c:%d", i), s.codec)
		}
	}
	args = append(args, sound.filterArgs(0)...)
	args = append(args, m.partArgs()...)
	return append(args, timesKept...)
}

// tagArgs give the video the source video's language and title, and drop tags that speak of the source's
// container or of nothing.
func (m *muxing) tagArgs() []string {
	var args []string
	for _, key := range []string{"major_brand", "minor_version", "compatible_brands", "encoder", "timecode"} {
		args = append(args, "-metadata", key+"=")
	}
	video := m.Plan.Source.videoStream()
	for _, tag := range []struct{ key, value string }{{"language", video.Language}, {"title", video.Title}} {
		if tag.value != "" {
			args = append(args, "-metadata:s:v:0", tag.key+"="+tag.value)
		}
	}
	if m.Container == "mkv" {
		args = append(args, "-metadata:s:v", "vendor_id=", "-metadata:s:v", "handler_name=", "-metadata:s:a", "vendor_id=", "-metadata:s:a", "handler_name=")
	}
	return append(args, "-disposition:v:0", "default")
}

func (m *muxing) containerArgs() []string {
	if m.Container == "mkv" {
		args := append(m.matroskaStereo(), "-reserve_index_space", strconv.Itoa(m.cuesBound()))
		return append(append(args, m.attachArgs()...), "-f", "matroska")
	}
	args := []string{"-video_track_timescale", strconv.FormatUint(uint64(m.track.clock.scale), 10),
		"-movie_timescale", strconv.FormatUint(uint64(m.movieScale()), 10), "-write_tmcd", "0"}
	if m.rewrite {
		return append(args, "-movflags", "+faststart", "-f", "mp4")
	}
	return append(args, "-moov_size", strconv.Itoa(m.indexBound()), "-f", "mp4")
}

// movieScale is the clock of the edits that say when tracks start: a multiple of the video's. It counts the sound's
// samples too where that stays coarse enough for 32-bit durations of three hours, which old players want.
func (m *muxing) movieScale() uint32 {
	const fine, coarse = 48_000, 350_000
	scale := uint64(m.track.clock.scale)
	exact := scale
	for _, s := range m.Plan.Source.Streams {
		if s.Kind == "audio" && s.SampleRate > 0 && exact <= coarse {
			exact = exact / gcd(exact, uint64(s.SampleRate)) * uint64(s.SampleRate)
		}
	}
	if exact <= coarse {
		scale = exact
	}
	return uint32(scale * max(1, (fine+scale-1)/scale))
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// indexBound is no less than the MP4 index takes, so that room for it at the beginning suffices. A packet
// costs at most 8 bytes for each of its decode time, composition offset and chunk offset, 4 for its size and
// key mark each, and 12 for a chunk of its own; a subtitle is followed by an empty one. The first part of the
// video's description comes from the segments, and texts may stand in the index more than once.
func (m *muxing) indexBound() int {
	packets := m.Plan.Frames()
	for _, s := range m.streams {
		packets += 2 * m.Plan.Packets[s.Index]
		if s.Kind == "audio" {
			packets -= m.Plan.Packets[s.Index]
		}
	}
	text := tagBytes(m.Plan.Source.Tags)
	for _, s := range m.Plan.Source.Streams {
		text += tagBytes(s.Tags)
	}
	for _, c := range m.covers {
		text += c.size + 1024
	}
	return 44*packets + text + 1024*(m.Plan.Source.Chapters+len(m.streams)) + 4*len(m.track.segments[0].entry) + 64<<10
}

func tagBytes(tags map[string]string) int {
	n := 0
	for k, v := range tags {
		n += 2*(len(k)+len(v)) + 64
	}
	return n
}

// cuesBound is no less than Matroska's cues take: one for each key frame, and for each subtitle with its duration.
// FFmpeg writes none at all where the room doesn't suffice.
func (m *muxing) cuesBound() int {
	cues := 0
	for _, s := range m.track.segments {
		for _, x := range s.samples {
			if x.key {
				cues++
			}
		}
	}
	for _, s := range m.streams {
		if s.Kind == "subtitle" {
			cues += m.Plan.Packets[s.Index]
		}
	}
	return 64*cues + 4096
}

// matroskaStereo tags the video as Matroska's StereoMode (RFC 9559, 5.1.4.1.28.3) has it. For the half formats the
// shape of a pixel is doubled along the squeezed side, so that the display size is that of one view unsqueezed.
func (m *muxing) matroskaStereo() []string {
	mode := map[Layout]string{
		SideBySide: "left_right", SideBySideHalf: "left_right", Equirect180: "left_right",
		TopBottom: "top_bottom", TopBottomHalf: "top_bottom", RightLeft: "right_left",
	}[m.Layout]
	if mode == "" {
		return nil
	}
	args := []string{"-metadata:s:v:0", "stereo_mode=" + mode}
	v := m.Plan.Video
	w, h := int64(v.Width)*v.SAR.Num, int64(v.Height)*v.SAR.Den
	switch m.Layout {
	case SideBySideHalf:
		args = append(args, "-aspect", fmt.Sprintf("%d:%d", 2*w, h))
	case TopBottomHalf:
		args = append(args, "-aspect", fmt.Sprintf("%d:%d", w, 2*h))
	}
	return args
}
