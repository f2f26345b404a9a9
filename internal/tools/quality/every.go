package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// steps are the values of --depth-every that are measured.
var steps = []int{2, 3, 4, 6}

// oracle is a network that knows a scene's true inverse depth, so that what --depth-every costs is all that is lost.
type oracle struct {
	pictures []*depth.Picture // of the scene's frames
	truth    [][]float32
}

var _ depth.Net = (*oracle)(nil)

// oracleSpec is a quarter of what real networks want, to be quick.
var oracleSpec = depth.Spec{Side: 126, Multiple: 14}

// newOracle renders a scene of w×h pixels.
func newOracle(name string, w, h int) (*oracle, error) {
	s, err := scene.New(name, w, h)
	if err != nil {
		return nil, err
	}
	s = s.Noisy(grain)
	pw, ph := oracleSpec.Size(w, h)
	reducer := depth.NewReducer[uint8](w, h, depth.Sampling{W: pw, H: ph, Cubic: true}, depth.Coding{})
	frame := yuv.New[uint8](w, h, 8)
	o := &oracle{}
	for t := range min(s.Frames, mostFrames) {
		scene.Render(s, t, 0, frame, nil)
		p := reducer.Reduce(frame, nil)
		p.Number = t
		_, inv := s.Frame(t, 0)
		o.pictures, o.truth = append(o.pictures, p), append(o.truth, areaMeans(inv, w, h, pw, ph))
	}
	return o, nil
}

// mostFrames of a scene are looked at.
const mostFrames = 36

// Spec implements depth.Net.
func (*oracle) Spec() depth.Spec { return oracleSpec }

// Batch implements depth.Net.
func (*oracle) Batch() int { return 1 }

// Infer implements depth.Net.
func (o *oracle) Infer(pictures []depth.Input) ([]depth.Map, error) {
	var maps []depth.Map
	for _, p := range pictures {
		maps = append(maps, depth.Map{W: p.W, H: p.H, D: slices.Clone(o.truth[p.Number])})
	}
	return maps, nil
}

// seen are the maps of all frames where the oracle sees every n-th.
func (o *oracle) seen(n int) ([]depth.Estimate, error) {
	est := depth.NewNeural(o, depth.NeuralOptions{Every: n})
	var all []depth.Estimate
	for _, p := range o.pictures {
		ready, err := est.Push(p)
		if err != nil {
			return nil, err
		}
		all = append(all, ready...)
	}
	rest, err := est.Flush()
	return append(all, rest...), err
}

// reportEvery prints what showing a network every n-th frame alone costs, on scenes of w×h pixels.
func reportEvery(out io.Writer, w, h int) error {
	fmt.Fprint(out, "| scene |")
	for _, n := range steps {
		fmt.Fprintf(out, " every %d |", n)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("--:|", len(steps)))
	for _, name := range scene.Names() {
		if name == scene.Demo {
			continue
		}
		o, err := newOracle(name, w, h)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s |", name)
		for _, n := range steps {
			c, err := o.cost(n)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, " %.2f (%.2f) |", c.carried, c.held)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
	return nil
}

// everyCost is how far the maps of frames between are from those of a network that sees every frame, in pixels of disparity
// at 1080p with the default divergence, on average: as they are, and if the last map seen were held.
type everyCost struct{ carried, held float64 }

func (o *oracle) cost(every int) (everyCost, error) {
	all, err := o.seen(1)
	if err != nil {
		return everyCost{}, err
	}
	some, err := o.seen(every)
	if err != nil {
		return everyCost{}, err
	}
	var c everyCost
	n, key := 0, 0
	for t := range all {
		if t%every == 0 || all[t].Cut {
			key = t
			continue
		}
		for i, v := range all[t].Map.D {
			c.carried += fullDisparity * math.Abs(float64(v-some[t].Map.D[i]))
			c.held += fullDisparity * math.Abs(float64(v-all[key].Map.D[i]))
			n++
		}
	}
	return everyCost{c.carried / float64(n), c.held / float64(n)}, nil
}

// fullDisparity is the default divergence at 1080p, in pixels.
const fullDisparity = 0.02 * 1920
