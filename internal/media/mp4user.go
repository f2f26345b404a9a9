package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// UserBox names a top-level box of type uuid (ISO/IEC 14496-12, 4.2), which players skip.
type UserBox [16]byte

const userBoxHeader = 8 + len(UserBox{})

// Append adds a box with content to the end of the MP4 file at path.
func (u UserBox) Append(path string, content []byte) error {
	size := userBoxHeader + len(content)
	if size > math.MaxUint32 {
		return fmt.Errorf("%d bytes are too many for a box", len(content))
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	header := append(binary.BigEndian.AppendUint32(nil, uint32(size)), "uuid"...)
	_, err = f.Write(append(append(header, u[:]...), content...))
	return errors.Join(err, f.Close())
}

// Read returns the content of the first such box of the MP4 file at path, of limit bytes at most; nil when there is none.
// What follows a damaged box isn't looked at.
func (u UserBox) Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	at := int64(0)
	for range maxChain {
		head := header(f, at)
		n := mp4Box(head)
		if n < 8 || n > info.Size()-at {
			return nil, nil
		}
		if size := n - int64(userBoxHeader); size >= 0 && binary.BigEndian.Uint32(head) == uint32(n) && string(head[4:8]) == "uuid" && UserBox(head[8:24]) == u {
			if size > limit {
				return nil, nil
			}
			content := make([]byte, size)
			_, err := io.ReadFull(io.NewSectionReader(f, at+int64(userBoxHeader), size), content)
			return content, err
		}
		at += n
	}
	return nil, nil
}
