// Package child keeps neural networks in a process of their own. What ends that process, a fault in the runtime or
// memory that the system doesn't have, leaves the service standing, which may be the inference service, a server or a
// worker: Host is the service's side, which starts the child, starts it anew when it has died and lends its networks; Serve
// is the child's side.
//
// One child holds every network once, whatever the number of conversions: runs take turns on a machine anyway. Only
// pictures and maps cross over; decoding, rendering, encoding and the stores stay in the service.
package child

import (
	"fmt"
	"unsafe"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// The child's ends of what joins the two processes, as its file descriptors.
const (
	socketFD = 3 // a stream socket that carries calls (net/rpc) and their answers
	marksFD  = 4 // a pipe in which the child writes which call it computes
)

// DiedError says that the child died, or had to be ended, while it computed pictures of a clip or opened a network.
type DiedError struct {
	How     string
	Opening string // the network's name, where it was being opened
	Beside  bool   // it was at something else, every time that these pictures were given to one
}

func (e *DiedError) Error() string {
	switch {
	case e.Opening != "":
		return fmt.Sprintf("the process that computes depth died while %s was opened: %s", e.Opening, e.How)
	case e.Beside:
		return fmt.Sprintf("the process that computes depth died %d times of something else, the last time: %s", tries, e.How)
	}
	return "the process that computes depth died of these pictures: " + e.How
}

// OfPictures reports whether the clip's pictures were what it died of.
func (e *DiedError) OfPictures() bool { return e.Opening == "" && !e.Beside }

// Opened is what the child says of a network.
type Opened struct {
	Model job.DepthOptions // with its content
	Spec  depth.Spec
	Batch int
	By    string // what computes it, for people
}

// InferArgs asks for the maps of a few pictures of one size.
type InferArgs struct {
	Call     uint64 // its number, as the marks name it
	Model    job.DepthOptions
	W, H     int
	Weights  depth.Weights
	Pictures []Planes
}

// Planes are those of a picture: W·H values each, in this machine's form.
type Planes struct {
	Y, Cb, Cr []byte
	Mirrored  bool
}

// Inferred is the answer to InferArgs.
type Inferred struct {
	Batch int // which shrinks when the memory of a GPU is short
	W, H  int
	Maps  [][]byte // W·H values each
}

// bytesOf returns the bytes of values, which share their memory. Both processes run on one machine.
func bytesOf(values []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}

// valuesOf returns a copy of values, of which there must be n.
func valuesOf(bytes []byte, n int) ([]float32, error) {
	if len(bytes) != 4*n {
		return nil, fmt.Errorf("%d bytes for %d values", len(bytes), n)
	}
	values := make([]float32, n)
	copy(bytesOf(values), bytes)
	return values, nil
}

// pack writes pictures for the other process. They are not empty.
func pack(model job.DepthOptions, pictures []depth.Input) InferArgs {
	first := pictures[0]
	a := InferArgs{Model: model, W: first.W, H: first.H, Weights: first.Weights, Pictures: make([]Planes, len(pictures))}
	for i, p := range pictures {
		a.Pictures[i] = Planes{Y: bytesOf(p.Y), Cb: bytesOf(p.Cb), Cr: bytesOf(p.Cr), Mirrored: p.Mirrored}
	}
	return a
}

// unpack is the inverse of pack.
func (a InferArgs) unpack() ([]depth.Input, error) {
	pictures := make([]depth.Input, len(a.Pictures))
	for i, from := range a.Pictures {
		p := &depth.Picture{W: a.W, H: a.H, Weights: a.Weights}
		for plane, bytes := range map[*[]float32][]byte{&p.Y: from.Y, &p.Cb: from.Cb, &p.Cr: from.Cr} {
			var err error
			if *plane, err = valuesOf(bytes, a.W*a.H); err != nil {
				return nil, fmt.Errorf("a picture of %d×%d: %w", a.W, a.H, err)
			}
		}
		pictures[i] = depth.Input{Picture: p, Mirrored: from.Mirrored}
	}
	return pictures, nil
}

// maps returns the answer's maps, of which there must be n.
func (r Inferred) maps(n int) ([]depth.Map, error) {
	if len(r.Maps) != n {
		return nil, fmt.Errorf("%d maps for %d pictures", len(r.Maps), n)
	}
	maps := make([]depth.Map, n)
	for i, bytes := range r.Maps {
		values, err := valuesOf(bytes, r.W*r.H)
		if err != nil {
			return nil, fmt.Errorf("a map of %d×%d: %w", r.W, r.H, err)
		}
		maps[i] = depth.Map{W: r.W, H: r.H, D: values}
	}
	return maps, nil
}
