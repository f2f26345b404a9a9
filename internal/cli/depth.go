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
	DepthSize        int    `help:"Shorter side of the picture that a neural model sees, in pixels. Default: the model's own, 518." default:"0" placeholder:"PIXELS"`
	DepthEvery       int    `help:"Have the model see every n-th frame only, and carry depth along with the motion between." default:"1" placeholder:"N"`
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
	c, err := l.Choose(d)
	if err != nil {
		return d, usageError{err}
	}
	reason := ""
	if c.Why != "" {
		reason = " (" + c.Why + ")"
	}
	if c.Options.Model == job.Classic {
		if c.Why != "" {
			note("depth: classic" + reason)
		}
		return c.Options, nil
	}
	net, err := l.Load(c.Options)
	if err != nil {
		return d, err
	}
	note(fmt.Sprintf("depth: %s%s on %s", c.Options.Model, reason, net))
	return c.Options, nil
}
