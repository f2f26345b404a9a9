package media

import (
	"bytes"
	"testing"
)

func TestContainersPromiseTheirSize(t *testing.T) {
	transport := bytes.Repeat(append([]byte{0x47}, make([]byte, 187)...), 5)
	for _, c := range []struct {
		name, format string
		data         []byte
		want         int64
	}{
		{"box", "mov,mp4", []byte("\x00\x00\x00\x10ftypisomisom\x00\x00\x01\x00mdat"), 16 + 256},
		{"large box", "mov,mp4", []byte("\x00\x00\x00\x01mdat\x00\x00\x00\x01\x00\x00\x00\x00"), 1 << 32},
		{"box to the end", "mov,mp4", []byte("\x00\x00\x00\x10ftypisomisom\x00\x00\x00\x00mdat"), 24},
		{"element", "matroska,webm", []byte("\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x10\x00\x01\x00"), 5 + 8 + 256},
		{"element without a size", "matroska,webm", []byte("\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"), 17},
		{"chunk", "avi", []byte("RIFF\x00\x01\x00\x00AVI LIST"), 8 + 256},
		{"chunk without a size", "avi", []byte("RIFF\x00\x00\x00\x00AVI LIST"), 16},
		{"whole packets", "mpegts", transport, 5 * 188},
		{"packet in two", "mpegts", transport[:900], 5 * 188},
		{"unknown format", "nut", []byte("nut/multimedia container\x00"), 25},
	} {
		if got := promisedSize(bytes.NewReader(c.data), int64(len(c.data)), c.format); got != c.want {
			t.Errorf("%s promises %d bytes, want %d", c.name, got, c.want)
		}
	}
}

func FuzzPromisedSize(f *testing.F) {
	for _, format := range []string{"mov,mp4", "matroska,webm", "avi", "mpegts", "ogg", "flv"} {
		f.Add([]byte("\x00\x00\x00\x10ftypisomisom\x00\x00\x01\x00mdat"), format)
		f.Add([]byte("OggS\x00\x02aaaaaaaabbbbccccdddd\x01\xff"), format)
	}
	f.Fuzz(func(t *testing.T, data []byte, format string) {
		if got := promisedSize(bytes.NewReader(data), int64(len(data)), format); got < 0 {
			t.Errorf("promises %d bytes", got)
		}
	})
}
