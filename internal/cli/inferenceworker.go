package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/stereospot/stereospot/internal/config"
	inferencechild "github.com/stereospot/stereospot/internal/inference/child"
)

// inferenceWorkerCommand is the process that holds the neural networks of a server, a worker or the inference service.
type inferenceWorkerCommand struct{ config.Models }

// Run implements the command. Whoever started this process decides when it ends: signals that reach the whole group of a
// terminal or of a service manager are answered there.
func (c *inferenceWorkerCommand) Run(ctx context.Context) (err error) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	loader := newLoader(c.Models, false)
	defer func() { err = errors.Join(err, loader.Close()) }()
	return inferencechild.Serve(context.WithoutCancel(ctx), loader)
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

// withoutSecrets drops what opens stores, the hub, a server and whoever collects its traces.
func withoutSecrets(env []string) []string {
	secret := []string{"AWS_", "HF_TOKEN", "STEREOSPOT_PASSWORD", "STEREOSPOT_OIDC_", "OTEL_"}
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		return slices.ContainsFunc(secret, func(prefix string) bool { return strings.HasPrefix(e, prefix) })
	})
}
