package media

import (
	"io"
	"strconv"
	"strings"
)

// prover looks at the first bytes of key packets in the source file to see whether decoding may start there.
type prover struct {
	r      io.ReaderAt
	src    *Source
	buffer []byte
}

func newProver(r io.ReaderAt, src *Source) *prover { return &prover{r: r, src: src} }

// proofWindows are how many bytes of a packet are looked at: mostly the slice follows a few headers,
// sometimes captions or a picture's own metadata come first.
var proofWindows = [...]int{4 << 10, 128 << 10}

// judge returns whether decoding may start at a key packet. Where a codec's key flag isn't enough, the bitstream must prove it.
func (p *prover) judge(k packet) entryKind {
	switch p.src.Video.Codec {
	case "h264", "hevc", "mpeg1video", "mpeg2video":
	default:
		return exactEntry
	}
	for _, window := range proofWindows {
		data := p.read(k, window)
		if kind := p.inspect(data, int(k.size)); kind != notProven || len(data) >= int(k.size) {
			return kind
		}
	}
	return notProven
}

// inspect judges the start of a packet of size bytes.
func (p *prover) inspect(data []byte, size int) entryKind {
	if strings.HasPrefix(p.src.Video.Codec, "mpeg") {
		return mpegEntry(data)
	}
	units, ok := p.split(data, size)
	switch {
	case !ok:
		return notProven
	case p.src.Video.Codec == "h264":
		return h264Entry(units)
	}
	return hevcEntry(units)
}

// split finds the NAL units: with start codes in transport streams, with lengths of four bytes (hardly ever fewer) elsewhere.
func (p *prover) split(data []byte, size int) ([][]byte, bool) {
	if p.src.Format == "mpegts" {
		return startCoded(data)
	}
	for _, prefix := range []int{4, 2, 1} {
		if units, ok := lengthPrefixed(data, prefix, size); ok {
			return units, ok
		}
	}
	return nil, false
}

// mpegEntry wants a sequence header (ISO/IEC 13818-2, 6.2.2.1) first: with it come the quantiser matrices.
func mpegEntry(data []byte) entryKind {
	if len(data) >= 4 && data[0] == 0 && data[1] == 0 && data[2] == 1 && data[3] == 0xB3 {
		return exactEntry
	}
	return notProven
}

// read returns up to window bytes of the packet's content, or nil where the container isn't one in which we know to find it.
func (p *prover) read(k packet, window int) []byte {
	if k.pos < 0 {
		return nil
	}
	if cap(p.buffer) < window+16 {
		p.buffer = make([]byte, window+16)
	}
	want := min(window, int(k.size))
	switch {
	case strings.HasPrefix(p.src.Format, "mov"):
		return p.readAt(k.pos, want)
	case strings.HasPrefix(p.src.Format, "matroska"):
		return blockContent(p.readAt(k.pos, want+16), want)
	case p.src.Format == "mpegts":
		return p.readTransport(k.pos, want)
	}
	return nil
}

func (p *prover) readAt(at int64, n int) []byte {
	n, _ = p.r.ReadAt(p.buffer[:n], at)
	return p.buffer[:n]
}

// blockContent skips the header of a Matroska block: track, two bytes of time, flags. Lacing is refused.
func blockContent(b []byte, want int) []byte {
	_, n := ebmlSize(b)
	if n == 0 || len(b) < n+3 || b[n+2]&6 != 0 {
		return nil
	}
	b = b[n+3:]
	return b[:min(want, len(b))]
}

const transportPacket = 188

// readTransport gathers the start of a PES packet's content from transport packets (ISO/IEC 13818-1, 2.4.3).
func (p *prover) readTransport(at int64, want int) []byte {
	id, err := strconv.ParseInt(strings.TrimPrefix(p.src.videoStream().ID, "0x"), 16, 32)
	if err != nil {
		return nil
	}
	var content, buf []byte
	buf = make([]byte, 64*192)
	pes := false
	// Sound and tables stand between the video's packets.
	for limit := at + int64(want)*8 + 1<<18; at < limit && len(content) < want; {
		n, _ := p.r.ReadAt(buf, at)
		first, stride := transportLayout(buf[:n])
		if stride == 0 {
			break
		}
		for i := first; i+transportPacket <= n && len(content) < want; i += stride {
			payload, start, ok := transportPayload(buf[i:i+transportPacket], int(id))
			switch {
			case !ok:
			case start && pes:
				return content
			case start:
				pes, content = true, append(content, pesContent(payload)...)
			case pes:
				content = append(content, payload...)
			}
		}
		at += int64(n / stride * stride)
	}
	return content[:min(want, len(content))]
}

// transportLayout returns where the first packet starts and the distance of packets: 188 bytes, or 192 with BDAV time
// codes before each; 0 when b is no transport stream.
func transportLayout(b []byte) (start, stride int) {
	for _, stride := range []int{transportPacket, 192} {
		for _, start := range []int{0, 4} {
			next := start + stride
			if len(b) >= start+transportPacket && b[start] == 0x47 && (len(b) <= next || b[next] == 0x47) {
				return start, stride
			}
		}
	}
	return 0, 0
}

// transportPayload returns the payload of a transport packet of the given identifier, and whether a PES packet starts in it.
func transportPayload(b []byte, id int) (payload []byte, start, ok bool) {
	if b[0] != 0x47 || int(b[1]&31)<<8|int(b[2]) != id || b[3]&0x10 == 0 {
		return nil, false, false
	}
	skip := 4
	if b[3]&0x20 != 0 {
		skip += 1 + int(b[4])
	}
	if skip > len(b) {
		return nil, false, false
	}
	return b[skip:], b[1]&0x40 != 0, true
}

// pesContent skips a PES header.
func pesContent(b []byte) []byte {
	if len(b) < 9 || b[0] != 0 || b[1] != 0 || b[2] != 1 || 9+int(b[8]) > len(b) {
		return nil
	}
	return b[9+int(b[8]):]
}
