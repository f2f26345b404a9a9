package hub

import (
	"strconv"
	"strings"
)

// eventID is what Last-Event-ID carries: a place in one hub's sequence, and the sum of the state that came with it,
// by which a viewer of one thing is known again by another process.
type eventID struct {
	epoch uint32
	seq   uint64
	sum   uint32
}

// String is the inverse of parseID.
func (id eventID) String() string {
	return strconv.FormatUint(uint64(id.epoch), 16) + "-" + strconv.FormatUint(id.seq, 16) + "-" + strconv.FormatUint(uint64(id.sum), 16)
}

// parseID reads what String wrote; ok is false for anything else.
func parseID(s string) (id eventID, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return eventID{}, false
	}
	epoch, err1 := strconv.ParseUint(parts[0], 16, 32)
	seq, err2 := strconv.ParseUint(parts[1], 16, 64)
	sum, err3 := strconv.ParseUint(parts[2], 16, 32)
	id = eventID{uint32(epoch), seq, uint32(sum)}
	if err1 != nil || err2 != nil || err3 != nil || id.String() != s {
		return eventID{}, false
	}
	return id, true
}

func (h *Hub) id(seq uint64, sum uint32) string { return eventID{h.epoch, seq, sum}.String() }
