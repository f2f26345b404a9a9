package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
)

// checkWhole returns an *Error when the container promises more than the file holds. Formats without
// such a promise pass; what FFmpeg says while reading them is judged by cutOff.
func checkWhole(src *Source) error {
	f, err := os.Open(src.Path)
	if err != nil {
		return &Error{Reason: src.name() + " can't be opened", Err: err}
	}
	defer f.Close()
	promised := promisedSize(f, src.Size, src.Format)
	if promised <= src.Size {
		return nil
	}
	percent := float64(src.Size) / float64(promised) * 100
	return &Error{Reason: fmt.Sprintf("%s is cut off at about %.0f %%: its container promises %d bytes, the file holds %d: copy or download it again",
		src.name(), percent, promised, src.Size)}
}

// promisedSize returns how many bytes the container says it has, as far as it says so; at most size when whole.
func promisedSize(r io.ReaderAt, size int64, format string) int64 {
	switch {
	case strings.HasPrefix(format, "mov"):
		return chainEnd(r, size, mp4Box)
	case strings.HasPrefix(format, "matroska"):
		return chainEnd(r, size, ebmlElement)
	case format == "avi":
		return chainEnd(r, size, riffChunk)
	case format == "mpegts":
		return transportEnd(r, size)
	case format == "ogg":
		return oggEnd(r, size)
	case format == "flv":
		return flvEnd(r, size)
	}
	return size
}

// header reads up to 32 bytes at an offset.
func header(r io.ReaderAt, at int64) []byte {
	b := make([]byte, 32)
	n, _ := r.ReadAt(b, at)
	return b[:n]
}

// maxChain bounds the top-level elements that are followed; fragmented files have thousands.
const maxChain = 1 << 20

// chainEnd follows top-level elements, each of which tells its length, and returns the end of the
// last one. length returns 0 when an element is open-ended or no element at all.
func chainEnd(r io.ReaderAt, size int64, length func([]byte) int64) int64 {
	at := int64(0)
	for range maxChain {
		n := length(header(r, at))
		if n <= 0 || n > 1<<60 {
			return size
		}
		if at += n; at >= size {
			return at
		}
	}
	return size
}

// mp4Box returns a box's length (ISO/IEC 14496-12, 4.2).
func mp4Box(b []byte) int64 {
	if len(b) < 8 {
		return 0
	}
	n := int64(binary.BigEndian.Uint32(b))
	if n == 1 && len(b) >= 16 {
		return int64(binary.BigEndian.Uint64(b[8:]) & (1<<62 - 1))
	}
	if n < 8 {
		return 0
	}
	return n
}

// ebmlElement returns the length of an element with its header (RFC 8794); 0 when its size is unknown.
func ebmlElement(b []byte) int64 {
	_, idLength := ebmlID(b)
	if idLength == 0 {
		return 0
	}
	n, sizeLength := ebmlSize(b[idLength:])
	if sizeLength == 0 || n == ebmlUnknown {
		return 0
	}
	return int64(idLength+sizeLength) + n
}

// riffChunk returns the length of a RIFF chunk (AVI files have one, OpenDML files several).
func riffChunk(b []byte) int64 {
	if len(b) < 12 || string(b[:4]) != "RIFF" {
		return 0
	}
	n := int64(binary.LittleEndian.Uint32(b[4:]))
	if n == 0 { // written to a pipe, never completed
		return 0
	}
	return 8 + n + n&1
}

// transportEnd rounds the size of a transport stream up to whole packets of 188 bytes (192 with the
// time codes of BDAV): a packet cut in two is a cut file. A cut between packets can't be seen.
func transportEnd(r io.ReaderAt, size int64) int64 {
	const sync = 0x47
	b := make([]byte, 192*3)
	if n, _ := r.ReadAt(b, 0); n < len(b) {
		return size
	}
	packet := int64(0)
	switch {
	case b[0] == sync && b[188] == sync && b[376] == sync:
		packet = 188
	case b[4] == sync && b[196] == sync && b[388] == sync:
		packet = 192
	default:
		return size
	}
	return (size + packet - 1) / packet * packet
}

// oggEnd returns the end of the last page (RFC 3533): up to 27 + 255 bytes of header and 255·255 of content.
func oggEnd(r io.ReaderAt, size int64) int64 {
	const maxPage = 27 + 255 + 255*255
	from := max(0, size-maxPage)
	b := make([]byte, size-from)
	if _, err := r.ReadAt(b, from); err != nil && err != io.EOF {
		return size
	}
	i := bytes.LastIndex(b, []byte("OggS\x00"))
	if i < 0 {
		return size
	}
	page := b[i:]
	if len(page) < 27 || len(page) < 27+int(page[26]) {
		return size + 1
	}
	end := from + int64(i) + 27 + int64(page[26])
	for _, lace := range page[27 : 27+int(page[26])] {
		end += int64(lace)
	}
	return max(end, size)
}

// flvEnd checks that the file ends with a tag and its length (Adobe FLV 10.1, annex E.3).
func flvEnd(r io.ReaderAt, size int64) int64 {
	var tail [4]byte
	if size < 13+15 {
		return size + 1
	}
	if _, err := r.ReadAt(tail[:], size-4); err != nil {
		return size
	}
	length := int64(binary.BigEndian.Uint32(tail[:]))
	if length < 11 || length > size-13 {
		return size + 1
	}
	tag := header(r, size-4-length)
	if int64(tag[1])<<16|int64(tag[2])<<8|int64(tag[3]) != length-11 {
		return size + 1
	}
	return size
}

// cutOff returns an *Error when FFmpeg's messages say that the file ended in the middle of its content.
func cutOff(src *Source, messages string, lastSeconds float64) error {
	for _, said := range []string{"File ended prematurely", "partial file", "Truncating packet of size", "truncated"} {
		if strings.Contains(messages, said) {
			at := ""
			if src.Duration > 0 && lastSeconds > 0 && lastSeconds < src.Duration {
				at = fmt.Sprintf(" at about %.0f %%", lastSeconds/src.Duration*100)
			}
			return &Error{Reason: fmt.Sprintf("%s is cut off%s: the file ends in the middle of its content: copy or download it again", src.name(), at),
				Err: fmt.Errorf("ffprobe: %s", strings.TrimSpace(messages))}
		}
	}
	return nil
}
