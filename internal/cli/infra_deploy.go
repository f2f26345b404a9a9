package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/stereospot/stereospot/internal/infra"
)

// inferenceImage is the name of the inference service's image.
const inferenceImage = "stereo-inference"

type infraHasImageCommand struct {
	deploymentFlags
	Image string `arg:"" help:"Name of the image: web-ui, media-worker, video-worker, stereo-inference."`
	Tag   string `arg:"" help:"Tag of the image, a commit."`
}

// Help implements kong's detailed help.
func (infraHasImageCommand) Help() string {
	return `Examples:
  stereospot infra has-image web-ui $(git rev-parse HEAD)`
}

// Run implements the command.
func (c *infraHasImageCommand) Run(ctx context.Context, std streams) error {
	names, cfg, err := c.lookup(ctx, variable("ECR_REPOSITORY_URL", c.Image))
	if err != nil {
		return err
	}
	has, err := infra.HasImage(ctx, cfg, names[0], c.Tag)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, map[bool]string{true: "yes", false: "no"}[has])
	return err
}

type infraDeployCommand struct {
	deploymentFlags
	watchFlags
	Service string `arg:"" help:"Name of the service: web-ui, media-worker, video-worker."`
	Tag     string `arg:"" help:"Tag of the pushed image, a commit."`
}

// Help implements kong's detailed help.
func (infraDeployCommand) Help() string {
	return `Examples:
  stereospot infra deploy web-ui $(git rev-parse HEAD)

Registers the newest revision of the service's task definition with this image, moves the service to it, and waits
until its tasks are stable. If they don't become so, the service goes back to what it ran, and the command fails.`
}

// Run implements the command.
func (c *infraDeployCommand) Run(ctx context.Context, std streams) error {
	names, cfg, err := c.lookup(ctx, "ECS_CLUSTER_NAME", variable("ECS_SERVICE_NAME", c.Service), variable("ECR_REPOSITORY_URL", c.Service))
	if err != nil {
		return err
	}
	rollout := infra.Rollout{Cluster: names[0], Service: names[1], Container: c.Service, Image: names[2] + ":" + c.Tag}
	return rollout.Run(ctx, cfg, c.watch(std.out))
}

type infraInferenceBuildCommand struct {
	deploymentFlags
	watchFlags
	Revision string `help:"Commit to build. Default: the newest of the project's branch." placeholder:"COMMIT"`
}

// Help implements kong's detailed help.
func (infraInferenceBuildCommand) Help() string {
	return `Examples:
  stereospot infra inference-build --revision $(git rev-parse HEAD)

CodeBuild fetches the commit from the repository: push it first.`
}

// Run implements the command.
func (c *infraInferenceBuildCommand) Run(ctx context.Context, std streams) error {
	names, cfg, err := c.lookup(ctx, "CODEBUILD_PROJECT_NAME")
	if err != nil {
		return err
	}
	build := infra.Build{Project: names[0], Revision: c.Revision}
	return build.Run(ctx, cfg, c.watch(std.err), std.out)
}

type infraInferenceRedeployCommand struct {
	deploymentFlags
	watchFlags
	Tag string `arg:"" help:"Tag of the pushed image, a commit."`
}

// Help implements kong's detailed help.
func (infraInferenceRedeployCommand) Help() string {
	return `Examples:
  stereospot infra inference-redeploy $(git rev-parse HEAD)

Makes a model and an endpoint configuration with this image, otherwise as Terraform applied them last, and moves the
endpoint to them. The old ones serve until the new ones do, and go on serving if those fail.`
}

// Run implements the command.
func (c *infraInferenceRedeployCommand) Run(ctx context.Context, std streams) error {
	names, cfg, err := c.lookup(ctx, "SAGEMAKER_ENDPOINT_NAME", "SAGEMAKER_ENDPOINT_CONFIG_NAME", variable("ECR_REPOSITORY_URL", inferenceImage))
	if err != nil {
		return err
	}
	redeploy := infra.Redeploy{Endpoint: names[0], Settings: names[1], Image: names[2] + ":" + c.Tag, Now: time.Now}
	return redeploy.Run(ctx, cfg, c.watch(std.out))
}
