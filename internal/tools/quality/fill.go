package main

import (
	"fmt"
	"io"
	"math"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// FillScore says how well places that the source doesn't show are filled, and how still that holds over time. Every figure
// is over the hidden pixels of the right view of an untouched left one.
type FillScore struct {
	Scene string
	// PSNR is of luma against the view that the scene's own camera sees, in dB.
	PSNR float64
	// Change is the mean absolute difference of luma between a frame and the next, at the same place of the picture, in
	// 8-bit code values; TrueChange is the same of the scene's own camera.
	Change, TrueChange float64
	Pixels             int // hidden in both frames
}

// measureFill follows frames of a scene with the true depth.
func measureFill(s *scene.Scene, from, to int) (FillScore, error) {
	score := FillScore{Scene: s.Name}
	cfg := stereo.Config{Format: job.FullSBS, Divergence: s.Divergence, Convergence: s.Convergence, RightOnly: true}
	var square float64
	var hidden int
	var before *hiddenFrame
	for t := from; t < to; t++ {
		now, err := fillFrame(s, cfg, t)
		if err != nil {
			return score, err
		}
		for i, h := range now.hidden {
			if !h {
				continue
			}
			hidden++
			square += squared(now.truth[i], now.made[i])
			if before != nil && before.hidden[i] {
				score.Pixels++
				score.Change += math.Abs(float64(now.made[i]) - float64(before.made[i]))
				score.TrueChange += math.Abs(float64(now.truth[i]) - float64(before.truth[i]))
			}
		}
		before = now
	}
	score.PSNR = psnr(square / float64(max(hidden, 1)))
	score.Change /= float64(max(score.Pixels, 1))
	score.TrueChange /= float64(max(score.Pixels, 1))
	return score, nil
}

// hiddenFrame is the luma of a right view, as it is and as it is made, and which of its pixels the source doesn't show.
type hiddenFrame struct {
	truth, made []uint8
	hidden      []bool
}

func fillFrame(s *scene.Scene, cfg stereo.Config, t int) (*hiddenFrame, error) {
	src, inv := s.Frame(t, 0)
	views, err := synthesise(cfg, src, &depth.Map{W: s.Width, H: s.Height, D: inv})
	if err != nil {
		return nil, err
	}
	truth, seen := s.Frame(t, 1)
	f := &hiddenFrame{hidden: make([]bool, s.Width*s.Height)}
	border := int(3*s.Divergence/100*float64(s.Width)) + 1
	for y := range s.Height {
		f.truth, f.made = append(f.truth, truth.Y.Row(y)...), append(f.made, views.Y.Row(y)[s.Width:]...)
		for x := border; x < s.Width-border; x++ {
			d := seen[y*s.Width+x]
			f.hidden[y*s.Width+x] = !visible(inv[y*s.Width:(y+1)*s.Width], float64(x)+s.Disparity(float64(d)), d)
		}
	}
	return f, nil
}

// reportFill prints how holes are filled where things move before a still background, and where the camera moves.
func reportFill(out io.Writer, w, h int) error {
	fmt.Fprintln(out, "| scene | PSNR in holes, dB | change per frame | of the true view |")
	fmt.Fprintln(out, "|---|--:|--:|--:|")
	for _, name := range []string{scene.Mover, scene.Still, scene.Layers, scene.Solids} {
		s, err := scene.New(name, w, h)
		if err != nil {
			return err
		}
		f, err := measureFill(s, 8, 20)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s | %.1f | %.2f | %.2f |\n", f.Scene, f.PSNR, f.Change, f.TrueChange)
	}
	return nil
}
