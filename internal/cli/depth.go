package cli

import (
	"fmt"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx"
)

// depthFlags choose where depth comes from.
type depthFlags struct {
	Depth            string `help:"Where depth comes from: auto (the best model installed, else classic), classic (no model), a model's name, or the path of an .onnx file." default:"auto" placeholder:"NAME"`
	DepthSize        int    `help:"Shorter side of the picture that a neural model sees, in pixels, 56 to 2072. Default: the model's own, 518." default:"0" placeholder:"PIXELS"`
	DepthEvery       int    `help:"Have the model see every n-th frame only, and carry depth along with the motion between." default:"1" placeholder:"1..12"`
	TTA              bool   `name:"tta" help:"Average the depth of the picture and of the mirrored picture: twice the work for steadier depth."`
	DepthOrientation string `help:"What larger values of the model mean, where it doesn't say: ${enum}. Default: auto." enum:"auto,near,far" default:"auto"`
}

// depth is the choice, not yet settled.
func (f depthFlags) depth() job.DepthOptions {
	d := job.DepthOptions{Model: f.Depth, Size: f.DepthSize, Flip: f.TTA}
	if f.DepthEvery != 1 {
		d.Every = f.DepthEvery
	}
	if f.DepthOrientation != "auto" {
		d.Orientation = job.Orientation(f.DepthOrientation)
	}
	return d
}

// newLoader returns what opens the models of this machine; paths allows those that are named by path.
func newLoader(c config.Models, paths bool) *models.Loader {
	dir := c.ModelsDir
	if dir == "" {
		dir = models.DefaultDir()
	}
	return &models.Loader{
		Store: &models.Store{Dir: dir}, Paths: paths,
		Config: onnx.Config{
			Library: c.OrtLib, Provider: onnx.Provider(c.DepthProvider), Threads: c.DepthThreads, Batch: c.DepthBatch, GPUMemory: int64(c.DepthMemory),
			Cache: dir,
		},
	}
}

// settleDepth settles the depth source, opens its model, and says which it is and what computes it.
func settleDepth(l *models.Loader, d job.DepthOptions, note func(text string)) (job.DepthOptions, error) {
	c, err := chooseDepth(l, d)
	if err != nil {
		return d, err
	}
	return c.Options, openDepth(l, c, note)
}

// chooseDepth settles the depth source, and sees to the runtime that its model needs.
func chooseDepth(l *models.Loader, d job.DepthOptions) (models.Choice, error) {
	c, err := l.Choose(d)
	if err != nil {
		return c, usageError{err}
	}
	if c.Options.Model != job.Classic {
		_, err = onnx.Runtime(l.Config.Library)
	}
	return c, err
}

// openDepth opens the chosen source's model, and says which it is and what computes it.
func openDepth(l *models.Loader, c models.Choice, note func(text string)) error {
	reason := ""
	if c.Why != "" {
		reason = " (" + c.Why + ")"
	}
	if c.Options.Model == job.Classic {
		if c.Why != "" {
			note("depth: classic" + reason)
		}
		return nil
	}
	net, err := l.Load(c.Options)
	if err != nil {
		return err
	}
	note(fmt.Sprintf("depth: %s%s on %s%s", c.Options.Model, reason, net, advice(c.Options, net)))
	return nil
}

// advice says what a size is good for where the network has its own, and the way to less waiting, for whoever has a CPU
// compute all of a network.
func advice(d job.DepthOptions, net *onnx.Model) string {
	fixed := net.Spec().FixedW > 0 && net.Spec().FixedH > 0
	switch {
	case fixed && d.Size != 0:
		return fmt.Sprintf("; --depth-size changes nothing: this network takes pictures of %d×%d alone", net.Spec().FixedW, net.Spec().FixedH)
	case net.Provider() != onnx.CPU || d.Size != 0 || d.Every > 1:
		return ""
	case fixed:
		return "; --depth-every 3 takes less time"
	}
	return "; --depth-every 3 or --depth-size 364 takes less time"
}
