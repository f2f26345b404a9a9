package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits on what a converted segment may make us hold.
const (
	maxIndexBytes     = 64 << 20 // of its moov box
	maxSegmentSamples = 1 << 22
)

// Segments come from workers and from disks, so their indexes are read here with bounds that hold whatever
// the bytes say: a count is believed only as far as the bytes that it speaks of are there.

// readIndex returns the content of the moov box of an MP4 file of the given size in bytes.
func readIndex(r io.ReaderAt, size int64) ([]byte, error) {
	var header [16]byte
	for at := int64(0); at+8 <= size; {
		n := min(int64(len(header)), size-at)
		if _, err := r.ReadAt(header[:n], at); err != nil {
			return nil, err
		}
		length, head := int64(u32(header[:], 0)), int64(8)
		switch {
		case length == 0: // to the end of the file
			length = size - at
		case length == 1 && n == 16:
			length, head = int64(binary.BigEndian.Uint64(header[8:])), 16
		}
		if length < head || length > size-at {
			return nil, errors.New("it is cut off")
		}
		if string(header[4:8]) == "moov" {
			if length > maxIndexBytes {
				return nil, fmt.Errorf("its index is larger than %d MiB", maxIndexBytes>>20)
			}
			body := make([]byte, length-head)
			_, err := r.ReadAt(body, at+head)
			return body, err
		}
		at += length
	}
	return nil, errors.New("it has no index: it wasn't finished")
}

// rawBox is a box in memory.
type rawBox struct {
	name string
	body []byte // without the header
	all  []byte // with it
}

// boxesIn yields the boxes in data, as far as they are whole.
func boxesIn(data []byte) func(yield func(rawBox) bool) {
	return func(yield func(rawBox) bool) {
		for len(data) >= 8 {
			n := u32(data, 0)
			if n < 8 || int64(n) > int64(len(data)) || !yield(rawBox{string(data[4:8]), data[8:n], data[:n]}) {
				return
			}
			data = data[n:]
		}
	}
}

// find returns the content of the first box at the end of a path of names, or nil.
func find(data []byte, path ...string) []byte {
	for _, name := range path {
		var next []byte
		for b := range boxesIn(data) {
			if b.name == name {
				next = b.body
				break
			}
		}
		data = next
	}
	return data
}

// rows returns the rows of a table box: version and flags, the number of rows, then rows of width bytes.
func rows(stbl []byte, name string, width int) ([]byte, int, error) {
	body := find(stbl, name)
	if len(body) >= 8 {
		n := int64(u32(body, 1))
		if size := n * int64(width); n <= maxSegmentSamples && size <= int64(len(body)-8) {
			return body[8 : 8+size], int(n), nil
		}
	}
	return nil, 0, fmt.Errorf("its %s table is damaged", name)
}

// chunkOffsets returns where chunks lie in the file, from an stco or a co64 box.
func chunkOffsets(stbl []byte) (offset func(chunk int) int64, chunks int, err error) {
	if find(stbl, "stco") != nil {
		data, n, err := rows(stbl, "stco", 4)
		return func(i int) int64 { return int64(u32(data, i)) }, n, err
	}
	data, n, err := rows(stbl, "co64", 8)
	return func(i int) int64 { return int64(binary.BigEndian.Uint64(data[8*i:])) }, n, err
}

// u32 returns the i-th 32-bit number.
func u32(b []byte, i int) uint32 { return binary.BigEndian.Uint32(b[4*i:]) }

// sized writes a box's length into its first four bytes.
func sized(box []byte) []byte {
	binary.BigEndian.PutUint32(box, uint32(len(box)))
	return box
}
