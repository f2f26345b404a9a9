//go:build cgo

package onnx

import (
	"fmt"

	ort "github.com/yalue/onnxruntime_go"
)

// checkInput accepts [batch, 3, height, width], and [batch, views, 3, height, width] of networks that can look at several
// pictures of one scene (Depth Anything 3). Here one view is the whole scene: a frame's depth is to depend on the frame alone.
func checkInput(in ort.InputOutputInfo) error {
	d := in.Dimensions
	if len(d) == 5 && d[1] > 1 {
		return fmt.Errorf("the network's input %s is %s: it wants %d views of a scene at once; use one that takes a picture alone", in.Name, d, d[1])
	}
	if rank := len(d); rank != 4 && rank != 5 || d[rank-3] != 3 && d[rank-3] != -1 {
		return fmt.Errorf("the network's input %s is %s: use one that takes [batch, 3, height, width] or [batch, views, 3, height, width]", in.Name, d)
	}
	if d[0] > 1 {
		return fmt.Errorf("the network's input %s is %s: it wants %d pictures at once; use one that takes any number, or one", in.Name, d, d[0])
	}
	if w, h := fixedSides(d); w > mostSide || h > mostSide || w*h > mostPixels {
		return fmt.Errorf("the network's input %s is %s: pictures of %d×%d are too large", in.Name, d, w, h)
	}
	return nil
}

// Bounds of a network's pictures and maps, which a file may name or make of any size: those of the largest picture that
// --depth-size can ask for, and some room.
const (
	mostSide   = 1 << 14
	mostPixels = 1 << 25
)

// fixedSides returns the width and the height that an input names, 0 where any will do.
func fixedSides(d ort.Shape) (w, h int) {
	return int(max(d[len(d)-1], 0)), int(max(d[len(d)-2], 0))
}

// inputShape is the shape of a batch of pictures for the network's input.
func (m *Model) inputShape(batch, w, h int) []int64 {
	shape := []int64{int64(batch)}
	if len(m.in.shape) == 5 {
		shape = append(shape, 1)
	}
	return append(shape, 3, int64(h), int64(w))
}

// mapSize reads an output's shape: [batch, height, width], with ones anywhere.
func mapSize(s ort.Shape, batch int) (w, h int, err error) {
	var sides []int
	for i, n := range s {
		if n != 1 && !(i == 0 && len(s) > 2 && n == int64(batch)) {
			sides = append(sides, int(n))
		}
	}
	switch {
	case len(sides) != 2 || sides[0] < 1 || sides[1] < 1:
		return 0, 0, fmt.Errorf("the output's shape is %s: use a network that gives [batch, height, width], ones anywhere", s)
	case sides[0] > mostSide || sides[1] > mostSide || sides[0]*sides[1] > mostPixels:
		return 0, 0, fmt.Errorf("the output's shape is %s: a map of %d×%d is too large", s, sides[1], sides[0])
	case s.FlattenedSize() != int64(batch*sides[0]*sides[1]):
		return 0, 0, fmt.Errorf("the output's shape is %s, of %d pictures: use a network that gives a map for each", s, batch)
	}
	return sides[1], sides[0], nil
}
