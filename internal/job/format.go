package job

import (
	"fmt"
	"slices"
	"strings"
)

// Format is the arrangement of the two views (or of picture and depth) in one output frame.
type Format string

// The output formats. "Full" keeps each view at the source's resolution, so the frame grows;
// "half" squeezes each view by two along the packing axis, so the frame keeps its size.
const (
	FullSBS   Format = "full-sbs"   // left | right, frame twice as wide
	HalfSBS   Format = "half-sbs"   // left | right, each squeezed to half width
	FullTB    Format = "full-tb"    // left over right, frame twice as high
	HalfTB    Format = "half-tb"    // left over right, each squeezed to half height
	CrossEyed Format = "cross-eyed" // right | left, frame twice as wide
	Anaglyph  Format = "anaglyph"   // both views mixed into one picture for red-cyan glasses
	VR180     Format = "vr180"      // left | right, each projected onto a half-equirectangular square
	Depth     Format = "depth"      // the depth map alone, grey, white = nearest
	RGBD      Format = "rgbd"       // picture | depth map, frame twice as wide
)

// Formats lists every Format in the order in which people are shown them.
func Formats() []Format {
	return []Format{FullSBS, HalfSBS, FullTB, HalfTB, CrossEyed, Anaglyph, VR180, Depth, RGBD}
}

// Valid reports whether f is one of Formats.
func (f Format) Valid() bool { return slices.Contains(Formats(), f) }

// AnaglyphMethod is the matrix that mixes two views into one red-cyan picture.
type AnaglyphMethod string

// The anaglyph methods.
const (
	Dubois    AnaglyphMethod = "dubois"     // least-squares projection, mixed in linear light
	Color     AnaglyphMethod = "color"      // red from the left view, green and blue from the right
	HalfColor AnaglyphMethod = "half-color" // as Color, with the left view's luma as red
	Gray      AnaglyphMethod = "gray"       // luma of each view
)

// AnaglyphMethods lists every AnaglyphMethod.
func AnaglyphMethods() []AnaglyphMethod { return []AnaglyphMethod{Dubois, Color, HalfColor, Gray} }

// Suffix returns the ending of a file name (before the extension) by which players recognise the
// format. The method counts only for Anaglyph; empty means Dubois.
func (f Format) Suffix(method AnaglyphMethod) string {
	switch f {
	case FullSBS:
		return "_LRF_Full_SBS"
	case HalfSBS:
		return "_LR"
	case FullTB:
		return "_TBF_fulltb"
	case HalfTB:
		return "_TB"
	case CrossEyed:
		return "_RLF_cross"
	case Anaglyph:
		if method == "" {
			method = Dubois
		}
		return "_redcyan_" + string(method)
	case VR180:
		return "_180x180_LR"
	case Depth:
		return "_depth"
	case RGBD:
		return "_RGBD"
	}
	return "_3D"
}

// ParseFormat returns the Format named s, or an error that lists the names.
func ParseFormat(s string) (Format, error) {
	if f := Format(s); f.Valid() {
		return f, nil
	}
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return "", fmt.Errorf("unknown format %q: use one of %s", s, strings.Join(names, ", "))
}
