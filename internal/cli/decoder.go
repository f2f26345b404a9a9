package cli

import (
	"context"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/media"
)

// openGPU returns the GPU that decodes what it can, nil where all is left to software. One that is asked for and doesn't
// work is an error. say hears what it is used for.
func openGPU(ctx context.Context, c config.Decoding, say func(text string)) (*media.GPU, error) {
	d := media.Decoder(c.Decoder)
	gpu := media.NewGPU(d, say)
	if d != media.CUDADecoder {
		return gpu, nil
	}
	return gpu, gpu.Require(ctx)
}
