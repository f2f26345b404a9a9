package stack

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/infra/terraform"
)

// Task is what a service's tasks consist of.
type Task struct {
	CPU, Memory, Disk float64 // units of 1/1024 vCPU, MiB, GiB
	Command           []string
	Environment       map[string]string
	Secrets           map[string]string // environment variables whose values come from Secrets Manager
	User              string
	ReadOnly          bool // the root file system
	StopTimeout       time.Duration
	HealthCheck       []string
	LogGroup          string
}

// container is the part of ECS's container definition that tasks are judged by.
type container struct {
	Name, User             string
	EntryPoint, Command    []string
	ReadonlyRootFilesystem bool
	StopTimeout            int // seconds
	Environment            []struct{ Name, Value string }
	Secrets                []struct{ Name, ValueFrom string }
	HealthCheck            struct{ Command []string }
	LogConfiguration       struct{ Options map[string]string }
}

// Tasks returns the tasks, by service.
func (s *Stack) Tasks() (map[string]Task, error) {
	all, err := s.project.Resources("aws_ecs_task_definition")
	if err != nil {
		return nil, err
	}
	tasks := map[string]Task{}
	for _, r := range all {
		if tasks[r.Key], err = task(r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Address, err)
		}
	}
	return tasks, nil
}

func task(r terraform.Resource) (Task, error) {
	var containers []container
	if err := json.Unmarshal([]byte(r.Text("container_definitions")), &containers); err != nil {
		return Task{}, err
	}
	if len(containers) != 1 || containers[0].Name != r.Key {
		return Task{}, fmt.Errorf("the task of %s has to be one container of that name", r.Key)
	}
	c := containers[0]
	t := Task{
		CPU: r.Number("cpu"), Memory: r.Number("memory"), Disk: r.One("ephemeral_storage").Number("size_in_gib"),
		Command: append(c.EntryPoint, c.Command...), Environment: map[string]string{}, Secrets: map[string]string{},
		User: c.User, ReadOnly: c.ReadonlyRootFilesystem, StopTimeout: time.Duration(c.StopTimeout) * time.Second,
		HealthCheck: c.HealthCheck.Command, LogGroup: c.LogConfiguration.Options["awslogs-group"],
	}
	for _, e := range c.Environment {
		t.Environment[e.Name] = e.Value
	}
	for _, e := range c.Secrets {
		t.Secrets[e.Name] = e.ValueFrom
	}
	return t, nil
}

// InferenceEnvironment returns what the inference service is told; nil when there is none here.
func (s *Stack) InferenceEnvironment() (map[string]string, error) {
	all, err := s.project.Resources("aws_sagemaker_model")
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0].One("primary_container").Map("environment"), nil
}

// InferenceStart returns how long an instance of the endpoint may take until it is well; 0 without an endpoint.
func (s *Stack) InferenceStart() (time.Duration, error) {
	all, err := s.project.Resources("aws_sagemaker_endpoint_configuration")
	if err != nil || len(all) == 0 {
		return 0, err
	}
	seconds := all[0].One("production_variants").Number("container_startup_health_check_timeout_in_seconds")
	return time.Duration(seconds) * time.Second, nil
}

// InferenceConcurrency returns how many segments SageMaker has one instance convert at a time; 0 without an endpoint.
func (s *Stack) InferenceConcurrency() (int, error) {
	all, err := s.project.Resources("aws_sagemaker_endpoint_configuration")
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return int(all[0].One("async_inference_config").One("client_config").Number("max_concurrent_invocations_per_instance")), nil
}

// OutputNames returns the environment variables that the project's outputs become.
func (s *Stack) OutputNames() []string {
	var names []string
	for _, name := range s.project.Outputs() {
		names = append(names, strings.ToUpper(name))
	}
	return names
}
