package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
)

// steps has a queue's messages handled by the pipeline.
type steps struct {
	pipeline *pipeline.Pipeline
	queue    platform.QueueName
}

var _ Handler = steps{}

// Steps returns the handler of one of the pipeline's queues.
func Steps(p *pipeline.Pipeline, q platform.QueueName) Handler { return steps{p, q} }

// Handle implements Handler.
func (s steps) Handle(ctx context.Context, m platform.Message) error {
	err := s.pipeline.Handle(ctx, s.queue, m.Body)
	wait := new(pipeline.WaitError)
	switch {
	case err == nil || errors.Is(err, platform.ErrFull):
		return err
	case pipeline.Permanent(err):
		return &Permanent{err}
	case errors.As(err, &wait):
		return &Wait{Delay: wait.Delay, Err: err}
	}
	return err
}

// GiveUp implements Handler.
func (s steps) GiveUp(ctx context.Context, _ platform.Message, err error) error {
	return s.pipeline.GiveUp(ctx, s.queue, err)
}

// Attributes implements Handler.
func (s steps) Attributes(m platform.Message) []slog.Attr {
	return []slog.Attr{slog.String("job_id", strings.Join(s.pipeline.JobIDs(s.queue, m.Body), ","))}
}
