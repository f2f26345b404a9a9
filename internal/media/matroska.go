package media

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Matroska's element identifiers (RFC 9559) that segments are made of.
const (
	idEBML        = 0x1A45DFA3
	idSegment     = 0x18538067
	idSeekHead    = 0x114D9B74
	idInfo        = 0x1549A966
	idTracks      = 0x1654AE6B
	idTags        = 0x1254C367
	idTag         = 0x7373
	idTargets     = 0x63C0
	idSimpleTag   = 0x67C8
	idTagName     = 0x45A3
	idTagString   = 0x4487
	idCluster     = 0x1F43B675
	idTimestamp   = 0xE7
	idSimpleBlock = 0xA3
	idBlockGroup  = 0xA0
	idBlock       = 0xA1
	idReference   = 0xFB
)

// maxElement bounds one element: the largest picture that is taken, uncompressed with 16 bits, is smaller.
const maxElement = 512 << 20

// block is one packet of a video.
type block struct {
	time int64 // milliseconds
	key  bool
	data []byte // valid until the next one is read
}

// blockReader reads a Matroska file with one track from front to back. It is used only on files that this package wrote
// or that FFmpeg writes for it: times count in milliseconds.
type blockReader struct {
	r       *bufio.Reader
	head    []byte // the EBML header, Info and Tracks, as stored
	tag     []byte // the text of the tag named tagName
	cluster int64
	buf     []byte
}

func (b *blockReader) header() []byte { return b.head }

func newBlockReader(r io.Reader) *blockReader { return &blockReader{r: bufio.NewReaderSize(r, 1<<20)} }

// next returns the next block, or io.EOF after the last one. A stream that ends within an element is io.ErrUnexpectedEOF.
func (b *blockReader) next() (block, error) {
	for {
		id, raw, content, err := b.element()
		if err != nil {
			return block{}, err
		}
		switch id {
		case idEBML, idInfo, idTracks:
			b.head = append(b.head, raw...)
		case idTags:
			if text := findTag(content); text != nil {
				b.tag = append([]byte(nil), text...)
			}
		case idTimestamp:
			b.cluster = beInt(content)
		case idSimpleBlock:
			return b.block(content, len(content) > 3 && content[3]&0x80 != 0)
		case idBlockGroup:
			return b.block(child(content, idBlock), child(content, idReference) == nil)
		}
	}
}

// block reads a Block (RFC 9559, 10.1): track, two bytes of time, flags, one frame.
func (b *blockReader) block(content []byte, key bool) (block, error) {
	if len(content) < 4 || content[0]&0x80 == 0 || content[3]&6 != 0 {
		return block{}, errors.New("matroska: block of more than one frame or of no track")
	}
	offset := int64(int16(binary.BigEndian.Uint16(content[1:])))
	return block{time: b.cluster + offset, key: key, data: content[4:]}, nil
}

// element reads one element. Segment and Cluster are only entered: their children come one by one.
func (b *blockReader) element() (id uint32, raw, content []byte, err error) {
	peek, err := b.r.Peek(12)
	if len(peek) == 0 {
		return 0, nil, nil, err
	}
	id, n := ebmlID(peek)
	if n == 0 {
		return 0, nil, nil, unexpected(len(peek), errors.New("matroska: no element identifier"))
	}
	size, m := ebmlSize(peek[n:])
	if m == 0 {
		return 0, nil, nil, unexpected(len(peek), errors.New("matroska: no element size"))
	}
	n += m
	if id == idSegment || id == idCluster {
		_, err = b.r.Discard(n)
		return id, nil, nil, err
	}
	if size > maxElement {
		return 0, nil, nil, fmt.Errorf("matroska: element %#x has %d bytes", id, size)
	}
	raw, err = b.take(n + int(size))
	if err != nil {
		return 0, nil, nil, err
	}
	return id, raw, raw[n:], nil
}

// unexpected returns err, or io.ErrUnexpectedEOF where the stream ended.
func unexpected(peeked int, err error) error {
	if peeked < 12 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take reads n bytes into the reader's buffer, which grows with what is there and not with what is announced.
func (b *blockReader) take(n int) ([]byte, error) {
	b.buf = b.buf[:0]
	for len(b.buf) < n {
		at := len(b.buf)
		step := min(n-at, max(1<<20, at))
		if cap(b.buf) < at+step {
			grown := make([]byte, at, at+step)
			copy(grown, b.buf)
			b.buf = grown
		}
		b.buf = b.buf[:at+step]
		if _, err := io.ReadFull(b.r, b.buf[at:]); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return b.buf, nil
}

// child returns the content of the first child with the identifier, or nil.
func child(content []byte, want uint32) []byte {
	var found []byte
	children(content, func(id uint32, c []byte) bool {
		if id == want {
			found = c
		}
		return id != want
	})
	return found
}

// children calls each with every child until it returns false or what follows is no element.
func children(content []byte, each func(id uint32, content []byte) bool) {
	for len(content) > 0 {
		id, n := ebmlID(content)
		if n == 0 {
			return
		}
		size, m := ebmlSize(content[n:])
		if m == 0 || size > int64(len(content)-n-m) {
			return
		}
		end := n + m + int(size)
		if !each(id, content[n+m:end]) {
			return
		}
		content = content[end:]
	}
}

// findTag returns the text of our tag among the content of a Tags element, or nil.
func findTag(tags []byte) (text []byte) {
	children(tags, func(id uint32, tag []byte) bool {
		if id != idTag {
			return true
		}
		children(tag, func(id uint32, simple []byte) bool {
			if id == idSimpleTag && string(child(simple, idTagName)) == tagName {
				text = child(simple, idTagString)
			}
			return text == nil
		})
		return text == nil
	})
	return text
}

func beInt(b []byte) (v int64) {
	for _, c := range b[:min(len(b), 8)] {
		v = v<<8 | int64(c)
	}
	return v & (1<<62 - 1)
}

// tagName is the Matroska tag in which a segment file carries its SegmentInfo.
const tagName = "STEREOSPOT"

// A cluster is written when it has clusterBytes, as many segments may be open at once, or spans clusterSpan
// milliseconds: its blocks' times are relative to it, in 16 bits, and those of B-frames lie before.
const (
	clusterBytes = 256 << 10
	clusterSpan  = 5000
)

// segmentWriter writes one segment file: the header of the stream it is cut from, our tag, clusters.
type segmentWriter struct {
	file    *os.File
	blocks  []byte
	cluster int64
	times   []int64 // of every block, in milliseconds
}

func createSegment(path string, head, tag []byte) (*segmentWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, diskError(err)
	}
	w := &segmentWriter{file: f}
	simple := appendElement(appendElement(nil, idTagName, []byte(tagName)), idTagString, tag)
	tags := appendElement(nil, idTags, appendElement(nil, idTag, appendElement(nil, idTargets), appendElement(nil, idSimpleTag, simple)))
	ebml, rest := splitHead(head)
	start := appendID(append([]byte(nil), ebml...), idSegment)
	start = append(start, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF) // ends with the file
	return w, w.write(append(append(start, rest...), tags...))
}

// splitHead parts the EBML header from what belongs into the Segment.
func splitHead(head []byte) (ebml, rest []byte) {
	_, n := ebmlID(head)
	size, m := ebmlSize(head[n:])
	end := min(int64(n+m)+size, int64(len(head)))
	return head[:end], head[end:]
}

func (w *segmentWriter) write(b []byte) error {
	if _, err := w.file.Write(b); err != nil {
		return diskError(err)
	}
	return nil
}

// add appends a block.
func (w *segmentWriter) add(b block) error {
	if far := b.time - w.cluster; len(w.blocks) > 0 && (len(w.blocks) >= clusterBytes || far > clusterSpan || far < -clusterSpan) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if len(w.blocks) == 0 {
		w.cluster = b.time
	}
	flags := byte(0)
	if b.key {
		flags = 0x80
	}
	offset := uint16(b.time - w.cluster)
	w.blocks = appendElement(w.blocks, idSimpleBlock, []byte{0x81, byte(offset >> 8), byte(offset), flags}, b.data)
	w.times = append(w.times, b.time)
	return nil
}

func (w *segmentWriter) flush() error {
	if len(w.blocks) == 0 {
		return nil
	}
	head := appendUint(nil, idTimestamp, uint64(w.cluster))
	size := len(head) + len(w.blocks)
	start := appendElement(nil, idCluster)
	binary.BigEndian.PutUint64(start[len(start)-8:], 1<<56|uint64(size))
	if err := w.write(append(start, head...)); err != nil {
		return err
	}
	err := w.write(w.blocks)
	w.blocks = w.blocks[:0]
	return err
}

func (w *segmentWriter) close() error {
	err := w.flush()
	if closeErr := w.file.Close(); err == nil && closeErr != nil {
		err = diskError(closeErr)
	}
	return err
}
