package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/stereospot/stereospot/internal/config"
	inferencechild "github.com/stereospot/stereospot/internal/inference/child"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// inferenceWorkerCommand is the process of the inference service that holds neural networks.
type inferenceWorkerCommand struct{ config.Models }

// Run implements the command. The service decides when this process ends: signals that reach the whole group of a
// terminal or of a service manager are the service's to answer.
func (c *inferenceWorkerCommand) Run(ctx context.Context) (err error) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	loader := newLoader(c.Models, false)
	defer func() { err = errors.Join(err, loader.Close()) }()
	return inferencechild.Serve(context.WithoutCancel(ctx), loader)
}

// apart are the models of this machine, whose networks run in a process of their own.
type apart struct {
	*models.Loader
	*inferencechild.Host
}

// Open implements clip.Models.
func (a apart) Open(ctx context.Context, d job.DepthOptions) (depth.Net, error) {
	return a.Host.Open(ctx, d)
}

// Close ends the process and frees the loader.
func (a apart) Close() error { return errors.Join(a.Host.Close(), a.Loader.Close()) }

// openApart has the networks of this configuration held by a process that is told no secrets. The best model that is
// installed is warmed.
func openApart(ctx context.Context, m config.Models, log *slog.Logger) (apart, error) {
	loader := newLoader(m, false)
	names, err := loader.Names()
	if err != nil {
		return apart{}, err
	}
	c := inferencechild.Config{Args: workerArgs(m), Env: withoutSecrets(os.Environ()), Log: log}
	if len(names) > 0 {
		c.Warm = []job.DepthOptions{{Model: names[0]}}
	}
	if c.Program, err = os.Executable(); err != nil {
		return apart{}, err
	}
	return apart{loader, inferencechild.New(ctx, c)}, nil
}

// workerArgs are the arguments by which inferenceWorkerCommand has the configuration m.
func workerArgs(m config.Models) []string {
	args := []string{"inference-worker", "--depth-provider", m.DepthProvider, "--depth-threads", strconv.Itoa(m.DepthThreads),
		"--depth-batch", strconv.Itoa(m.DepthBatch), "--depth-memory", strconv.FormatInt(int64(m.DepthMemory), 10)}
	if m.ModelsDir != "" {
		args = append(args, "--models-dir", m.ModelsDir)
	}
	if m.OrtLib != "" {
		args = append(args, "--ort-lib", m.OrtLib)
	}
	return args
}

// withoutSecrets drops what opens stores and the hub.
func withoutSecrets(env []string) []string {
	var kept []string
	for _, e := range env {
		if !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "HF_TOKEN") {
			kept = append(kept, e)
		}
	}
	return kept
}
