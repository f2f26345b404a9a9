package media

import (
	"bytes"
	"encoding/binary"
)

// entryKind is what the start of a packet says about decoding from it.
type entryKind int

const (
	notProven entryKind = iota // decoding from here isn't known to be exact
	exactEntry
	splice // a broken link: a decoder drops pictures after it, so packets and frames don't match
)

// h264Entry judges an H.264 access unit (ITU-T H.264, 7.4.1): an IDR picture is an entry, and so is an intra picture
// with a recovery point SEI (D.2.8) that promises exact pictures from itself on. A recovery point
// some frames later is a gradual refresh: not exact.
func h264Entry(units [][]byte) entryKind {
	recovers := false
	for _, u := range units {
		if len(u) < 2 {
			continue
		}
		switch u[0] & 31 {
		case 5:
			return exactEntry
		case 6:
			recovers = recovers || exactRecoveryPoint(unescape(u[1:]))
		case 1, 2:
			if recovers && intraSlice(unescape(u[1:min(len(u), 32)])) {
				return exactEntry
			}
			return notProven
		}
	}
	return notProven
}

// hevcEntry judges an HEVC access unit by its first slice (ITU-T H.265, table 7-1): IDR and CRA pictures
// are entries, BLA pictures (16 to 18) are splices.
func hevcEntry(units [][]byte) entryKind {
	for _, u := range units {
		if len(u) < 2 {
			continue
		}
		switch kind := u[0] >> 1 & 63; {
		case kind >= 16 && kind <= 18:
			return splice
		case kind >= 19 && kind <= 21:
			return exactEntry
		case kind < 32:
			return notProven
		}
	}
	return notProven
}

// exactRecoveryPoint reports whether SEI messages hold a recovery point at this very picture: recovery_frame_cnt 0,
// exact_match_flag 1, broken_link_flag 0.
func exactRecoveryPoint(sei []byte) bool {
	for len(sei) > 2 {
		var kind, size int
		kind, sei = seiNumber(sei)
		size, sei = seiNumber(sei)
		if size > len(sei) {
			return false
		}
		if kind == 6 && size > 0 {
			return sei[0]>>5 == 0b110
		}
		sei = sei[size:]
	}
	return false
}

func seiNumber(b []byte) (n int, rest []byte) {
	for i, c := range b {
		n += int(c)
		if c != 255 {
			return n, b[i+1:]
		}
	}
	return n, nil
}

// intraSlice reports whether a slice header says I (slice_type 2 or 7) or SI (4 or 9).
func intraSlice(b []byte) bool {
	r := bitReader{b: b}
	r.golomb() // first_mb_in_slice
	kind, ok := r.golomb()
	return ok && (kind == 2 || kind == 7 || kind == 4 || kind == 9)
}

// bitReader reads Exp-Golomb codes (ITU-T H.264, 9.1).
type bitReader struct {
	b  []byte
	at int
}

func (r *bitReader) bit() (v int, ok bool) {
	if r.at >= 8*len(r.b) {
		return 0, false
	}
	v = int(r.b[r.at/8]>>(7-r.at%8)) & 1
	r.at++
	return v, true
}

func (r *bitReader) golomb() (v int, ok bool) {
	zeros := 0
	for {
		b, ok := r.bit()
		if !ok || zeros > 30 {
			return 0, false
		}
		if b == 1 {
			break
		}
		zeros++
	}
	v = 1
	for range zeros {
		b, ok := r.bit()
		if !ok {
			return 0, false
		}
		v = v<<1 | b
	}
	return v - 1, true
}

// unescape removes emulation prevention bytes: 00 00 03 stands for 00 00.
func unescape(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0, 0, 3}, []byte{0, 0}) }

// lengthPrefixed splits the start of a packet with NAL units of stated lengths. The last one may be cut; ok is false
// when the lengths make no sense for a packet of size bytes.
func lengthPrefixed(b []byte, prefix, size int) (units [][]byte, ok bool) {
	for at := 0; at+prefix < len(b); {
		var n int
		switch prefix {
		case 4:
			n = int(binary.BigEndian.Uint32(b[at:]))
		case 2:
			n = int(binary.BigEndian.Uint16(b[at:]))
		case 1:
			n = int(b[at])
		default:
			return nil, false
		}
		at += prefix
		if n == 0 || n > size-at {
			return nil, false
		}
		units = append(units, b[at:min(at+n, len(b))])
		at += n
	}
	return units, len(units) > 0
}

// startCoded splits the start of a packet with NAL units behind start codes (ITU-T H.264, annex B).
func startCoded(b []byte) (units [][]byte, ok bool) {
	code := []byte{0, 0, 1}
	i := bytes.Index(b, code)
	if i < 0 || len(bytes.Trim(b[:i], "\x00")) > 0 {
		return nil, false
	}
	for b = b[i+3:]; len(b) > 0; {
		next := bytes.Index(b, code)
		if next < 0 {
			return append(units, b), true
		}
		units = append(units, bytes.TrimRight(b[:next], "\x00"))
		b = b[next+3:]
	}
	return units, len(units) > 0
}
