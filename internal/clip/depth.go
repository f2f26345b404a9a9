package clip

import (
	"context"
	"errors"
	"fmt"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// Models opens neural models.
type Models interface {
	// Open returns the model that d names, with the content that d names, ready to run. It stays open for later calls
	// and may be used by several conversions at once.
	Open(ctx context.Context, d job.DepthOptions) (depth.Net, error)
}

// Support returns how many frames of lead-in and lead-out the options need.
func Support(d job.DepthOptions, s job.StereoOptions) (int, error) {
	n, err := depthSupport(d)
	return n + stereo.NewStereographer(RenderConfig(media.Video{}, "", s)).Support(), err
}

func depthSupport(d job.DepthOptions) (int, error) {
	if d.Model != job.Classic {
		return depth.NeuralSupport(neuralOptions(d)), unresolved(d)
	}
	est, err := depth.New(d.Model)
	if err != nil {
		return 0, err
	}
	return est.Support(), nil
}

// unresolved fails for a model whose content nobody has looked at: it isn't there.
func unresolved(d job.DepthOptions) error {
	if d.Model != job.Classic && d.Content == "" {
		return fmt.Errorf("unknown depth source %q: use classic or a model that is installed (stereospot models list)", d.Model)
	}
	return nil
}

// Validate returns every problem with o, the choice of a depth source that isn't here among them.
func Validate(o job.Options) error { return errors.Join(o.Validate(), unresolved(o.Depth)) }

func neuralOptions(d job.DepthOptions) depth.NeuralOptions {
	return depth.NeuralOptions{Side: d.Size, Every: d.Every, Mirror: d.Flip}
}

// NewEstimator returns a fresh estimator of the depth source, which fails once ctx has ended.
func NewEstimator(ctx context.Context, d job.DepthOptions, models Models) (depth.Estimator, error) {
	if d.Model == job.Classic {
		return depth.New(d.Model)
	}
	if models == nil {
		return nil, fmt.Errorf("depth source %s needs a model, and this process has none", d.Model)
	}
	net, err := models.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	return depth.NewNeural(depth.Until(ctx, net), neuralOptions(d)), nil
}

// NewReducer returns what makes the estimator's pictures of a video's frames.
func NewReducer[T yuv.Sample](v media.Video, est depth.Estimator) *depth.Reducer[T] {
	kr, kb := stereo.LumaWeights(v.Color.Matrix, v.Width, v.Height)
	site := v.Color.ChromaLocation
	return depth.NewReducer[T](v.Width, v.Height, est.Sampling(v.Width, v.Height), depth.Coding{
		FullRange:  v.Color.Range == "pc",
		Weights:    depth.Weights{R: float32(kr), B: float32(kb)},
		ChromaLeft: site != "center" && site != "top", // unknown counts as left, as players take it
		ChromaTop:  site == "topleft" || site == "top",
	})
}
