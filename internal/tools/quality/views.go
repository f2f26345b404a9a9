package main

import (
	"fmt"
	"io"
	"math"
	"sort"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// ViewScore compares synthesised views with rendered ones. Every figure is over both views' visible
// pixels: those whose point is seen in the source too, away from the columns in which disparity is
// ramped down to the frame's border.
type ViewScore struct {
	Scene string
	// PSNR is of luma, in dB; EndPoint the mean distance, in pixels, between the place in the source
	// that a pixel shows and the place where its point truly is.
	PSNR, EndPoint float64
	// EndPoint99 is the distance that 99% of the pixels stay within.
	EndPoint99 float64
	// IdentityPSNR and IdentityEndPoint are those of the source shown to both eyes.
	IdentityPSNR, IdentityEndPoint float64
	// CoarsePSNR is PSNR with the true depth given at a fifth of the resolution.
	CoarsePSNR float64
	Hidden     float64 // share of pixels that the source doesn't show
}

// measureViews renders frame t of s as a source, makes the other views from it and its true depth,
// and compares them with the views that the scene's own cameras see.
func measureViews(s *scene.Scene, t int, rightOnly bool) (ViewScore, error) {
	score := ViewScore{Scene: s.Name}
	src, inv := s.Frame(t, 0)
	cfg := stereo.Config{
		Format: job.FullSBS, Divergence: s.Divergence, Convergence: s.Convergence, RightOnly: rightOnly,
	}
	fine := &depth.Map{W: s.Width, H: s.Height, D: inv}
	views, err := synthesise(cfg, src, fine)
	if err != nil {
		return score, err
	}
	coarse, err := synthesise(cfg, src, shrink(fine, 5))
	if err != nil {
		return score, err
	}
	places, err := synthesise(cfg, ruler(s.Width, s.Height), fine)
	if err != nil {
		return score, err
	}
	eyes := []float64{-0.5, 0.5}
	if rightOnly {
		eyes = []float64{0, 1}
	}
	var sum tally
	for i, eye := range eyes {
		if eye == 0 {
			continue
		}
		sum.add(s, t, eye, i*s.Width, inv, src, views, coarse, places)
	}
	sum.report(&score)
	return score, nil
}

func synthesise[T yuv.Sample](cfg stereo.Config, src *yuv.Frame[T], m *depth.Map) (*yuv.Frame[T], error) {
	r, err := stereo.NewRenderer[T](cfg, src.Y.W, src.Y.H, src.Bits, 2)
	if err != nil {
		return nil, err
	}
	w, h := r.OutputSize()
	dst := yuv.New[T](w, h, src.Bits)
	return dst, r.Render(dst, src, m)
}

// shrink averages a map over cells of n×n.
func shrink(m *depth.Map, n int) *depth.Map {
	out := &depth.Map{W: m.W / n, H: m.H / n}
	for y := range out.H {
		for x := range out.W {
			sum := float32(0)
			for j := range n {
				for i := range n {
					sum += m.D[(y*n+j)*m.W+x*n+i]
				}
			}
			out.D = append(out.D, sum/float32(n*n))
		}
	}
	return out
}

// rulerBits is the sample depth of the ruler.
const rulerBits = 16

func rulerStep(w int) int { return (1<<rulerBits - 1) / w }

// ruler is a picture whose luma tells the column: what a view shows of it says where it was taken.
func ruler(w, h int) *yuv.Frame[uint16] {
	f := yuv.New[uint16](w, h, rulerBits)
	for y := range h {
		for x, row := 0, f.Y.Row(y); x < w; x++ {
			row[x] = uint16(x * rulerStep(w))
		}
	}
	return f
}

// tally gathers errors over the visible pixels of views.
type tally struct {
	pixels, hidden                int
	square, identity, coarse      float64 // summed squared errors of luma
	distances                     []float64
	identityDistance, sumDistance float64
}

func (a *tally) add(s *scene.Scene, t int, eye float64, x0 int, inv []float32, src, views, coarse *yuv.Frame[uint8], places *yuv.Frame[uint16]) {
	truth, seen := s.Frame(t, eye)
	border := int(3*math.Abs(eye)*s.Divergence/100*float64(max(s.Width, s.Height))*max(s.Convergence, 1-s.Convergence)) + 1
	step := float64(rulerStep(s.Width))
	for y := range s.Height {
		depths := inv[y*s.Width : (y+1)*s.Width]
		want, got, rough := truth.Y.Row(y), views.Y.Row(y)[x0:], coarse.Y.Row(y)[x0:]
		flat, place := src.Y.Row(y), places.Y.Row(y)[x0:]
		for x := border; x < s.Width-border; x++ {
			d := seen[y*s.Width+x]
			from := float64(x) + eye*s.Disparity(float64(d))
			if !visible(depths, from, d) {
				a.hidden++
				continue
			}
			a.pixels++
			a.square += squared(want[x], got[x])
			a.coarse += squared(want[x], rough[x])
			a.identity += squared(want[x], flat[x])
			off := math.Abs(float64(place[x])/step - from)
			a.distances = append(a.distances, off)
			a.sumDistance += off
			a.identityDistance += math.Abs(float64(x) - from)
		}
	}
}

// visible reports that the point of depth d at place x of a source row is seen there.
func visible(depths []float32, x float64, d float32) bool {
	i := int(math.Floor(x))
	if i < 0 || i+1 >= len(depths) {
		return false
	}
	a, b := depths[i], depths[i+1]
	if x-float64(i) < 0.5 {
		b = a
	} else {
		a = b
	}
	const tolerance = 0.01
	return d > min(a, b)-tolerance && d < max(a, b)+tolerance
}

func squared(a, b uint8) float64 {
	d := float64(a) - float64(b)
	return d * d
}

func (a *tally) report(s *ViewScore) {
	n := float64(max(a.pixels, 1))
	s.PSNR, s.IdentityPSNR, s.CoarsePSNR = psnr(a.square/n), psnr(a.identity/n), psnr(a.coarse/n)
	s.EndPoint, s.IdentityEndPoint = a.sumDistance/n, a.identityDistance/n
	sort.Float64s(a.distances)
	if len(a.distances) > 0 {
		s.EndPoint99 = a.distances[len(a.distances)*99/100]
	}
	s.Hidden = float64(a.hidden) / float64(max(a.hidden+a.pixels, 1))
}

func psnr(meanSquare float64) float64 { return 10 * math.Log10(255*255/max(meanSquare, 1e-9)) }

// reportViews prints a table for each way of sharing the disparity out.
func reportViews(out io.Writer, w, h int) error {
	for _, rightOnly := range []bool{false, true} {
		title := "Both views made (`--eyes both`)"
		if rightOnly {
			title = "Right view made from an untouched left one (`--eyes right`)"
		}
		fmt.Fprintf(out, "\n%s\n\n", title)
		fmt.Fprintln(out, "| scene | PSNR, dB | identity | depth at 1/5, dB | end-point error, px | 99% within | identity | hidden |")
		fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|")
		for _, s := range scene.Catalog(w, h) {
			v, err := measureViews(s, s.Frames/4, rightOnly)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "| %s | %.1f | %.1f | %.1f | %.3f | %.2f | %.1f | %.1f%% |\n", v.Scene, v.PSNR, v.IdentityPSNR,
				v.CoarsePSNR, v.EndPoint, v.EndPoint99, v.IdentityEndPoint, 100*v.Hidden)
		}
	}
	return nil
}
