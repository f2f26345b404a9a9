package media

import (
	"bytes"
	"encoding/binary"

	"github.com/Eyevinn/mp4ff/mp4"
)

// sampleDescription returns the stsd box: the segments' sample entry with what the container says beside the
// codec: how the views lie, and static HDR metadata.
func (t *videoTrack) sampleDescription() (mp4.Box, error) {
	var more []mp4.Box
	if mode, ok := stereoMode(t.layout); ok {
		more = append(more, fullBox("st3d", []byte{mode}))
	}
	if t.layout == Equirect180 {
		more = append(more, sphericalBox())
	}
	if h := t.video.HDR10; h != nil {
		more = append(more, hdr10Boxes(h)...)
	}
	entry := bytes.NewBuffer([]byte{0, 0, 0, 1}) // the number of entries
	entry.Write(t.segments[0].entry)
	for _, b := range more {
		if err := b.Encode(entry); err != nil {
			return nil, err
		}
	}
	sized(entry.Bytes()[4:])
	return fullBox("stsd", entry.Bytes()), nil
}

// size returns the picture's size in pixels as the track header has it.
func (t *videoTrack) size() (width, height mp4.Fixed32) {
	be := binary.BigEndian
	entry := t.segments[0].entry
	return mp4.Fixed32(be.Uint16(entry[32:])) << 16, mp4.Fixed32(be.Uint16(entry[34:])) << 16
}

// stereoMode returns the value of st3d's stereo_mode (Google, "Spherical Video V2 RFC"): 1 top and bottom, 2 left
// and right. It has none for swapped eyes, so cross-eyed files carry no tag in MP4: a wrong one would be worse.
func stereoMode(l Layout) (mode byte, ok bool) {
	switch l {
	case TopBottom, TopBottomHalf:
		return 1, true
	case SideBySide, SideBySideHalf, Equirect180:
		return 2, true
	}
	return 0, false
}

// fullBox is a box of version 0 without flags.
func fullBox(name string, payload []byte) *mp4.UnknownBox {
	return box(name, append(make([]byte, 4), payload...))
}

func box(name string, payload []byte) *mp4.UnknownBox {
	return mp4.CreateUnknownBox(name, uint64(8+len(payload)), payload)
}

// sphericalBox is sv3d for a front half of the sphere in each eye: an equirectangular projection of which a
// quarter on the left and on the right is missing, as 0.32 fixed point (Spherical Video V2 RFC).
func sphericalBox() *mp4.UnknownBox {
	const quarter = 1 << 30
	be := binary.BigEndian
	bounds := make([]byte, 8, 16) // top and bottom: nothing missing
	bounds = be.AppendUint32(be.AppendUint32(bounds, quarter), quarter)
	proj := append(boxBytes("prhd", make([]byte, 4+12)), boxBytes("equi", append(make([]byte, 4), bounds...))...)
	return box("sv3d", append(boxBytes("svhd", append(make([]byte, 4), "StereoSpot\x00"...)), boxBytes("proj", proj)...))
}

func boxBytes(name string, payload []byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(payload))), name...), payload...)
}

// hdr10Boxes returns mdcv and clli (ISO/IEC 14496-12, 12.1.6 and 12.1.7); primaries stand in the order green, blue, red.
func hdr10Boxes(h *HDR10) (boxes []mp4.Box) {
	if h.HasMastering {
		boxes = append(boxes, mp4.CreateMdcvBox(
			[3]uint16{uint16(h.Green[0]), uint16(h.Blue[0]), uint16(h.Red[0])},
			[3]uint16{uint16(h.Green[1]), uint16(h.Blue[1]), uint16(h.Red[1])},
			uint16(h.White[0]), uint16(h.White[1]), uint32(h.MaxLuminance), uint32(h.MinLuminance)))
	}
	if h.MaxCLL > 0 || h.MaxFALL > 0 {
		boxes = append(boxes, mp4.CreateClliBox(uint16(h.MaxCLL), uint16(h.MaxFALL)))
	}
	return boxes
}
