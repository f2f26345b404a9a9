package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/inference/sagemaker"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
)

// backend is who converts segments, and what it holds.
type backend struct {
	inference.Converter
	close func() error
}

// openBackend opens the backend that the process was told of, for the objects of a site. What is converted in this
// process has its files under way in scratch, and its networks from nets.
func openBackend(ctx context.Context, c roles, p platform.Platform, scratch string, nets clip.Models, log *slog.Logger) (backend, error) {
	switch c.inference.Backend {
	case config.ByHTTP:
		return openHTTP(c, p)
	case config.SageMaker:
		return openSageMaker(ctx, c, p, log)
	}
	gpu, err := openGPU(ctx, c.decoding, func(text string) { log.Info(text) })
	if err != nil {
		return backend{}, err
	}
	return backend{&inference.Local{Input: p.Input, Output: p.Output, Scratch: scratch, Models: nets, GPU: gpu}, func() error { return nil }}, nil
}

// openHTTP hands objects over by their addresses on S3, or through a directory that the service shares.
func openHTTP(c roles, p platform.Platform) (backend, error) {
	limits := inference.Limits{Timeout: c.inference.Timeout}
	if c.aws.Platform == config.OnAWS {
		buckets := inference.Buckets{Input: c.aws.InputBucketName, Output: c.aws.OutputBucketName, Results: p.Output}
		return backend{inference.NewHTTP(c.inference.URL, buckets, limits), func() error { return nil }}, nil
	}
	shared, err := openScratch(c.inference.Dir)
	if err != nil {
		return backend{}, fmt.Errorf("can't write to the directory that the inference service shares: %w (choose another with --inference-dir)", err)
	}
	folder := inference.Folder{Dir: shared.dir, Input: p.Input, Output: p.Output}
	return backend{inference.NewHTTP(c.inference.URL, folder, limits), shared.close}, nil
}

// openSageMaker invokes an endpoint that reads and writes the site's buckets.
func openSageMaker(ctx context.Context, c roles, p platform.Platform, log *slog.Logger) (backend, error) {
	cfg, err := platformaws.Load(ctx, log, awsconfig.WithRegion(c.aws.Region))
	if err != nil {
		return backend{}, fmt.Errorf("configuration of AWS: %w", err)
	}
	return backend{sagemaker.New(sagemaker.Config{
		Runtime: sagemakerruntime.NewFromConfig(cfg), Endpoint: c.inference.Endpoint,
		InputName: c.aws.InputBucketName, OutName: c.aws.OutputBucketName, Output: p.Output,
		Timeout: c.inference.Timeout, Log: log, Now: time.Now,
	}), func() error { return nil }}, nil
}
