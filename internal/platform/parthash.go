package platform

import (
	"fmt"
	"hash/crc32"
)

// PartHashLen is the length of PartHash's names.
const PartHashLen = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// PartHash names the content of a part where the store has a choice: two checksums of 32 bits with different
// polynomials, CRC-32C (RFC 3720) and CRC-32 (IEEE 802.3), which processors count at many gigabytes per second. They
// tell content that changed, by chance or by mistake, from content that didn't, with one miss in 2^64; they are no
// defence against somebody who wants a miss, who could as well upload what they like. The zero value is empty.
type PartHash struct{ c, ieee uint32 }

// Write implements io.Writer. It never fails.
func (h *PartHash) Write(p []byte) (int, error) {
	h.c, h.ieee = crc32.Update(h.c, castagnoli, p), crc32.Update(h.ieee, crc32.IEEETable, p)
	return len(p), nil
}

// Name returns 16 hexadecimal digits: CRC-32C, then CRC-32.
func (h *PartHash) Name() string { return fmt.Sprintf("%08x%08x", h.c, h.ieee) }
