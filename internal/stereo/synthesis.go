package stereo

// A view is made by an inverse map: for every pixel of its row, the place in the source row that it
// shows, in 1/256 pixel. The map is drawn forward. The source row is a chain of segments between
// neighbouring pixels; each is moved by the shifts of its ends and covers the pixels between them.
// Segments are drawn in the order in which nearer ones come later (McMillan and Bishop, "Head-tracked
// stereoscopic display using image warping", 1995), so near wins over far without a depth buffer:
// from right to left for the left view, where near things move right, and the other way round for
// the right view. A segment that has turned over is the far side of a silhouette and is not drawn.
// A segment torn at a cliff leaves a gap, which continues its far side, mirrored at the edge and stretched.

// fillStretch is by how much what fills a gap is stretched. Mirrored as it is, it would run against the silhouette at the
// same speed; the wider it is stretched, the stiller it holds, and the less detail it has (docs/quality.md has figures).
const fillStretch = 4

// maxStretch is the largest length of a drawn segment, in 1/256 pixel: its ends differ by a cliff at most.
const maxStretch = fixOne + cliff

// reciprocals[d] = 2^24/d: turns a division by a segment's length into a multiplication.
type reciprocals [maxStretch + 1]uint32

func newReciprocals() *reciprocals {
	var r reciprocals
	for d := 1; d < len(r); d++ {
		r[d] = (1<<24 + uint32(d)/2) / uint32(d)
	}
	return &r
}

// within returns how far along a segment of length d the offset v in [0, d) lies, in 1/256.
func (r *reciprocals) within(v, d int32) int32 {
	return int32(uint32(v) * r[d] >> 16)
}

func ceilFix(v int32) int32 { return (v + fixOne - 1) >> fixBits }

// mapRight draws the inverse map of the right view: source pixel x appears at x - shift[x]. places has margin pixels
// more than the row at each end, and no point lies beyond them (atBorder).
func mapRight(places, shift []int32, margin int, inv *reciprocals) {
	at := int32(margin)<<fixBits - shift[0] // where the segment starts
	from := ceilFix(at)                     // the first pixel from there
	bare := from                            // first pixel that nothing covers yet
	clear(places[:from])
	here := int32(margin) << fixBits // where pixel x would appear without a shift
	for x := 1; x < len(shift); x++ {
		here += fixOne
		end := here - shift[x]
		to := ceilFix(end)
		if to > from {
			if d := end - at; d <= maxStretch {
				base := int32(x-1) << fixBits
				for p := from; p < to; p++ {
					places[p] = base + inv.within(p<<fixBits-at, d)
				}
			} else if first := max(from, bare); first < to {
				mirrorRight(places, shift, first, to, x, end)
			}
			bare = max(bare, to)
		}
		at, from = end, to
	}
	last := int32(len(shift)-1) << fixBits
	for p := int(bare); p < len(places); p++ {
		places[p] = last
	}
}

// mapLeft is mapRight's mirror image: source pixel x appears at x + shift[x].
func mapLeft(places, shift []int32, margin int, inv *reciprocals) {
	n := len(shift)
	at := int32(margin+n-1)<<fixBits + shift[n-1] // where the segment ends
	to := ceilFix(at)                             // the first pixel that is not before it
	bare := to                                    // pixels from here on are covered
	last := int32(n-1) << fixBits
	for p := int(to); p < len(places); p++ {
		places[p] = last
	}
	here := int32(margin+n-1) << fixBits // where pixel x would appear without a shift
	for x := n - 2; x >= 0; x-- {
		here -= fixOne
		start := here + shift[x]
		from := ceilFix(start)
		if to > from {
			if d := at - start; d <= maxStretch {
				base := int32(x) << fixBits
				for p := from; p < to; p++ {
					places[p] = base + inv.within(p<<fixBits-start, d)
				}
			} else if past := min(to, bare); from < past {
				mirrorLeft(places, shift, from, past, x, start)
			}
			bare = min(bare, from)
		}
		at, to = start, from
	}
	clear(places[:max(bare, 0)])
}

// mirrorRight fills pixels [from, to) with the surface that starts at source pixel x, which appears
// at start, mirrored to the left.
func mirrorRight(places, shift []int32, from, to int32, x int, start int32) {
	reach := surfaceReach(shift, x, 1, int(to-from)/fillStretch+1)
	base := int32(x) << fixBits
	for p := from; p < to; p++ {
		places[p] = base + fold((start-p<<fixBits)/fillStretch, reach)
	}
}

// mirrorLeft fills pixels [from, to) with the surface that ends at source pixel x, which appears at
// end, mirrored to the right.
func mirrorLeft(places, shift []int32, from, to int32, x int, end int32) {
	reach := surfaceReach(shift, x, -1, int(to-from)/fillStretch+1)
	base := int32(x) << fixBits
	for p := from; p < to; p++ {
		places[p] = base - fold((p<<fixBits-end)/fillStretch, reach)
	}
}

// surfaceReach returns how far the surface at x goes on in direction step without a cliff, up to
// limit pixels, in 1/256 pixel.
func surfaceReach(shift []int32, x, step, limit int) int32 {
	n := 0
	for ; n < limit; n++ {
		next := x + step
		if next < 0 || next >= len(shift) {
			break
		}
		if d := shift[next] - shift[x]; d > cliff || d < -cliff {
			break
		}
		x = next
	}
	return int32(n) << fixBits
}

// fold reflects v ≥ 0 back and forth in [0, reach].
func fold(v, reach int32) int32 {
	if reach == 0 {
		return 0
	}
	v %= 2 * reach
	if v > reach {
		v = 2*reach - v
	}
	return v
}
