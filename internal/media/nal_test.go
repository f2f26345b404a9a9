package media

import "testing"

func TestH264EntriesAreIDRAndExactRecoveryPoints(t *testing.T) {
	idr, inter := []byte{0x65, 0x88}, []byte{0x41, 0xE0} // I slice; P slice
	intra := []byte{0x41, 0x88}                          // first_mb 0, slice_type 7: I
	recovery := func(b byte) []byte { return []byte{0x06, 6, 1, b, 0x80} }
	for name, c := range map[string]struct {
		units [][]byte
		want  entryKind
	}{
		"IDR":                        {[][]byte{{0x67, 1}, {0x68, 1}, idr}, exactEntry},
		"recovery at this picture":   {[][]byte{recovery(0b1100_0100), intra}, exactEntry},
		"recovery, not exact":        {[][]byte{recovery(0b1000_0100), intra}, notProven},
		"recovery at a broken link":  {[][]byte{recovery(0b1110_0100), intra}, notProven},
		"recovery some frames later": {[][]byte{recovery(0b0001_1001), intra}, notProven},
		"recovery before a P slice":  {[][]byte{recovery(0b1100_0100), inter}, notProven},
		"I slice without recovery":   {[][]byte{intra}, notProven},
		"recovery after another SEI": {[][]byte{{0x06, 5, 3, 1, 2, 3, 6, 1, 0xC4, 0x80}, intra}, exactEntry},
		"nothing":                    {nil, notProven},
		"SEI longer than its unit":   {[][]byte{{0x06, 255, 255, 1, 200, 1}, intra}, notProven},
	} {
		if got := h264Entry(c.units); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestHEVCEntriesAreRandomAccessPictures(t *testing.T) {
	unit := func(kind byte) []byte { return []byte{kind << 1, 1, 0x80} }
	for kind, want := range map[byte]entryKind{0: notProven, 1: notProven, 9: notProven, 16: splice, 18: splice, 19: exactEntry, 20: exactEntry, 21: exactEntry, 22: notProven} {
		if got := hevcEntry([][]byte{unit(32), unit(33), unit(34), unit(39), unit(kind)}); got != want {
			t.Errorf("picture of type %d: %v, want %v", kind, got, want)
		}
	}
}

func FuzzSplitUnits(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0x65, 0x88, 0, 0, 0, 1, 9}, 100)
	f.Add([]byte{0, 0, 0, 1, 9, 0xF0, 0, 0, 1, 6, 6, 1, 0xC4, 0x80, 0, 0, 1, 0x41, 0x88}, 19)
	f.Add([]byte{0x81, 0, 0, 0x80, 0, 0, 0, 1, 5}, 9)
	f.Fuzz(func(_ *testing.T, data []byte, size int) {
		for _, prefix := range []int{1, 2, 4} {
			units, _ := lengthPrefixed(data, prefix, size)
			h264Entry(units)
			hevcEntry(units)
		}
		units, _ := startCoded(data)
		h264Entry(units)
		hevcEntry(units)
		blockContent(data, 8)
		pesContent(data)
		transportLayout(data)
		if len(data) >= transportPacket {
			transportPayload(data[:transportPacket], 256)
		}
	})
}
