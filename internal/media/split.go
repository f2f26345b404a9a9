package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// SegmentInfo is what a segment file says about itself, in its Matroska tag STEREOSPOT: a worker needs nothing else.
type SegmentInfo struct {
	Index int `json:"index"`
	Total int `json:"total"`
	// Frames is how many frames the file holds; Window is where the segment's own lie among them.
	Frames int    `json:"frames"`
	Window Window `json:"window"`
	// LeadIn and LeadOut are how many frames before and after its own the engine may look at.
	LeadIn  int `json:"lead_in"`
	LeadOut int `json:"lead_out"`
	// First is the number in the source of the first of the segment's own frames.
	First int `json:"first,omitempty"`
	// Start is the timestamp in the file of the first frame, in milliseconds; what is shown earlier doesn't count.
	Start int64 `json:"start"`
	Video Video `json:"video"`
}

// losslessStep is the distance of frames in losslessly encoded segments, in milliseconds. Their clock only numbers the
// frames; the plan keeps the times.
const losslessStep = 10

// Split writes every segment of the plan as a Matroska file into dir and hands it to sink, which may
// move or remove it; what is left after sink returns is removed. Segments come as they are complete, mostly in order, one at a
// time. The source is read once. It fails with an *Error when the source isn't the one that was planned.
func Split(ctx context.Context, path string, plan *Plan, sink func(s Segment, tmpPath string) error, dir string) error {
	s := &splitter{plan: plan, sink: sink, dir: dir}
	defer s.discard()
	direct, err := openDirect(ctx, path, plan)
	if err != nil {
		return err
	}
	if direct != nil {
		defer direct.close()
		return s.run(ctx, direct, plan.Segments[0].PacketFirst)
	}
	p := ffmpegCommand(path, splitArgs(path, plan)...)
	out, err := p.stdoutPipe()
	if err != nil {
		return err
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	splitErr := s.run(ctx, newBlockReader(out), 0)
	p.kill(errSplitDone) // what is left of the source isn't needed
	if err := p.wait(); err != nil && !errors.Is(err, errSplitDone) {
		return err
	}
	return splitErr
}

// packetSource gives a video's packets in decode order, and then io.EOF.
type packetSource interface {
	next() (block, error)
	// header is the head of the Matroska file that describes the packets; valid after the first one.
	header() []byte
}

var errSplitDone = errors.New("split is done")

// splitArgs asks for the video's packets (or its losslessly encoded frames) as one Matroska stream on standard output.
// The same source gives the same bytes.
func splitArgs(path string, plan *Plan, limits ...string) []string {
	v := plan.Video
	args := []string{"-copyts"}
	if plan.Lossless != "" {
		args = append(args, "-threads", strconv.Itoa(decodeThreads()))
		args = append(args, inputArgs(path, strictArgs(v)...)...)
		args = append(args, "-map", "0:"+strconv.Itoa(v.Stream), "-vf", joinFilters(conversion(v), fmt.Sprintf("settb=1/1000,setpts=N*%d", losslessStep)),
			"-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-c:v", "ffv1", "-level", "3", "-g", "1", "-slices", "4", "-slicecrc", "0")
	} else {
		args = append(args, inputArgs(path)...)
		args = append(args, "-map", "0:"+strconv.Itoa(v.Stream), "-c", "copy", "-copyinkf", "-copypriorss", "1",
			"-output_ts_offset", fmt.Sprintf("%dms", plan.Shift))
	}
	args = append(args, limits...)
	return append(args, "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-flags", "+bitexact",
		"-avoid_negative_ts", "disabled", "-f", "matroska", "pipe:1")
}

// splitter deals the packets of one stream out to the segments that need them.
type splitter struct {
	plan *Plan
	sink func(Segment, string) error
	dir  string
	in   packetSource
	open []*openSegment
	next int // the first segment that hasn't been opened
	done int
}

type openSegment struct {
	Segment
	*segmentWriter
}

// run deals the packets of a source out; the first it gives has the position n.
func (s *splitter) run(ctx context.Context, in packetSource, n int) error {
	for s.in = in; s.done < len(s.plan.Segments); n++ {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		b, err := s.in.next()
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return s.mismatch(fmt.Sprintf("it ends after %d packets", n))
		}
		if err != nil {
			return err
		}
		if err := s.deal(n, b); err != nil {
			return err
		}
	}
	return nil
}

// mismatch is the error for a source that differs from the one that was planned.
func (s *splitter) mismatch(how string) error {
	return &Error{Reason: fmt.Sprintf("%s can't be split as planned: %s: was it changed?", s.plan.Source.name(), how)}
}

// deal gives packet n to every segment whose file needs it.
func (s *splitter) deal(n int, b block) error {
	for s.next < len(s.plan.Segments) && s.plan.Segments[s.next].PacketFirst == n {
		if err := s.openNext(); err != nil {
			return err
		}
	}
	var still []*openSegment
	for i, o := range s.open {
		if err := o.add(b); err != nil {
			return err
		}
		if n+1 < o.PacketFirst+o.Packets {
			still = append(still, o)
			continue
		}
		s.open[i] = nil
		if err := s.finish(o); err != nil {
			s.open = append(still, s.open[i+1:]...)
			return err
		}
	}
	s.open = still
	return nil
}

func (s *splitter) path(index int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%05d.mkv", index))
}

func (s *splitter) openNext() error {
	segment := s.plan.Segments[s.next]
	tag, err := json.Marshal(s.plan.info(segment))
	if err != nil {
		return err
	}
	w, err := createSegment(s.path(segment.Index), s.in.header(), tag)
	if w != nil {
		s.open = append(s.open, &openSegment{Segment: segment, segmentWriter: w})
	}
	s.next++
	return err
}

// finish closes a complete file, checks that it holds the frames it should, and hands it over.
func (s *splitter) finish(o *openSegment) error {
	path := s.path(o.Index)
	defer os.Remove(path)
	if err := o.close(); err != nil {
		return err
	}
	if err := s.check(o); err != nil {
		return err
	}
	s.done++
	return s.sink(o.Segment, path)
}

// check compares the timestamps written with the plan's.
func (s *splitter) check(o *openSegment) error {
	times := slices.Clone(o.times)
	slices.Sort(times)
	first, _ := slices.BinarySearch(times, s.plan.info(o.Segment).Start)
	if len(times)-first < o.FileFrames {
		return s.mismatch(fmt.Sprintf("segment %d has %d frames, not %d", o.Index, len(times)-first, o.FileFrames))
	}
	for i, t := range times[first : first+o.FileFrames] {
		frame := o.FileFirst + i
		if frame >= 0 && t != s.plan.fileTime(frame) {
			return s.mismatch(fmt.Sprintf("frame %d is at %d ms, not %d", frame, t, s.plan.fileTime(frame)))
		}
	}
	return nil
}

// discard removes what is unfinished.
func (s *splitter) discard() {
	for _, o := range s.open {
		if o != nil {
			o.file.Close()
			os.Remove(s.path(o.Index))
		}
	}
}

// fileTime returns a frame's timestamp in a segment file, in milliseconds.
func (p *Plan) fileTime(frame int) int64 {
	if p.Lossless != "" {
		return int64(p.LosslessFirst+frame) * losslessStep
	}
	return milliseconds(p.Times.At(frame), p.TimeBase) + p.Shift
}

// info describes a segment's file.
func (p *Plan) info(s Segment) SegmentInfo {
	in, out := p.Lead(s)
	info := SegmentInfo{
		Index: s.Index, Total: len(p.Segments), Frames: s.FileFrames, Window: s.Window(), LeadIn: in, LeadOut: out, First: p.Before + s.First,
		Start: milliseconds(s.FileStart, p.TimeBase) + p.Shift, Video: p.Video,
	}
	if p.Lossless != "" {
		info.Start = p.fileTime(s.FileFirst)
		info.Video.PixelFormat = processedFormat(p.Video)
	}
	return info
}
