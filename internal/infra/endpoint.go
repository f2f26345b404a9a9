package infra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
)

// Redeploy is a new image for an inference endpoint of SageMaker.
type Redeploy struct {
	Endpoint string
	Image    string           // with its tag
	Settings string           // the endpoint configuration that counts for all but the image: Terraform's newest
	Now      func() time.Time // names what is made
}

// Run makes a model and an endpoint configuration that are those of the settings but for the image, moves the endpoint to
// them and waits until it is in service. SageMaker keeps the old one serving until the new one does, and keeps it when the new
// one fails; what was made is then removed again. The old model and configuration stay: they may be Terraform's.
func (r Redeploy) Run(ctx context.Context, cfg aws.Config, w Watch) error {
	e := &endpoint{client: sagemaker.NewFromConfig(cfg), Redeploy: r, Watch: w}
	made, err := e.prepare(ctx)
	if err != nil {
		return errors.Join(err, e.remove(ctx, made))
	}
	w.sayf("endpoint %s: moving to %s", r.Endpoint, made)
	if err := e.update(ctx, made); err != nil {
		failed := fmt.Errorf("endpoint %s doesn't run %s: %w", r.Endpoint, r.Image, err)
		if e.uses(ctx, made) {
			return fmt.Errorf("%w; it may still be on its way to %s", failed, made)
		}
		return errors.Join(failed, e.remove(ctx, made))
	}
	w.sayf("endpoint %s runs %s", r.Endpoint, r.Image)
	return nil
}

// endpoint is one redeployment under way.
type endpoint struct {
	client *sagemaker.Client
	Redeploy
	Watch
}

// prepare makes the model and the configuration, both of the name that it returns; on failure the name says what may
// have been made.
func (e *endpoint) prepare(ctx context.Context) (string, error) {
	now, err := e.client.DescribeEndpoint(ctx, &sagemaker.DescribeEndpointInput{EndpointName: &e.Endpoint})
	if err != nil {
		return "", err
	}
	if now.EndpointStatus != types.EndpointStatusInService {
		return "", fmt.Errorf("endpoint %s is %s: wait until it is in service", e.Endpoint, now.EndpointStatus)
	}
	config, err := e.client.DescribeEndpointConfig(ctx, &sagemaker.DescribeEndpointConfigInput{EndpointConfigName: &e.Settings})
	if err != nil {
		return "", fmt.Errorf("configuration %s: %w", e.Settings, err)
	}
	if len(config.ProductionVariants) != 1 {
		return "", fmt.Errorf("configuration %s has %d variants, not one", e.Settings, len(config.ProductionVariants))
	}
	model, err := e.client.DescribeModel(ctx, &sagemaker.DescribeModelInput{ModelName: config.ProductionVariants[0].ModelName})
	if err != nil {
		return "", err
	}
	tags, err := e.tags(ctx, aws.ToString(model.ModelArn))
	if err != nil {
		return "", err
	}
	name := e.newName()
	if err := e.makeModel(ctx, name, model, tags); err != nil {
		return "", err
	}
	return name, e.makeConfig(ctx, name, config, tags)
}

// newName returns a name that is free and sorts by time, within SageMaker's 63 letters.
func (e *endpoint) newName() string {
	stamp := e.Now().UTC().Format("20060102-150405")
	return fmt.Sprintf("%.*s-%s", 62-len(stamp), e.Endpoint, stamp)
}

// tags returns the tags of a resource but for those that only AWS may set.
func (e *endpoint) tags(ctx context.Context, arn string) ([]types.Tag, error) {
	var tags []types.Tag
	for pages := sagemaker.NewListTagsPaginator(e.client, &sagemaker.ListTagsInput{ResourceArn: &arn}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		tags = append(tags, page.Tags...)
	}
	return slices.DeleteFunc(tags, func(t types.Tag) bool { return strings.HasPrefix(aws.ToString(t.Key), "aws:") }), nil
}

func (e *endpoint) makeModel(ctx context.Context, name string, old *sagemaker.DescribeModelOutput, tags []types.Tag) error {
	if old.PrimaryContainer == nil {
		return errors.New("the model has no primary container")
	}
	container := *old.PrimaryContainer
	container.Image = &e.Image
	_, err := e.client.CreateModel(ctx, &sagemaker.CreateModelInput{
		ModelName: &name, PrimaryContainer: &container, ExecutionRoleArn: old.ExecutionRoleArn, VpcConfig: old.VpcConfig,
		EnableNetworkIsolation: old.EnableNetworkIsolation, Tags: tags,
	})
	return err
}

func (e *endpoint) makeConfig(ctx context.Context, name string, old *sagemaker.DescribeEndpointConfigOutput, tags []types.Tag) error {
	variant := old.ProductionVariants[0]
	variant.ModelName = &name
	_, err := e.client.CreateEndpointConfig(ctx, &sagemaker.CreateEndpointConfigInput{
		EndpointConfigName: &name, ProductionVariants: []types.ProductionVariant{variant}, AsyncInferenceConfig: old.AsyncInferenceConfig,
		DataCaptureConfig: old.DataCaptureConfig, KmsKeyId: old.KmsKeyId, ExecutionRoleArn: old.ExecutionRoleArn, VpcConfig: old.VpcConfig,
		EnableNetworkIsolation: old.EnableNetworkIsolation, Tags: tags,
	})
	return err
}

// update moves the endpoint to a configuration and waits until it serves it. The number of instances stays as
// autoscaling has it.
func (e *endpoint) update(ctx context.Context, config string) error {
	_, err := e.client.UpdateEndpoint(ctx, &sagemaker.UpdateEndpointInput{
		EndpointName: &e.Endpoint, EndpointConfigName: &config, RetainAllVariantProperties: aws.Bool(true),
	})
	if err != nil {
		return err
	}
	return e.until(ctx, func(ctx context.Context) (bool, error) {
		now, err := e.client.DescribeEndpoint(ctx, &sagemaker.DescribeEndpointInput{EndpointName: &e.Endpoint})
		if err != nil {
			return false, err
		}
		switch now.EndpointStatus {
		case types.EndpointStatusUpdating, types.EndpointStatusSystemUpdating, types.EndpointStatusRollingBack, types.EndpointStatusCreating:
			return false, nil
		case types.EndpointStatusInService:
			if aws.ToString(now.EndpointConfigName) == config {
				return true, nil
			}
			return false, fmt.Errorf("SageMaker went back to %s: %s", aws.ToString(now.EndpointConfigName), aws.ToString(now.FailureReason))
		default:
			return false, fmt.Errorf("it is %s: %s", now.EndpointStatus, aws.ToString(now.FailureReason))
		}
	})
}

// cleanFor bounds what is asked and removed after a failure, which outlives the context of the work.
const cleanFor = 30 * time.Second

// uses reports whether the endpoint has the configuration, or may be about to.
func (e *endpoint) uses(ctx context.Context, config string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanFor)
	defer cancel()
	now, err := e.client.DescribeEndpoint(ctx, &sagemaker.DescribeEndpointInput{EndpointName: &e.Endpoint})
	return err != nil || aws.ToString(now.EndpointConfigName) == config || now.EndpointStatus == types.EndpointStatusUpdating
}

// remove deletes what prepare made.
func (e *endpoint) remove(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanFor)
	defer cancel()
	_, configErr := e.client.DeleteEndpointConfig(ctx, &sagemaker.DeleteEndpointConfigInput{EndpointConfigName: &name})
	_, modelErr := e.client.DeleteModel(ctx, &sagemaker.DeleteModelInput{ModelName: &name})
	if configErr != nil || modelErr != nil {
		return fmt.Errorf("removing %s: %w", name, errors.Join(configErr, modelErr))
	}
	return nil
}
