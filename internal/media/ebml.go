package media

import "math/bits"

// ebmlUnknown is the size of an element that ends where its parent or the file does (RFC 8794, 6.2).
const ebmlUnknown = int64(1)<<56 - 1

// ebmlID reads an element's identifier with its marker bits, and returns how many bytes it has; 0 when b holds none.
func ebmlID(b []byte) (id uint32, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > 4 || len(b) < n {
		return 0, 0
	}
	for _, c := range b[:n] {
		id = id<<8 | uint32(c)
	}
	return id, n
}

// ebmlSize reads a variable-length number, ebmlUnknown when all its bits are set, and returns how many bytes it has; 0
// when b holds none.
func ebmlSize(b []byte) (v int64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > 8 || len(b) < n {
		return 0, 0
	}
	v = int64(b[0]) &^ (int64(0x80) >> (n - 1))
	for _, c := range b[1:n] {
		v = v<<8 | int64(c)
	}
	if v == int64(1)<<(7*n)-1 {
		return ebmlUnknown, n
	}
	return v, n
}

// appendElement appends an element: identifier, size in eight bytes, content.
func appendElement(b []byte, id uint32, content ...[]byte) []byte {
	size := 0
	for _, c := range content {
		size += len(c)
	}
	b = appendID(b, id)
	b = append(b, 0x01, byte(size>>48), byte(size>>40), byte(size>>32), byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
	for _, c := range content {
		b = append(b, c...)
	}
	return b
}

func appendID(b []byte, id uint32) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if id>>shift != 0 {
			b = append(b, byte(id>>shift))
		}
	}
	return b
}

// appendUint appends an element that holds an unsigned number in eight bytes.
func appendUint(b []byte, id uint32, v uint64) []byte {
	return appendElement(b, id, []byte{byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}
