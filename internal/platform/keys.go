package platform

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of keys, in bytes: S3's for the whole, and what file systems hold for a part between slashes, with room for a
// suffix.
const (
	maxKey     = 1024
	maxKeyPart = 200
)

// CheckKey admits the keys that every platform can hold: relative paths of plain names. ErrBadKey.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKey || !utf8.ValidString(key) || strings.ContainsAny(key, "\x00\\\n\r") {
		return fmt.Errorf("%w: %.80q", ErrBadKey, key)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || len(part) > maxKeyPart {
			return fmt.Errorf("%w: %.80q", ErrBadKey, key)
		}
	}
	return nil
}
