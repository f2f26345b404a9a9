package media

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// maxPackets bounds the packet table: a file with more video packets is damaged or hostile.
const maxPackets = 20_000_000

// packet is one row of the video's packet table.
type packet struct {
	pts, duration, pos int64
	size               int32
	timed, key, hidden bool // hidden: an edit list says that its frame isn't shown
	reset              bool // the decoder gets new headers with it
}

// packetTable is what one pass over a source gives.
type packetTable struct {
	video   []packet // in decode order
	counts  map[int]int
	seconds float64 // the latest video timestamp, counted from the source's start
	file    os.FileInfo
}

// ReadTimeline reads the source's packet table in one pass. Where stream copies of its segments can't
// be proven exact, it decodes the source too and says so in NotCopyable. It fails with an *Error when
// the source is cut off or holds no frame.
func ReadTimeline(ctx context.Context, src *Source) (*Timeline, error) {
	table, err := readPackets(ctx, src)
	if err != nil {
		return nil, err
	}
	tl, reason, err := analyse(ctx, src, table)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return decodedTimeline(ctx, src, table, reason)
	}
	return tl, nil
}

// ReadDecodedTimeline is ReadTimeline for a source whose segments are to be re-encoded whatever can be
// proven; the reason goes into NotCopyable.
func ReadDecodedTimeline(ctx context.Context, src *Source, reason string) (*Timeline, error) {
	table, err := readPackets(ctx, src)
	if err != nil {
		return nil, err
	}
	return decodedTimeline(ctx, src, table, reason)
}

// readPackets lists the video's packets and counts those of every stream. Two processes read the
// source side by side: describing each packet of sound would take longer than all of the rest.
func readPackets(ctx context.Context, src *Source) (*packetTable, error) {
	if err := checkWhole(src); err != nil {
		return nil, err
	}
	info, err := os.Stat(src.Path)
	if err != nil {
		return nil, &Error{Reason: src.name() + " can't be opened", Err: err}
	}
	table := &packetTable{file: info}
	var listing, counting string
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		listing, err = ffprobeLines(ctx, src, table.add, "-select_streams", strconv.Itoa(src.Video.Stream),
			"-show_entries", "packet=pts,duration,size,pos,flags:packet_side_data=side_data_type")
		return err
	})
	group.Go(func() (err error) {
		table.counts, counting, err = countPackets(ctx, src)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	table.measure(src)
	if err := cutOff(src, listing+counting, table.seconds); err != nil {
		return nil, err
	}
	if len(table.video) == 0 {
		return nil, &Error{Reason: src.name() + " holds no frame: its video stream is empty"}
	}
	if n := table.counts[src.Video.Stream]; n != len(table.video) {
		return nil, &Error{Reason: fmt.Sprintf("%s gave %d video packets, then %d: was it changed?", src.name(), len(table.video), n)}
	}
	return table, nil
}

// countPackets returns how many packets each stream holds, by stream index, and what ffprobe complained about.
func countPackets(ctx context.Context, src *Source) (map[int]int, string, error) {
	p := ffprobeCommand(src.Path, append([]string{"-count_packets", "-show_entries", "stream=index,nb_read_packets", "-of", "json"}, inputArgs(src.Path)...)...)
	data, err := p.output(ctx, maxProbeOutput)
	if err != nil {
		return nil, "", err
	}
	report, err := parseReport(data)
	if err != nil {
		return nil, "", err
	}
	counts := make(map[int]int, len(report.Streams))
	for _, st := range report.Streams {
		counts[st.Index] = int(st.Packets)
	}
	return counts, p.warnings(), nil
}

// ffprobeLines calls each with every line of ffprobe's output for the source and returns what ffprobe complained about.
func ffprobeLines(ctx context.Context, src *Source, each func([]byte) error, options ...string) (string, error) {
	p := ffprobeCommand(src.Path, append(options, append([]string{"-of", "csv=p=0"}, inputArgs(src.Path)...)...)...)
	out, err := p.stdoutPipe()
	if err != nil {
		return "", err
	}
	if err := p.start(ctx); err != nil {
		return "", err
	}
	if err := scanLines(out, each); err != nil {
		return "", p.fail(&Error{Reason: fmt.Sprintf("%s can't be measured: %v", src.name(), err), Err: err})
	}
	if err := p.wait(); err != nil {
		return "", err
	}
	return p.warnings(), nil
}

func scanLines(r io.Reader, each func([]byte) error) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if err := each(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// add takes a line "pts,duration,size,pos,flags" of the packet list. The names of side data may
// follow, and empty lines may stand between.
func (t *packetTable) add(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	p, err := parsePacket(line)
	if err != nil {
		return err
	}
	if len(t.video) == maxPackets {
		return fmt.Errorf("more than %d video packets", maxPackets)
	}
	t.video = append(t.video, p)
	return nil
}

// parsePacket reads one line of the packet list. Numbers that are missing ("N/A") are 0, but for pos: -1.
func parsePacket(line []byte) (p packet, err error) {
	var fields [5][]byte
	for i := range fields {
		var found bool
		fields[i], line, found = bytes.Cut(line, []byte{','})
		if !found && i < len(fields)-1 {
			return p, fmt.Errorf("packet list has %d columns, want %d", i+1, len(fields))
		}
	}
	var ok bool
	p.pts, p.timed = parseInt(fields[0])
	p.duration, _ = parseInt(fields[1])
	size, _ := parseInt(fields[2])
	p.size = int32(min(max(size, 0), 1<<31-1))
	if p.pos, ok = parseInt(fields[3]); !ok {
		p.pos = -1
	}
	p.key = bytes.IndexByte(fields[4], 'K') >= 0
	p.hidden = bytes.IndexByte(fields[4], 'D') >= 0
	p.reset = bytes.Contains(line, []byte("New Extradata"))
	return p, nil
}

// parseInt reads a decimal number without allocating. Timestamps beyond ±2^60 are taken as missing, so that no
// sum of two overflows.
func parseInt(b []byte) (int64, bool) {
	v, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || v > 1<<60 || v < -1<<60 {
		return 0, false
	}
	return v, true
}

// measure notes how far the video reaches.
func (t *packetTable) measure(src *Source) {
	for _, p := range t.video {
		if s := float64(p.pts)*src.Video.TimeBase.Float() - src.Start; p.timed && s > t.seconds {
			t.seconds = s
		}
	}
}

// analyse turns the table into a timeline, or returns the reason why decoding has to tell.
func analyse(ctx context.Context, src *Source, t *packetTable) (tl *Timeline, reason string, err error) {
	if reason := unfit(src, t.video); reason != "" {
		return nil, reason, nil
	}
	if reason, err := hideUndecodable(ctx, src, t.video); err != nil || reason != "" {
		return nil, reason, err
	}
	shown, hidden := order(t.video)
	if len(shown) == 0 {
		return nil, "", &Error{Reason: src.name() + " holds no frame: an edit list hides all of them"}
	}
	if reason := unfitTimes(src, t.video, shown, hidden); reason != "" {
		return nil, reason, nil
	}
	tl = &Timeline{table: t, Packets: t.counts, Order: shown, PTS: make([]int64, len(shown))}
	for i, position := range shown {
		tl.PTS[i] = t.video[position].pts
	}
	tl.LastDuration = lastDuration(src, tl.PTS, t.video[shown[len(shown)-1]].duration)
	if tl.Entries, reason = findEntries(src, t.video, tl); reason != "" {
		return nil, reason, nil
	}
	return tl, "", nil
}

// order returns the positions of the packets whose frames are shown, and of those that are not, each in display order.
func order(video []packet) (shown, hidden []int32) {
	for i, p := range video {
		if p.hidden {
			hidden = append(hidden, int32(i))
		} else {
			shown = append(shown, int32(i))
		}
	}
	byTime := func(a, b int32) int {
		if d := video[a].pts - video[b].pts; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return int(a - b)
	}
	slices.SortFunc(shown, byTime)
	slices.SortFunc(hidden, byTime)
	return shown, hidden
}

// copyable lists the codecs of which one packet is one frame and the key flag (for H.264 and HEVC: the
// bitstream) tells where decoding may start. VP8 is not among them: its hidden frames are packets.
var copyable = []string{
	"h264", "hevc", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4", "mjpeg", "prores", "dnxhd", "ffv1", "huffyuv", "ffvhuff", "utvideo",
}

// unfit returns why single packets rule out stream copies, or "".
func unfit(src *Source, video []packet) string {
	v := src.Video
	if !slices.Contains(copyable, v.Codec) {
		return fmt.Sprintf("copies of %s can't be shown to decode to the same frames", v.Codec)
	}
	if (v.Codec == "h264" || v.Codec == "hevc") && v.FieldOrder != "" && v.FieldOrder != "progressive" {
		return "the video is interlaced, so a packet may hold a single field"
	}
	for i, p := range video {
		switch {
		case p.reset && i > 0:
			return "its codec parameters change on the way"
		case !p.timed:
			return "some packets have no timestamp"
		case p.size == 0 || v.Codec == "mpeg4" && p.size < 16:
			return "some packets are placeholders without a frame"
		}
	}
	return ""
}

// Bounds on what copies can be proven for.
const (
	// minDistance keeps frames apart on Matroska's clock, in milliseconds.
	minDistance = 2
	// maxReorder is how far decode and display order may differ; codecs allow 16 frames and some fields.
	maxReorder = 40
)

// unfitTimes returns why the timestamps rule out stream copies, or "".
func unfitTimes(src *Source, video []packet, shown, hidden []int32) string {
	base := src.Video.TimeBase
	for i := 1; i < len(shown); i++ {
		if (video[shown[i]].pts-video[shown[i-1]].pts)*1000*base.Num < minDistance*base.Den {
			return fmt.Sprintf("some frames are less than %d ms apart", minDistance)
		}
	}
	first, last := video[shown[0]].pts, video[shown[len(shown)-1]].pts
	for _, h := range hidden {
		if p := video[h].pts; p >= first && p <= last {
			return "its edit list hides frames in the middle"
		}
	}
	all := make([]int32, len(video))
	for i := range all {
		all[i] = int32(i)
	}
	slices.SortStableFunc(all, func(a, b int32) int { return int(max(-1, min(1, video[a].pts-video[b].pts))) })
	for i, position := range all {
		if d := int(position) - i; d > maxReorder || d < -maxReorder {
			return "its clock jumps"
		}
	}
	return ""
}

// lastDuration returns how long the last frame stands: what its packet says, else as long as the one before, else one
// frame of the frame rate.
func lastDuration(src *Source, pts []int64, said int64) int64 {
	if said > 0 {
		return said
	}
	if n := len(pts); n > 1 {
		return pts[n-1] - pts[n-2]
	}
	return max(1, frameTicks(src))
}

// frameTicks returns the nominal distance of frames in ticks, at 25 frames per second when the rate isn't known.
func frameTicks(src *Source) int64 {
	rate, base := src.Video.FrameRate, src.Video.TimeBase
	if rate.Num <= 0 || rate.Den <= 0 {
		rate = Rational{Num: 25, Den: 1}
	}
	return max(1, int64(1/(rate.Float()*base.Float())+0.5))
}
