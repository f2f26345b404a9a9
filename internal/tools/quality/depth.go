package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// translations are the scenes in which the camera moves sideways, handheld ones included.
var translations = []string{scene.Layers, scene.Solids, scene.Slants, scene.Handheld}

// grain is the sensor noise of the scenes that depth is measured on, in 8-bit code values.
const grain = 2

// reportDepth prints how well an estimator's maps agree with the truth on scenes of w×h pixels.
func reportDepth(out io.Writer, w, h int) error {
	fmt.Fprintf(out, "| scene | rank correlation | prior alone |\n|---|--:|--:|\n")
	var sum, prior float64
	for _, name := range scene.Names() {
		if name == scene.Demo {
			continue // made for the eye: its sky has no depth to agree with
		}
		a, err := measureAgreement(name, w, h)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s | %.2f | %.2f |\n", name, a.estimated, a.prior)
		if slices.Contains(translations, name) {
			sum += a.estimated / float64(len(translations))
			prior += a.prior / float64(len(translations))
		}
	}
	fmt.Fprintf(out, "| **translation scenes, mean** | **%.2f** | **%.2f** |\n\n", sum, prior)
	jitter, err := measureJitter(w, h)
	if err != nil {
		return err
	}
	settle, err := measureSettling(w, h)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Jitter of a still point under noise: %.3f px at 1080p.\nFrames to settle after a cut: %d.\n", jitter, settle)
	return nil
}

// agreement is Spearman's rank correlation with true inverse depth, averaged over frames.
type agreement struct{ estimated, prior float64 }

func measureAgreement(name string, w, h int) (agreement, error) {
	s, err := scene.New(name, w, h)
	if err != nil {
		return agreement{}, err
	}
	s = s.Noisy(grain)
	maps, err := estimate(s, 0, s.Frames)
	if err != nil {
		return agreement{}, err
	}
	prior := depth.Prior(maps[0].Map.W, maps[0].Map.H)
	var a agreement
	n := 0
	for t := 0; t < s.Frames; t += 6 {
		_, inv := s.Frame(t, 0)
		truth := areaMeans(inv, w, h, prior.W, prior.H)
		a.estimated += spearman(maps[t].Map.D, truth)
		a.prior += spearman(prior.D, truth)
		n++
	}
	return agreement{a.estimated / float64(n), a.prior / float64(n)}, nil
}

// estimate runs classic over frames [from, to) of the scene as one clip.
func estimate(s *scene.Scene, from, to int) ([]depth.Estimate, error) {
	est, err := depth.New("classic")
	if err != nil {
		return nil, err
	}
	reducer := depth.NewReducer[uint8](s.Width, s.Height, est.Sampling(s.Width, s.Height), depth.Coding{})
	frame := yuv.New[uint8](s.Width, s.Height, 8)
	var all []depth.Estimate
	for t := from; t < to; t++ {
		scene.Render(s, t, 0, frame, nil)
		ready, err := est.Push(reducer.Reduce(frame, nil))
		if err != nil {
			return nil, err
		}
		all = append(all, ready...)
	}
	rest, err := est.Flush()
	return append(all, rest...), err
}

// areaMeans averages w×h values over areas.
func areaMeans(v []float32, w, h, pw, ph int) []float32 {
	out := make([]float32, pw*ph)
	for y := range ph {
		for x := range pw {
			var sum float32
			n := 0
			for yy := y * h / ph; yy < (y+1)*h/ph; yy++ {
				for xx := x * w / pw; xx < (x+1)*w/pw; xx++ {
					sum += v[yy*w+xx]
					n++
				}
			}
			out[y*pw+x] = sum / float32(n)
		}
	}
	return out
}

// spearman is the correlation of ranks; equal values share their mean rank.
func spearman(a, b []float32) float64 { return pearson(ranks(a), ranks(b)) }

func ranks(v []float32) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

func pearson(a, b []float64) float64 {
	var ma, mb float64
	for i := range a {
		ma, mb = ma+a[i], mb+b[i]
	}
	ma, mb = ma/float64(len(a)), mb/float64(len(b))
	var ab, aa, bb float64
	for i := range a {
		x, y := a[i]-ma, b[i]-mb
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// measureJitter returns the standard deviation over time of a still point's disparity under noise, in pixels at
// 1080p with the default divergence, averaged over the picture.
func measureJitter(w, h int) (float64, error) {
	s, err := scene.New(scene.Still, w, h)
	if err != nil {
		return 0, err
	}
	maps, err := estimate(s.Noisy(grain), 0, min(s.Frames, 36))
	if err != nil {
		return 0, err
	}
	var total float64
	for i := range maps[0].Map.D {
		var sum, squares float64
		for _, m := range maps {
			v := float64(m.Map.D[i])
			sum, squares = sum+v, squares+v*v
		}
		n := float64(len(maps))
		total += math.Sqrt(max(0, squares/n-sum/n*sum/n))
	}
	return fullDisparity * total / float64(len(maps[0].Map.D)), nil
}

// measureSettling returns how many frames after a cut still differ from what the new shot gives as a film of its own.
func measureSettling(w, h int) (int, error) {
	s, err := scene.New(scene.Cut, w, h)
	if err != nil {
		return 0, err
	}
	s = s.Noisy(grain)
	cut := s.Cuts()[0]
	whole, err := estimate(s, 0, s.Frames)
	if err != nil {
		return 0, err
	}
	alone, err := estimate(s, cut, s.Frames)
	if err != nil {
		return 0, err
	}
	settled := 0
	for i, m := range alone {
		var off float64
		for k, v := range m.Map.D {
			off += math.Abs(float64(v - whole[cut+i].Map.D[k]))
		}
		if off/float64(len(m.Map.D)) > 0.01 {
			settled = i + 1
		}
	}
	return settled, nil
}
