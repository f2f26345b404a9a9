package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// directPackets is how many packets FFmpeg is asked for to see that the container stores packets as they are.
const directPackets = 8

// directSource reads a video's packets where they lie in an MP4 or Matroska file. FFmpeg would give
// the same bytes; without its detour splitting costs little more than copying the file.
type directSource struct {
	f     *os.File
	plan  *Plan
	head  []byte
	at    int // the next packet's position
	block []byte
}

// openDirect returns nil, without an error, where packets must come from FFmpeg: for other containers,
// for plans that were read back, and when the first packets aren't stored as FFmpeg gives them.
func openDirect(ctx context.Context, path string, plan *Plan) (*directSource, error) {
	format := plan.Source.Format
	if plan.Lossless != "" || plan.table == nil || !strings.HasPrefix(format, "mov") && !strings.HasPrefix(format, "matroska") {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Reason: plan.Source.name() + " can't be opened", Err: err}
	}
	d := &directSource{f: f, plan: plan}
	same, err := d.compare(ctx, path)
	if err != nil || !same {
		d.close()
		return nil, err
	}
	d.at = plan.Segments[0].PacketFirst
	return d, nil
}

// compare reports whether the first packets are those that FFmpeg gives, and keeps its header.
func (d *directSource) compare(ctx context.Context, path string) (bool, error) {
	if info, err := d.f.Stat(); err != nil || info.Size() != d.plan.table.file.Size() || !info.ModTime().Equal(d.plan.table.file.ModTime()) {
		return false, err
	}
	p := ffmpegCommand(path, splitArgs(path, d.plan, "-frames:v", fmt.Sprint(directPackets))...)
	given, err := p.output(ctx, 2*maxElement)
	if err != nil {
		return false, err
	}
	blocks := newBlockReader(bytes.NewReader(given))
	for n := 0; ; n++ {
		want, err := blocks.next()
		if err == io.EOF {
			d.head = blocks.head
			return n >= min(directPackets, len(d.plan.table.video)), nil
		}
		if err != nil || n >= len(d.plan.table.video) {
			return false, err
		}
		got, err := d.next()
		if err != nil || got.time != want.time || got.key != want.key || !bytes.Equal(got.data, want.data) {
			return false, nil
		}
	}
}

func (d *directSource) header() []byte { return d.head }

func (d *directSource) close() { d.f.Close() }

func (d *directSource) next() (block, error) {
	video := d.plan.table.video
	if d.at == len(video) {
		return block{}, io.EOF
	}
	p := video[d.at]
	data, err := d.read(p)
	if err != nil {
		return block{}, &Error{Reason: fmt.Sprintf("%s can't be split as planned: packet %d isn't where it was: was it changed?", d.plan.Source.name(), d.at), Err: err}
	}
	d.at++
	return block{time: milliseconds(p.pts, d.plan.TimeBase) + d.plan.Shift, key: p.key, data: data}, nil
}

// read returns a packet's content.
func (d *directSource) read(p packet) ([]byte, error) {
	size, skip := int(p.size), 0
	if strings.HasPrefix(d.plan.Source.Format, "matroska") {
		skip = 16 // at most: the block's header; see blockContent
	}
	if cap(d.block) < size+skip {
		d.block = make([]byte, size+skip)
	}
	b := d.block[:size+skip]
	n, err := d.f.ReadAt(b, p.pos)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if b = b[:n]; skip > 0 {
		b = blockContent(b, size)
	}
	if len(b) != size {
		return nil, io.ErrUnexpectedEOF
	}
	if codec := d.plan.Video.Codec; (codec == "h264" || codec == "hevc") && !wholeUnits(b) {
		return nil, errors.New("its NAL units don't fill it")
	}
	return b, nil
}

// wholeUnits reports whether lengths of four bytes divide a packet into NAL units without a rest.
func wholeUnits(b []byte) bool {
	for len(b) >= 4 {
		n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if n > len(b)-4 {
			return false
		}
		b = b[4+n:]
	}
	return len(b) == 0
}
