package media

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// expectation is what a final file must hold.
type expectation struct {
	times     []int64 // of the video's frames in display order, in ticks of 1/scale seconds
	scale     uint32
	sound     []int // packets of each sound track in order; negative: not known
	layout    Layout
	container string
}

// finalStream is a stream of the final file.
type finalStream struct {
	Index    int      `json:"index"`
	Kind     string   `json:"codec_type"`
	TimeBase string   `json:"time_base"`
	SideData []stereo `json:"side_data_list"`
}

// stereo is ffprobe's side data, of which the type and the arrangement of views count.
type stereo struct {
	Kind string `json:"side_data_type"`
	Type string `json:"type"`
}

// verifyFinal reads the file back with ffprobe and returns an *Error that says what differs from the expectation.
func verifyFinal(ctx context.Context, path string, want expectation) (*AssembleReport, error) {
	streams, err := finalStreams(ctx, path)
	if err != nil {
		return nil, err
	}
	differs := func(format string, args ...any) error {
		return &Error{Reason: "the result was read back and differs: " + fmt.Sprintf(format, args...)}
	}
	if len(streams) == 0 || streams[0].Kind != "video" {
		return nil, differs("its first stream is not the video")
	}
	if err := want.checkStereo(streams[0]); err != nil {
		return nil, differs("%v", err)
	}
	report := &AssembleReport{Packets: map[int]int{}}
	var times []int64
	_, err = ffprobeLines(ctx, &Source{Path: path}, func(line []byte) error {
		return readBack(line, report.Packets, &times)
	}, "-show_entries", "packet=stream_index,pts,duration,size,pos,flags")
	if err != nil {
		return nil, err
	}
	if err := want.checkTimes(times, streams[0].TimeBase); err != nil {
		return nil, differs("%v", err)
	}
	if err := want.checkSound(streams, report.Packets); err != nil {
		return nil, differs("%v", err)
	}
	report.Frames = len(times)
	return report, nil
}

func finalStreams(ctx context.Context, path string) ([]finalStream, error) {
	out, err := ffprobeCommand(path, append([]string{"-of", "json", "-show_streams"}, inputArgs(path)...)...).output(ctx, 4<<20)
	if err != nil {
		return nil, err
	}
	var found struct{ Streams []finalStream }
	return found.Streams, json.Unmarshal(out, &found)
}

// readBack takes one line of the packet list: stream index, then a packet.
func readBack(line []byte, counts map[int]int, times *[]int64) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	index, rest, _ := bytes.Cut(line, []byte{','})
	stream, err := strconv.Atoi(string(index))
	if err != nil {
		return fmt.Errorf("packet of stream %q", index)
	}
	counts[stream]++
	if stream != 0 {
		return nil
	}
	p, err := parsePacket(rest)
	if err != nil {
		return err
	}
	if !p.timed || p.hidden {
		return fmt.Errorf("video packet %d would not be shown", len(*times))
	}
	*times = append(*times, p.pts)
	return nil
}

// checkTimes compares timestamps with a tolerance of one tick of the file's clock.
func (w expectation) checkTimes(times []int64, timeBase string) error {
	if len(times) != len(w.times) {
		return fmt.Errorf("%d frames, want %d", len(times), len(w.times))
	}
	base, err := parseRational(timeBase)
	if err != nil {
		return err
	}
	slices.Sort(times)
	for i, got := range times {
		want := rescale(w.times[i], base.Den, int64(w.scale)*base.Num)
		if got < want-1 || got > want+1 {
			return fmt.Errorf("frame %d is shown at tick %d, want %d (of %v s)", i, got, want, base)
		}
	}
	return nil
}

func parseRational(s string) (Rational, error) {
	var r Rational
	if n, err := fmt.Sscanf(s, "%d/%d", &r.Num, &r.Den); n != 2 || err != nil || r.Num <= 0 || r.Den <= 0 {
		return r, fmt.Errorf("time base %q", s)
	}
	return r, nil
}

func (w expectation) checkSound(streams []finalStream, counts map[int]int) error {
	var got []int
	for _, s := range streams {
		if s.Kind == "audio" {
			got = append(got, counts[s.Index])
		}
	}
	if len(got) != len(w.sound) {
		return fmt.Errorf("%d sound tracks, want %d", len(got), len(w.sound))
	}
	for i, n := range w.sound {
		if n >= 0 && got[i] != n {
			return fmt.Errorf("sound track %d has %d packets, the source %d", i+1, got[i], n)
		}
	}
	return nil
}

// checkStereo compares the tag that ffprobe finds with the layout's.
func (w expectation) checkStereo(video finalStream) error {
	want := map[Layout]string{
		SideBySide: "side by side", SideBySideHalf: "side by side", Equirect180: "side by side", RightLeft: "side by side",
		TopBottom: "top and bottom", TopBottomHalf: "top and bottom",
	}[w.layout]
	if w.layout == RightLeft && w.container == "mp4" {
		want = "" // st3d has no value for it
	}
	got := ""
	for _, d := range video.SideData {
		if d.Kind == "Stereo 3D" {
			got = d.Type
		}
	}
	if got != want {
		return fmt.Errorf("its stereo tag is %q, want %q", got, want)
	}
	return nil
}
