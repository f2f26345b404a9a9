package cli

import (
	"log/slog"
	"os"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/protection"
	"github.com/stereospot/stereospot/internal/worker"
)

// taskOf returns the ECS task that this process is, nil where it is none. ECS says where its agent listens.
func taskOf(place config.Place, log *slog.Logger) *protection.Task {
	agent := os.Getenv("ECS_AGENT_URI")
	if place != config.OnAWS || agent == "" {
		return nil
	}
	return protection.New(agent, protection.DefaultTimes(), log)
}

// handlerOf returns the handler of one of the pipeline's queues, whose work keeps the task, if it is one, from being
// stopped.
func handlerOf(p *pipeline.Pipeline, q platform.QueueName, task *protection.Task) worker.Handler {
	steps := worker.Steps(p, q)
	if task == nil {
		return steps
	}
	return task.Handler(steps)
}
