package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// dilations are the values of --edge-dilation that are measured, in cells of the map.
var dilations = []float64{0, 0.5, 1, 2, 3}

// edgeScenes are those whose silhouettes are measured: all that aren't like another.
var edgeScenes = []string{scene.Layers, scene.Solids, scene.Slants, scene.Dolly, scene.Mover}

// mapKind is a way in which depth maps fall short of the truth.
type mapKind struct {
	name string
	w, h int // of the map; 0 is classic's own depth
	// blur is the deviation of the blur, short by how much every near thing is too small at each side; both in cells.
	blur  float64
	short int
}

// mapKinds are maps of a network's size for HD, and of classic's.
var mapKinds = []mapKind{
	{"924×518, true", 924, 518, 0, 0},
	{"924×518, blurred by 1 cell", 924, 518, 1, 0},
	{"924×518, blurred by 2 cells", 924, 518, 2, 0},
	{"924×518, blurred by 1 and 1 cell short", 924, 518, 1, 1},
	{"924×518, blurred by 1 and 2 cells short", 924, 518, 1, 2},
	{"256×144, true", 256, 144, 0, 0},
	{"256×144, blurred by 1 cell", 256, 144, 1, 0},
	{"classic", 0, 0, 0, 0},
}

// edgeFrame is a frame of a scene, what its cameras see, and where the silhouettes are.
type edgeFrame struct {
	scene *scene.Scene
	src   *yuv.Frame[uint8]
	depth []float32
	left  *yuv.Frame[uint8]
	right *yuv.Frame[uint8]
	near  [2][]bool // by view and pixel: a silhouette is near
}

// edgeReach is how many pixels of each side of a silhouette count, at a width of 1920; edgeJump the difference of depth
// that makes one.
const (
	edgeReach = 12
	edgeJump  = 0.05
)

func newEdgeFrame(s *scene.Scene, t int) *edgeFrame {
	f := &edgeFrame{scene: s}
	f.src, f.depth = s.Frame(t, 0)
	var seen [2][]float32
	f.left, seen[0] = s.Frame(t, -0.5)
	f.right, seen[1] = s.Frame(t, 0.5)
	for eye, d := range seen {
		f.near[eye] = nearSilhouettes(d, s.Width, s.Height, max(1, edgeReach*s.Width/1920))
	}
	return f
}

// nearSilhouettes marks the pixels within reach of a jump of depth along their row.
func nearSilhouettes(d []float32, w, h, reach int) []bool {
	marked := make([]bool, w*h)
	for y := range h {
		for x := 1; x < w; x++ {
			if math.Abs(float64(d[y*w+x]-d[y*w+x-1])) < edgeJump {
				continue
			}
			for k := max(x-reach, 0); k < min(x+reach, w); k++ {
				marked[y*w+k] = true
			}
		}
	}
	return marked
}

// psnr returns the PSNR of both views' luma near silhouettes, made with a map and a dilation.
func (f *edgeFrame) psnr(m *depth.Map, dilation float64) (float64, error) {
	s := f.scene
	cfg := stereo.Config{Format: job.FullSBS, Divergence: s.Divergence, Convergence: s.Convergence, EdgeDilation: dilation}
	views, err := synthesise(cfg, f.src, m)
	if err != nil {
		return 0, err
	}
	border := int(1.5*s.Divergence/100*float64(s.Width)) + 1
	var square float64
	n := 0
	for eye, truth := range []*yuv.Frame[uint8]{f.left, f.right} {
		for y := range s.Height {
			want, got := truth.Y.Row(y), views.Y.Row(y)[eye*s.Width:]
			for x := border; x < s.Width-border; x++ {
				if f.near[eye][y*s.Width+x] {
					square += squared(want[x], got[x])
					n++
				}
			}
		}
	}
	return psnr(square / float64(max(n, 1))), nil
}

// classicAhead is how many frames from a frame on its map depends on at most, itself among them.
const classicAhead = 16

// of makes the map of a frame.
func (k mapKind) of(f *edgeFrame, t int) (*depth.Map, error) {
	s := f.scene
	if k.w == 0 {
		all, err := estimate(s.Noisy(grain), 0, t+classicAhead)
		if err != nil {
			return nil, err
		}
		return &all[t].Map, nil
	}
	m := &depth.Map{W: k.w, H: k.h, D: cellMeans(f.depth, s.Width, s.Height, k.w, k.h)}
	for range k.short {
		recede(m)
	}
	if k.blur > 0 {
		blur(m, k.blur)
	}
	return m, nil
}

// line is values that lie step apart.
type line struct {
	v       []float32
	n, step int
}

func (l line) at(i int) *float32 { return &l.v[min(max(i, 0), l.n-1)*l.step] }

// cellMeans averages w×h values over mw×mh cells, whose borders may cut values.
func cellMeans(v []float32, w, h, mw, mh int) []float32 {
	rows, out := make([]float32, mw*h), make([]float32, mw*mh)
	for y := range h {
		average(line{rows[y*mw:], mw, 1}, line{v[y*w:], w, 1})
	}
	for x := range mw {
		average(line{out[x:], mh, mw}, line{rows[x:], h, mw})
	}
	return out
}

// average makes dst of the means of equal shares of src.
func average(dst, src line) {
	size := float64(src.n) / float64(dst.n)
	for i := range dst.n {
		from, to := float64(i)*size, float64(i+1)*size
		var sum float64
		for k := int(from); float64(k) < to; k++ {
			sum += float64(*src.at(k)) * (min(to, float64(k+1)) - max(from, float64(k)))
		}
		*dst.at(i) = float32(sum / size)
	}
}

// lines are the rows and then the columns of a map.
func lines(m *depth.Map) (all []line) {
	for y := range m.H {
		all = append(all, line{m.D[y*m.W:], m.W, 1})
	}
	for x := range m.W {
		all = append(all, line{m.D[x:], m.H, m.W})
	}
	return all
}

// through replaces each value of a map's rows, and then columns, by what of says about the values around.
func through(m *depth.Map, of func(l line, i int) float32) {
	for _, l := range lines(m) {
		made := make([]float32, l.n)
		for i := range made {
			made[i] = of(l, i)
		}
		for i, v := range made {
			*l.at(i) = v
		}
	}
}

// recede makes near things a cell smaller at each side.
func recede(m *depth.Map) {
	through(m, func(l line, i int) float32 { return min(*l.at(i - 1), *l.at(i), *l.at(i + 1)) })
}

// blur blurs by a normal distribution.
func blur(m *depth.Map, deviation float64) {
	reach := int(3*deviation + 0.5)
	weights, total := make([]float64, 2*reach+1), 0.0
	for i := range weights {
		weights[i] = math.Exp(-float64((i-reach)*(i-reach)) / (2 * deviation * deviation))
		total += weights[i]
	}
	through(m, func(l line, i int) float32 {
		var sum float64
		for k, w := range weights {
			sum += w * float64(*l.at(i + k - reach))
		}
		return float32(sum / total)
	})
}

// reportEdges prints how close views are to the scenes' own near silhouettes, by kind of map and dilation, on scenes of w×h
// pixels.
func reportEdges(out io.Writer, w, h int) error {
	fmt.Fprint(out, "\n| depth map |")
	for _, d := range dilations {
		fmt.Fprintf(out, " %g |", d)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("--:|", len(dilations)))
	sums := make([][]float64, len(mapKinds))
	for _, name := range edgeScenes {
		if err := addEdges(sums, name, w, h); err != nil {
			return err
		}
	}
	for i, k := range mapKinds {
		fmt.Fprintf(out, "| %s |", k.name)
		for _, sum := range sums[i] {
			fmt.Fprintf(out, " %.2f |", sum/float64(len(edgeScenes)))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
	return nil
}

// addEdges adds a scene's PSNR, in dB, by kind of map and dilation.
func addEdges(sums [][]float64, name string, w, h int) error {
	s, err := scene.New(name, w, h)
	if err != nil {
		return err
	}
	t := s.Frames / 4
	f := newEdgeFrame(s, t)
	for i, k := range mapKinds {
		m, err := k.of(f, t)
		if err != nil {
			return err
		}
		if sums[i] == nil {
			sums[i] = make([]float64, len(dilations))
		}
		for j, dilation := range dilations {
			v, err := f.psnr(m, dilation)
			if err != nil {
				return err
			}
			sums[i][j] += v
		}
	}
	return nil
}
