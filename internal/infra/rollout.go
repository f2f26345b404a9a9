package infra

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Rollout is a new image for a service of ECS.
type Rollout struct {
	Cluster, Service string
	Container        string // whose image is replaced
	Image            string // the new one, with its tag
}

// Run registers a task definition with the new image, moves the service to it and waits until its tasks are stable.
// What else the definition says is its family's newest revision, so a revision that Terraform registered is taken up
// too. On failure the service goes back to the definition that it ran before, and the new one is withdrawn; ctx's end
// in the middle of it is a failure as well.
func (r Rollout) Run(ctx context.Context, cfg aws.Config, w Watch) error {
	s := &service{client: ecs.NewFromConfig(cfg), Rollout: r, Watch: w}
	before, err := s.describe(ctx)
	if err != nil {
		return err
	}
	old := aws.ToString(before.TaskDefinition)
	made, err := s.register(ctx, old)
	if err != nil {
		return fmt.Errorf("registering a task definition for %s: %w", r.Service, err)
	}
	w.sayf("%s: moving from %s to %s", r.Service, revision(old), revision(made))
	if err = s.move(ctx, made); err == nil {
		w.sayf("%s runs %s", r.Service, r.Image)
		return nil
	}
	return s.back(ctx, old, made, err)
}

// service is one rollout under way.
type service struct {
	client *ecs.Client
	Rollout
	Watch
}

// describe returns what ECS says of the service.
func (s *service) describe(ctx context.Context) (types.Service, error) {
	out, err := s.client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &s.Cluster, Services: []string{s.Service}})
	if err != nil {
		return types.Service{}, err
	}
	if len(out.Services) != 1 || aws.ToString(out.Services[0].Status) == "INACTIVE" {
		return types.Service{}, fmt.Errorf("cluster %s has no service %s", s.Cluster, s.Service)
	}
	return out.Services[0], nil
}

// register adds a revision with the new image to the family of a definition, and returns its ARN.
func (s *service) register(ctx context.Context, current string) (string, error) {
	now, err := s.client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &current})
	if err != nil {
		return "", err
	}
	newest, err := s.client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: now.TaskDefinition.Family, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	if err != nil {
		return "", err
	}
	in := nextRevision(newest.TaskDefinition, newest.Tags)
	if err := setImage(in.ContainerDefinitions, s.Container, s.Image); err != nil {
		return "", err
	}
	made, err := s.client.RegisterTaskDefinition(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(made.TaskDefinition.TaskDefinitionArn), nil
}

// nextRevision copies everything of a definition that a registration takes.
func nextRevision(d *types.TaskDefinition, tags []types.Tag) *ecs.RegisterTaskDefinitionInput {
	return &ecs.RegisterTaskDefinitionInput{
		Family: d.Family, ContainerDefinitions: d.ContainerDefinitions, Volumes: d.Volumes, Tags: tags,
		Cpu: d.Cpu, Memory: d.Memory, EphemeralStorage: d.EphemeralStorage, RuntimePlatform: d.RuntimePlatform,
		TaskRoleArn: d.TaskRoleArn, ExecutionRoleArn: d.ExecutionRoleArn,
		NetworkMode: d.NetworkMode, RequiresCompatibilities: d.RequiresCompatibilities, PlacementConstraints: d.PlacementConstraints,
		IpcMode: d.IpcMode, PidMode: d.PidMode, ProxyConfiguration: d.ProxyConfiguration, EnableFaultInjection: d.EnableFaultInjection,
	}
}

// setImage replaces the image of the named container.
func setImage(containers []types.ContainerDefinition, name, image string) error {
	for i := range containers {
		if aws.ToString(containers[i].Name) == name {
			containers[i].Image = &image
			return nil
		}
	}
	return fmt.Errorf("the task definition has no container %s", name)
}

// move points the service at a task definition and waits until that is what runs.
func (s *service) move(ctx context.Context, definition string) error {
	_, err := s.client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &s.Cluster, Service: &s.Service, TaskDefinition: &definition})
	if err != nil {
		return err
	}
	seen := false
	return s.until(ctx, func(ctx context.Context) (bool, error) {
		now, err := s.describe(ctx)
		if err != nil {
			return false, err
		}
		d := deploymentOf(now, definition)
		if d == nil && !seen {
			return false, nil // ECS's answers may be some seconds old
		}
		seen = true
		return stable(now, d)
	})
}

// deploymentOf returns the service's deployment of a definition, or nil.
func deploymentOf(s types.Service, definition string) *types.Deployment {
	for i := range s.Deployments {
		if aws.ToString(s.Deployments[i].TaskDefinition) == definition {
			return &s.Deployments[i]
		}
	}
	return nil
}

// stable reports whether d is the service's one deployment, with all the tasks that it should have. It fails when ECS has
// given d up: it then says so, or has put another deployment in its place, so that d is nil.
func stable(s types.Service, d *types.Deployment) (bool, error) {
	switch {
	case d == nil:
		return false, errors.New("ECS has replaced the deployment by another")
	case d.RolloutState == types.DeploymentRolloutStateFailed:
		return false, fmt.Errorf("ECS gave the deployment up: %s", aws.ToString(d.RolloutStateReason))
	}
	whole := d.RunningCount == d.DesiredCount && d.RolloutState != types.DeploymentRolloutStateInProgress
	return whole && len(s.Deployments) == 1, nil
}

// back returns the service to the definition that it ran before. It outlives ctx, within its own patience.
func (s *service) back(ctx context.Context, old, made string, cause error) error {
	ctx = context.WithoutCancel(ctx)
	s.sayf("%s: %v; going back to %s", s.Service, cause, revision(old))
	if reason := s.stoppedBecause(ctx, made); reason != "" {
		cause = fmt.Errorf("%w; a task stopped: %s", cause, reason)
	}
	failed := fmt.Errorf("%s doesn't run %s: %w", s.Service, s.Image, cause)
	if err := s.move(ctx, old); err != nil {
		return errors.Join(failed, fmt.Errorf("and it couldn't go back to %s: %w", revision(old), err))
	}
	_, err := s.client.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &made})
	if err != nil {
		return errors.Join(failed, fmt.Errorf("withdrawing %s: %w", revision(made), err))
	}
	return fmt.Errorf("%w; it runs %s again", failed, revision(old))
}

// askWhy bounds the question for a reason, which is a courtesy.
const askWhy = 10 * time.Second

// stoppedBecause returns why a task of the definition stopped, as far as ECS says.
func (s *service) stoppedBecause(ctx context.Context, definition string) string {
	ctx, cancel := context.WithTimeout(ctx, askWhy)
	defer cancel()
	list, err := s.client.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &s.Cluster, ServiceName: &s.Service, DesiredStatus: types.DesiredStatusStopped})
	if err != nil || len(list.TaskArns) == 0 {
		return ""
	}
	tasks, err := s.client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &s.Cluster, Tasks: list.TaskArns})
	if err != nil {
		return ""
	}
	for _, t := range tasks.Tasks {
		if aws.ToString(t.TaskDefinitionArn) == definition && aws.ToString(t.StoppedReason) != "" {
			return aws.ToString(t.StoppedReason)
		}
	}
	return ""
}

// revision returns FAMILY:NUMBER of a task definition's ARN.
func revision(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
