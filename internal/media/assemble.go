package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// SegmentOutput is a converted segment, as Encoder wrote it.
type SegmentOutput struct {
	Path   string
	Frames int
}

// AssembleRequest describes the final file.
type AssembleRequest struct {
	Plan       *Plan
	SourcePath string          // for sound, subtitles, chapters, attachments and tags
	Segments   []SegmentOutput // in order
	Container  string          // "mp4" or "mkv"
	Layout     Layout
	Output     string // path to write; overwritten, and absent after an error
}

// AssembleReport says what the final file holds, as read back from it.
type AssembleReport struct {
	Frames  int
	Packets map[int]int // by the output's stream index
}

// Assemble joins the segments with the source's timestamps and its other streams, and reads the result back.
// An *Error says what differs from the plan.
func Assemble(ctx context.Context, r AssembleRequest) (report *AssembleReport, err error) {
	if r.Container != "mp4" && r.Container != "mkv" {
		return nil, fmt.Errorf("container %q", r.Container)
	}
	track, err := newVideoTrack(r.Plan, r.Segments, r.Layout)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(r.Output))
		}
	}()
	m := &muxing{AssembleRequest: r, streams: carried(&r.Plan.Source, r.Container), scale: track.clock.scale}
	if err := m.run(ctx, track); err != nil {
		return nil, err
	}
	return m.verify(ctx, track)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// muxing is one run of FFmpeg that writes the final file.
type muxing struct {
	AssembleRequest
	streams []CarriedStream // of the source, as they follow the video in the output
	scale   uint32          // ticks per second of the video
}

// run feeds the video to FFmpeg while it muxes.
func (m *muxing) run(ctx context.Context, track *videoTrack) error {
	p := ffmpegCommand(m.Output, m.args()...)
	in, err := p.stdinPipe()
	if err != nil {
		return err
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	written := track.writeTo(in)
	closed := in.Close()
	if err := p.wait(); err != nil {
		return err // it says why a write failed
	}
	return errors.Join(written, closed)
}

func (m *muxing) args() []string {
	args := append([]string{"-copyts", "-protocol_whitelist", "pipe"}, "-f", "mov", "-i", "pipe:0")
	if m.usesSource() {
		args = append(args, inputArgs(m.SourcePath, m.sourceOptions()...)...)
	}
	args = append(args, "-map", "0:v:0")
	for _, s := range m.streams {
		args = append(args, "-map", "1:"+strconv.Itoa(s.Index))
	}
	if m.usesSource() {
		args = append(args, "-map_metadata", "1", "-map_chapters", "1")
	}
	args = append(args, "-c", "copy")
	args = append(args, m.subtitleArgs()...)
	args = append(args, m.partArgs()...)
	// Packets from before 0 (an encoder's priming) and before the first key belong to the sound; nothing moves in time.
	args = append(args, "-copypriorss", "1", "-copyinkf", "-avoid_negative_ts", "disabled", "-max_interleave_delta", "0",
		"-fflags", "+bitexact", "-strict", "experimental")
	args = append(args, m.containerArgs()...)
	return append(args, "-y", fileURL(m.Output))
}

// usesSource reports whether the source has anything to give besides its picture. Its tags and chapters always count.
func (m *muxing) usesSource() bool {
	src := &m.Plan.Source
	return len(m.streams) > 0 || src.Chapters > 0 || len(src.Tags) > 0
}

// sourceOptions move the source's clock so that the plan's origin is 0.
func (m *muxing) sourceOptions() []string {
	if m.Plan.Origin == 0 {
		return nil
	}
	return []string{"-itsoffset", fmt.Sprintf("%dus", -rescale(m.Plan.Origin, m.Plan.TimeBase.Num*1_000_000, m.Plan.TimeBase.Den))}
}

// subtitleArgs name the text format where one is rewritten.
func (m *muxing) subtitleArgs() []string {
	var args []string
	n := 0
	for _, s := range m.streams {
		if s.Kind != "subtitle" {
			continue
		}
		if s.Fate == Rewritten {
			args = append(args, fmt.Sprintf("-c:s:%d", n), map[string]string{"mp4": "mov_text", "mkv": "srt"}[m.Container])
		}
		n++
	}
	return args
}

// partArgs cut the other streams to the chosen part, at packet borders.
func (m *muxing) partArgs() []string {
	if !m.Plan.Partial {
		return nil
	}
	seconds := float64(m.Plan.End()-m.Plan.Origin) * m.Plan.TimeBase.Float()
	drop := fmt.Sprintf("noise=drop='lt(pts*tb,0)+gte(pts*tb,%.6f)'", seconds)
	args := []string{"-t", fmt.Sprintf("%.6f", seconds)}
	for _, kind := range []string{"audio", "subtitle"} {
		for _, s := range m.streams {
			if s.Kind == kind {
				args = append(args, "-bsf:"+kind[:1], drop)
				break
			}
		}
	}
	return args
}

func (m *muxing) containerArgs() []string {
	if m.Container == "mkv" {
		return append(m.matroskaStereo(), "-f", "matroska")
	}
	// The index comes first without a second pass: room for it is left at the beginning.
	return []string{"-video_track_timescale", strconv.FormatUint(uint64(m.scale), 10),
		"-movie_timescale", strconv.FormatUint(uint64(m.movieScale()), 10), "-moov_size", strconv.Itoa(m.indexBound()), "-f", "mp4"}
}

// movieScale is the clock of the edits that say when tracks start: a multiple of the video's, and finer than the
// samples of any sound.
func (m *muxing) movieScale() uint32 {
	const fine = 1_000_000
	return m.scale * ((fine + m.scale - 1) / m.scale)
}

// indexBound is no less than the MP4 index takes. A packet costs at most 8 bytes for each of its decode time,
// composition offset and chunk offset, 4 for its size and key mark, and 12 for a chunk of its own.
func (m *muxing) indexBound() int {
	packets := m.Plan.Frames()
	for _, s := range m.streams {
		packets += m.Plan.Packets[s.Index]
	}
	text := 0
	for _, s := range m.Plan.Source.Streams {
		text += tagBytes(s.Tags)
	}
	return 44*packets + text + tagBytes(m.Plan.Source.Tags) + 1024*(m.Plan.Source.Chapters+len(m.streams)) + 64<<10
}

func tagBytes(tags map[string]string) int {
	n := 0
	for k, v := range tags {
		n += 2*(len(k)+len(v)) + 64
	}
	return n
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

// verify reads the final file back and compares it with what was asked for.
func (m *muxing) verify(ctx context.Context, track *videoTrack) (*AssembleReport, error) {
	want := expectation{times: track.clock.times, scale: track.clock.scale, layout: m.Layout, container: m.Container}
	for _, s := range m.streams {
		if s.Kind == "audio" {
			n := m.Plan.Packets[s.Index]
			if m.Plan.Partial {
				n = -1 // how many lie in the part isn't known
			}
			want.sound = append(want.sound, n)
		}
	}
	return verifyFinal(ctx, m.Output, want)
}
