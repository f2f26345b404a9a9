package media

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	Output     string // path to write; overwritten, and absent after an error. Files under way lie beside it
}

// AssembleReport says what the final file holds, as read back from it.
type AssembleReport struct {
	Frames int
	Sound  []int // packets of each sound track that isn't empty, in order
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
	dir, err := os.MkdirTemp(filepath.Dir(r.Output), "assemble-*")
	if err != nil {
		return nil, diskError(err)
	}
	defer os.RemoveAll(dir)
	m := &muxing{AssembleRequest: r, streams: filled(r.Plan, r.Container), track: track}
	if err := m.prepare(ctx, dir); err != nil {
		return nil, err
	}
	sound, err := m.write(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.checkSource(sound); err != nil {
		return nil, err
	}
	return verifyFinal(ctx, r.Output, expectation{
		times: track.clock.times, scale: track.clock.scale, sound: sound, movieScale: m.movieScale(),
		layout: r.Layout, container: r.Container,
	})
}

// filled returns the streams that go into the output and hold anything.
func filled(p *Plan, container string) []CarriedStream {
	return slices.DeleteFunc(carried(&p.Source, container), func(s CarriedStream) bool {
		return s.Kind == "audio" && p.Packets[s.Index] == 0
	})
}

// prepare looks at the source for what muxing has to know beforehand. dir lives as long as the muxing.
func (m *muxing) prepare(ctx context.Context, dir string) error {
	if err := m.takeCovers(ctx, dir); err != nil {
		return err
	}
	if m.Container != "mkv" || !m.holds("audio") {
		return nil
	}
	return m.measureDelays(ctx, filepath.Join(dir, "first.mkv"))
}

// measureDelays finds by how much FFmpeg's Matroska muxer would move each stream of sound, by muxing the first packets
// of each: where a stream has a codec delay (Opus's pre-skip), the muxer writes the delay down, which readers take
// off the timestamps, but doesn't add it to them. Packets before 0 tell nothing, for a reader guesses their times
// where no later one follows: they are measured an hour later.
func (m *muxing) measureDelays(ctx context.Context, tmp string) error {
	const later = 3600 // seconds
	args := append([]string{"-copyts"}, inputArgs(m.SourcePath, m.sourceOptions()...)...)
	first := append(m.soundOnly(0), "-frames:a", "3")
	args = append(append(args, first...), "-strict", "experimental", "-output_ts_offset", strconv.Itoa(later), "-f", "matroska", "-y", fileURL(tmp))
	args = append(append(args, first...), "-f", "framecrc", "pipe:1")
	want, err := listSound(ctx, m.SourcePath, args)
	if err != nil {
		return err
	}
	got, err := readFinalSound(ctx, tmp)
	if err != nil {
		return err
	}
	m.delays = make([]int64, len(want))
	for i := range min(len(want), len(got)) {
		if n := min(len(want[i].packets), len(got[i].packets)); n > 0 {
			m.delays[i] = int64(math.Round((want[i].seconds(n-1) + later - got[i].seconds(n-1)) * 1000))
		}
		if m.delays[i]*m.delays[i] <= 1 { // rounding
			m.delays[i] = 0
		}
	}
	return nil
}

// write muxes with the index first; should the room for it be too small after all, a second pass moves it.
func (m *muxing) write(ctx context.Context) ([]soundTrack, error) {
	sound, err := m.run(ctx)
	if err != nil && strings.Contains(fmt.Sprint(errors.Unwrap(err)), "reserved_moov_size is too small") {
		m.rewrite = true
		return m.run(ctx)
	}
	return sound, err
}

// checkSource holds the sound that was muxed against what planning found in the source.
func (m *muxing) checkSource(sound []soundTrack) error {
	n := 0
	for _, s := range m.streams {
		if s.Kind != "audio" {
			continue
		}
		if n == len(sound) {
			return fmt.Errorf("FFmpeg listed %d sound tracks", n)
		}
		got := len(sound[n].packets)
		n++
		if want := m.Plan.Packets[s.Index]; s.Fate == Copied && !m.Plan.Partial && got != want {
			return &Error{Reason: fmt.Sprintf("%s gave %d packets of sound in stream %d, %d when it was planned: was it changed?", m.Plan.Source.name(), got, s.Index, want)}
		}
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
