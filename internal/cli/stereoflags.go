package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
)

// stereoFlags are the choices that shape the views; preview shares them. Those that a preset makes are pointers: nil
// leaves it to the preset.
type stereoFlags struct {
	Preset          string   `help:"How deep: comfort, standard or strong. Sets divergence, convergence, largest parallax and floating window; what is given beside it wins (default standard)." placeholder:"NAME"`
	Divergence      *float64 `help:"Total disparity between nearest and farthest, in percent of the width: 2 is 38 pixels of 1920 (default 2, or the preset's)." placeholder:"PERCENT"`
	Convergence     *string  `help:"Depth that lies in the screen plane: 0 = farthest, 1 = nearest, auto = the subject's (default 0.5, or the preset's)." placeholder:"0..1|auto"`
	MaxParallax     *string  `help:"Hold disparity below so many percent of the width, smoothly: one number, or one in front of and one behind the screen. 0 = no limit (default 0, or the preset's)." placeholder:"NEAR[,FAR]"`
	FloatingWindow  *bool    `help:"Move the window's edges forward where they cut near things, by masking one eye's border (default no, or the preset's)." negatable:""`
	Eyes            string   `help:"Views to synthesise: both, or right only (the left stays the source untouched)." enum:"both,right" default:"both"`
	ForegroundScale float64  `help:"Bend depth: above 0 spreads what is near, below 0 what is far (default ${default})." default:"0" placeholder:"-3..3"`
	EdgeDilation    float64  `help:"Let near things reach so many cells of the depth map further over far ones, against halos (default ${default})." default:"0" placeholder:"0..8"`
	Anaglyph        string   `help:"Mixing for --format anaglyph: ${enum}." enum:"dubois,color,half-color,gray" default:"dubois"`
	depthFlags
}

// apply writes the choices into o.
func (f stereoFlags) apply(o *job.Options) error {
	if f.Preset != "" {
		p, err := job.ParsePreset(f.Preset)
		if err != nil {
			return fmt.Errorf("%w (the encoder's own is --encoder-preset)", err)
		}
		o.Stereo = p.Stereo(o.Stereo)
	}
	o.Stereo.Eyes, o.Stereo.Anaglyph = job.Eyes(f.Eyes), job.AnaglyphMethod(f.Anaglyph)
	o.Stereo.ForegroundScale, o.Stereo.EdgeDilation = f.ForegroundScale, f.EdgeDilation
	o.Depth = f.depth()
	if f.Divergence != nil {
		o.Stereo.Divergence = *f.Divergence
	}
	if f.FloatingWindow != nil {
		o.Stereo.FloatingWindow = *f.FloatingWindow
	}
	if err := f.converge(&o.Stereo); err != nil {
		return err
	}
	return f.limit(&o.Stereo)
}

// converge reads --convergence.
func (f stereoFlags) converge(o *job.StereoOptions) error {
	if f.Convergence == nil {
		return nil
	}
	if o.AutoConvergence = *f.Convergence == "auto"; o.AutoConvergence {
		return nil
	}
	v, err := strconv.ParseFloat(*f.Convergence, 64)
	if err != nil {
		return fmt.Errorf("--convergence is %q: use a number from 0 to 1, or auto", *f.Convergence)
	}
	o.Convergence = v
	return nil
}

// limit reads --max-parallax.
func (f stereoFlags) limit(o *job.StereoOptions) error {
	if f.MaxParallax == nil {
		return nil
	}
	front, behind, two := strings.Cut(*f.MaxParallax, ",")
	if !two {
		behind = front
	}
	var errs [2]error
	o.MaxNear, errs[0] = strconv.ParseFloat(front, 64)
	o.MaxFar, errs[1] = strconv.ParseFloat(behind, 64)
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("--max-parallax is %q: use percent of the width, such as 1 or 0.8,1.5", *f.MaxParallax)
		}
	}
	return nil
}
