package platform

import (
	"fmt"
	"strings"
)

// Disposition writes the Content-Disposition header (RFC 6266) of a file that a browser shows in place or saves: its
// name in plain ASCII for old readers, and exactly (RFC 8187) for all others. An empty name leaves it to the URL.
func Disposition(name string, inline bool) string {
	kind := "attachment"
	if inline {
		kind = "inline"
	}
	if name == "" {
		return kind
	}
	plain := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || strings.ContainsRune(`"\/%`, c) {
			return '_'
		}
		return c
	}, name)
	return fmt.Sprintf("%s; filename=\"%s\"; filename*=UTF-8''%s", kind, plain, escapeName(name))
}

// escapeName percent-encodes all but RFC 8187's attr-char.
func escapeName(name string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`|~"
	var out strings.Builder
	for _, b := range []byte(strings.ToValidUTF8(name, "_")) {
		if strings.IndexByte(plain, b) >= 0 {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}
