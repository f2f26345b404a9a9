package media

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/Eyevinn/mp4ff/mp4"
)

// videoTrack is the film's video as one MP4 stream: the index first, computed from the plan's timestamps
// and the segments' own tables, then the segments' samples in order.
type videoTrack struct {
	segments []*encodedSegment
	clock    clock
	last     int64 // ticks that the last frame stands
	layout   Layout
	video    *Video
	moov     *mp4.MoovBox
}

// clock holds the frames' presentation times in display order, in ticks of 1/scale seconds.
type clock struct {
	scale  uint32
	times  []int64
	origin int64 // the source's timestamp that is 0 here, in the source's ticks
}

// finestScale bounds a track's clock: with more ticks per second MP4's 32-bit durations would overflow
// within minutes.
const finestScale = 1_000_000

// newClock counts times from the plan's origin, in a clock that holds the source's ticks exactly where it can. A
// frame before the origin becomes the new one, for containers hide what lies before 0.
func newClock(p *Plan) (c clock, last int64, err error) {
	c.times = p.PTS()
	c.origin = min(p.Origin, c.times[0])
	num, den := p.TimeBase.Num, p.TimeBase.Den
	if num <= 0 || den <= 0 {
		return c, 0, fmt.Errorf("time base %v", p.TimeBase)
	}
	scale, factor := den, num
	if scale > finestScale {
		scale, factor = finestScale, 0
	}
	convert := func(ticks int64) int64 {
		if factor > 0 {
			return ticks * factor
		}
		return rescale(ticks, num*finestScale, den)
	}
	for i, t := range c.times {
		c.times[i] = convert(t - c.origin)
		if i > 0 && c.times[i] <= c.times[i-1] {
			return c, 0, &Error{Reason: fmt.Sprintf("frames %d and %d are closer than a microsecond: no container can hold that", i-1, i)}
		}
	}
	c.scale = uint32(scale)
	return c, max(1, convert(p.LastDuration)), nil
}

// newVideoTrack reads the segments' indexes. Their encoders must agree, for a track has one description.
func newVideoTrack(p *Plan, outputs []SegmentOutput, layout Layout) (*videoTrack, error) {
	t := &videoTrack{layout: layout, video: &p.Video}
	var err error
	if t.clock, t.last, err = newClock(p); err != nil {
		return nil, err
	}
	total := 0
	for _, o := range outputs {
		s, err := readEncodedSegment(o)
		if err != nil {
			return nil, err
		}
		if len(t.segments) > 0 && !bytes.Equal(s.entry, t.segments[0].entry) {
			return nil, &Error{Reason: "segments were encoded with different settings or encoder versions and can't be joined: convert again with --no-resume"}
		}
		t.segments = append(t.segments, s)
		total += len(s.samples)
	}
	if total != len(t.clock.times) || total == 0 {
		return nil, &Error{Reason: fmt.Sprintf("segments hold %d frames, the plan %d", total, len(t.clock.times))}
	}
	t.moov, err = t.movie()
	return t, err
}

// writeTo writes the stream; what it holds in memory is the index.
func (t *videoTrack) writeTo(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<20)
	ftyp := mp4.CreateFtyp()
	head := int64(ftyp.Size()+t.moov.Size()) + largeHeader
	var total int64
	co64 := t.moov.Trak.Mdia.Minf.Stbl.Co64
	for i, s := range t.segments {
		co64.ChunkOffset[i] = uint64(head + total)
		for _, x := range s.samples {
			total += int64(x.size)
		}
	}
	if err := errors.Join(ftyp.Encode(out), t.moov.Encode(out), writeLargeHeader(out, "mdat", total)); err != nil {
		return err
	}
	for _, s := range t.segments {
		if err := s.copySamples(out); err != nil {
			return err
		}
	}
	return out.Flush()
}

// largeHeader is the size of a box header with a 64-bit size.
const largeHeader = 16

func writeLargeHeader(w io.Writer, name string, payload int64) error {
	h := []byte{0, 0, 0, 1, name[0], name[1], name[2], name[3]}
	size := uint64(payload) + largeHeader
	for shift := 56; shift >= 0; shift -= 8 {
		h = append(h, byte(size>>shift))
	}
	_, err := w.Write(h)
	return err
}

// copySamples writes the segment's samples in decode order, neighbours in one go.
func (s *encodedSegment) copySamples(w io.Writer) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := 0; i < len(s.samples); {
		from, end := s.samples[i].offset, s.samples[i].offset
		for i < len(s.samples) && s.samples[i].offset == end {
			end += int64(s.samples[i].size)
			i++
			if s.samples[i-1].size == 0 {
				break
			}
		}
		n, err := io.Copy(w, io.NewSectionReader(f, from, end-from))
		if err == nil && n != end-from {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// movie builds the index. Decode times are the presentation times in order, so they rise whatever the
// frame rate does; composition offsets bring each frame to its own time, and the edit list takes off the
// largest delay that this needs (ISO/IEC 14496-12, 8.6).
func (t *videoTrack) movie() (*mp4.MoovBox, error) {
	times, scale := t.clock.times, t.clock.scale
	delay, err := t.reorderDelay()
	if err != nil {
		return nil, err
	}
	length := times[len(times)-1] - times[0] + t.last
	trak := mp4.CreateEmptyTrak(1, scale, "video", "und")
	trak.Mdia.Hdlr.Name = "VideoHandler"
	trak.Tkhd.Width, trak.Tkhd.Height = t.size()
	trak.Mdia.Mdhd.Duration = uint64(min(length, math.MaxUint32))
	trak.AddChild(edits(times[0], delay, length))
	stbl := trak.Mdia.Minf.Stbl
	*stbl = *mp4.NewStblBox()
	stsd, err := t.sampleDescription()
	if err != nil {
		return nil, err
	}
	stbl.AddChild(stsd)
	if err := t.fillTables(stbl, delay); err != nil {
		return nil, err
	}
	moov := mp4.NewMoovBox()
	mvhd := mp4.CreateMvhd()
	mvhd.CreationTime, mvhd.ModificationTime, mvhd.Timescale, mvhd.NextTrackID = 0, 0, scale, 2
	mvhd.Duration = uint64(min(length, math.MaxUint32))
	moov.AddChild(mvhd)
	moov.AddChild(trak)
	return moov, nil
}

// edits says that the media, from delay on, is shown from start on.
func edits(start, delay, length int64) *mp4.EdtsBox {
	list := &mp4.ElstBox{Version: 1}
	if start > 0 {
		list.Entries = append(list.Entries, mp4.ElstEntry{SegmentDuration: uint64(start), MediaTime: -1, MediaRateInteger: 1})
	}
	list.Entries = append(list.Entries, mp4.ElstEntry{SegmentDuration: uint64(length), MediaTime: delay, MediaRateInteger: 1})
	edts := &mp4.EdtsBox{}
	edts.AddChild(list)
	return edts
}

// eachSample calls f with every sample in decode order, its number over all segments, and its place in display order.
func (t *videoTrack) eachSample(f func(n, display int, s sample) error) error {
	n, first := 0, 0
	for _, segment := range t.segments {
		for _, s := range segment.samples {
			if err := f(n, first+int(s.rank), s); err != nil {
				return err
			}
			n++
		}
		first += len(segment.samples)
	}
	return nil
}

// reorderDelay returns how far presentation must lag so that no frame is shown before it is decoded.
func (t *videoTrack) reorderDelay() (int64, error) {
	var delay int64
	err := t.eachSample(func(n, display int, _ sample) error {
		delay = max(delay, t.clock.times[n]-t.clock.times[display])
		return nil
	})
	return delay, err
}

// fillTables writes the sample tables: one chunk for each segment.
func (t *videoTrack) fillTables(stbl *mp4.StblBox, delay int64) error {
	times := t.clock.times
	stts, ctts, stsz := &mp4.SttsBox{}, &mp4.CttsBox{}, &mp4.StszBox{}
	stsc, co64, stss := &mp4.StscBox{}, &mp4.Co64Box{}, &mp4.StssBox{}
	var counts []uint32
	var offsets []int32
	err := t.eachSample(func(n, display int, s sample) error {
		step := t.last
		if n+1 < len(times) {
			step = times[n+1] - times[n]
		}
		offset := times[display] - times[n] + delay
		if step > math.MaxUint32 || offset > math.MaxInt32 {
			return &Error{Reason: fmt.Sprintf("the pause after frame %d is too long: no player's clock can hold it", n)}
		}
		appendRun(&stts.SampleCount, &stts.SampleTimeDelta, uint32(step))
		appendRun(&counts, &offsets, int32(offset))
		stsz.SampleSize = append(stsz.SampleSize, s.size)
		if s.key {
			stss.SampleNumber = append(stss.SampleNumber, uint32(n+1))
		}
		return nil
	})
	if err != nil {
		return err
	}
	stsz.SampleNumber = uint32(len(times))
	if err := ctts.AddSampleCountsAndOffset(counts, offsets); err != nil {
		return err
	}
	for i, s := range t.segments {
		if i == 0 || len(s.samples) != len(t.segments[i-1].samples) {
			if err := stsc.AddEntry(uint32(i+1), uint32(len(s.samples)), 1); err != nil {
				return err
			}
		}
		co64.ChunkOffset = append(co64.ChunkOffset, 0)
	}
	for _, box := range []mp4.Box{stts, ctts, stsc, stsz, co64, stss} {
		stbl.AddChild(box)
	}
	return nil
}

// appendRun adds v to a run-length list.
func appendRun[V comparable](counts *[]uint32, values *[]V, v V) {
	if n := len(*values); n > 0 && (*values)[n-1] == v {
		(*counts)[n-1]++
		return
	}
	*counts, *values = append(*counts, 1), append(*values, v)
}
