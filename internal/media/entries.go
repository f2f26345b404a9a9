package media

import (
	"fmt"
	"os"
	"slices"
)

// maxEntryDistance bounds what is decoded before a segment's own frames.
const maxEntryDistance = 1200

// findEntries returns the entry points that are proven, or why there are too few.
func findEntries(src *Source, video []packet, tl *Timeline) ([]Entry, string) {
	f, err := os.Open(src.Path)
	if err != nil {
		return nil, "the source can't be read again"
	}
	defer f.Close()
	prover := newProver(f, src)
	frames := displayIndex(len(video), tl.Order)
	reach := earliest(tl.Order)
	entries := []Entry{{}}
	for i, p := range video {
		if !p.key || i == 0 {
			continue
		}
		frame := int(frames[i])
		hidden := frame < 0
		if hidden && p.pts > tl.PTS[0] {
			continue // hidden after the end
		}
		if frame = max(frame, 0); int(reach[frame]) < i {
			continue // a frame shown later is stored earlier
		}
		switch prover.judge(p) {
		case splice:
			return nil, "it is spliced at a broken link"
		case exactEntry:
			if frame == 0 { // the latest start that gives frame 0
				entries[0].Packet = i
				continue
			}
			entries = append(entries, Entry{Frame: frame, Packet: i})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Frame - b.Frame })
	return entries, tooFar(entries, len(tl.PTS))
}

// displayIndex inverts Order: packet position to display index, -1 for hidden ones.
func displayIndex(packets int, order []int32) []int32 {
	index := make([]int32, packets)
	for i := range index {
		index[i] = -1
	}
	for frame, position := range order {
		index[position] = int32(frame)
	}
	return index
}

// earliest returns for each frame the first packet position among it and all frames shown later.
func earliest(order []int32) []int32 {
	reach := slices.Clone(order)
	for i := len(reach) - 2; i >= 0; i-- {
		reach[i] = min(reach[i], reach[i+1])
	}
	return reach
}

func tooFar(entries []Entry, frames int) string {
	for i, e := range entries {
		next := frames
		if i+1 < len(entries) {
			next = entries[i+1].Frame
		}
		if d := next - e.Frame; d > maxEntryDistance {
			return fmt.Sprintf("decoding can't be proven to start exactly for %d frames in a row", d)
		}
	}
	return ""
}
