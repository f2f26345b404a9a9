package media

import (
	"context"
	"fmt"
	"slices"
)

// unknownTime marks a decoded frame without a timestamp.
const unknownTime = int64(-1) << 62

// decodedTimeline asks a decoder for the frames. Segments are then cut from a lossless re-encode, whose packets are frames.
func decodedTimeline(ctx context.Context, src *Source, table *packetTable, reason string) (*Timeline, error) {
	pts, err := decodeTimes(ctx, src)
	if err != nil {
		return nil, err
	}
	if len(pts) == 0 {
		return nil, &Error{Reason: fmt.Sprintf("%s holds no frame that can be decoded", src.name())}
	}
	if err := repairTimes(src, pts); err != nil {
		return nil, err
	}
	tl := &Timeline{PTS: pts, LastDuration: lastDuration(src, pts, 0), NotCopyable: reason, Packets: table.counts}
	tl.Order = make([]int32, len(pts))
	tl.Entries = make([]Entry, len(pts))
	for i := range pts {
		tl.Order[i] = int32(i)
		tl.Entries[i] = Entry{Frame: i, Packet: i}
	}
	return tl, nil
}

// decodeTimes returns the timestamps of the frames that a decoder gives, in the order in which it gives them.
func decodeTimes(ctx context.Context, src *Source, options ...string) ([]int64, error) {
	var pts []int64
	options = append([]string{"-threads", "auto", "-select_streams", fmt.Sprint(src.Video.Stream), "-show_entries", "frame=best_effort_timestamp"}, options...)
	_, err := ffprobeLines(ctx, src, func(line []byte) error {
		t, ok, err := parseFrame(line)
		if !ok || err != nil {
			return err
		}
		if len(pts) == maxPackets {
			return fmt.Errorf("more than %d frames", maxPackets)
		}
		pts = append(pts, t)
		return nil
	}, options...)
	return pts, err
}

// parseFrame reads a line of the frame list: one number, or N/A, and perhaps more columns. ok is false for an empty line.
func parseFrame(line []byte) (pts int64, ok bool, err error) {
	end := slices.Index(line, ',')
	if end < 0 {
		end = len(line)
	}
	field := line[:end]
	if len(field) == 0 {
		return 0, false, nil
	}
	if string(field) == "N/A" {
		return unknownTime, true, nil
	}
	v, numeric := parseInt(field)
	if !numeric {
		return 0, false, fmt.Errorf("frame list has %q for a timestamp", field)
	}
	return v, true, nil
}

// maxStepBack is how far a clock may run backwards between frames before it counts as broken, in seconds.
const maxStepBack = 1.0

// repairTimes gives frames without a timestamp, or with one that isn't after the frame before, a time
// between their neighbours. A clock that starts again is refused: nothing tells what was meant.
func repairTimes(src *Source, pts []int64) error {
	step := frameTicks(src)
	first := slices.IndexFunc(pts, func(t int64) bool { return t != unknownTime })
	if first < 0 {
		first, pts[0] = 0, 0
	}
	for i := first - 1; i >= 0; i-- {
		pts[i] = pts[i+1] - step
	}
	for i := first + 1; i < len(pts); i++ {
		if pts[i] > pts[i-1] {
			continue
		}
		if back := float64(pts[i-1]-pts[i]) * src.Video.TimeBase.Float(); pts[i] != unknownTime && back > maxStepBack {
			return &Error{Reason: fmt.Sprintf("%s has a clock that jumps back by %.1f seconds: repair it with ffmpeg -i FILE -c copy repaired.mkv", src.name(), back)}
		}
		pts[i] = pts[i-1] + between(pts[i-1], pts[i+1:], step)
	}
	return nil
}

// between returns a distance of at most step that leaves room for the next known timestamp, where there is room.
func between(last int64, rest []int64, step int64) int64 {
	for k, next := range rest[:min(len(rest), 64)] {
		if next > last {
			return max(1, min(step, (next-last)/int64(k+2)))
		}
	}
	return step
}

// leadingProbe is how many packets beyond the leading ones are decoded to see which frames a decoder gives at the start.
const leadingProbe = 24

// hideUndecodable marks leading packets as hidden when a decoder gives no frame for them: streams
// that were cut from a longer one begin with pictures whose references are gone. Where the start of
// the stream isn't plain, it returns the reason why packets don't tell the frames.
func hideUndecodable(ctx context.Context, src *Source, video []packet) (reason string, err error) {
	entry := slices.IndexFunc(video, func(p packet) bool { return p.key })
	if entry < 0 {
		return "no packet is marked as a place to start decoding", nil
	}
	last := entry
	for i, p := range video[:min(len(video), entry+maxReorder)] {
		if p.pts < video[entry].pts {
			last = max(last, i)
		}
	}
	if last == 0 && src.Format != "mpegts" && src.Format != "mpeg" {
		return "", nil
	}
	n := min(last+leadingProbe, len(video))
	given, err := decodeTimes(ctx, src, "-read_intervals", fmt.Sprintf("%%+#%d", n))
	if err != nil {
		return "", err
	}
	slices.Sort(given)
	for i := range video[:n] {
		p := &video[i]
		_, found := slices.BinarySearch(given, p.pts)
		switch {
		case found || p.hidden:
		case p.pts < video[entry].pts:
			p.hidden = true
		default:
			return "packets and decoded frames don't match", nil
		}
	}
	return "", nil
}
