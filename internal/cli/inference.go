package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/config"
	inferenceservice "github.com/stereospot/stereospot/internal/inference/service"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/models"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/web"
)

type inferenceCommand struct {
	config.InferenceService
}

// Help implements kong's detailed help.
func (inferenceCommand) Help() string {
	return `Answers GET /ping and POST /invocations as SageMaker's containers do: segments come from and results go to s3:// addresses,
by the SDK's own credentials, or file:// addresses below a directory that --allow-files names. Nobody is asked who they
are: let only those reach it who may use it.

  stereospot inference
  stereospot inference --addr 127.0.0.1:8081 --allow-files /srv/exchange
  stereospot inference --fetch-model depth-anything-v2-small

/ping is 503 until the models of --fetch-model are in --models-dir and the first is warm. While the hub can't be reached it
is asked again without end; a refusal ends the service with its reason. Without --fetch-model the best installed model is
kept warm; where that one can't be used, the next. A model of your own converts only what names it.

After SIGTERM no more is taken, and what is under way may end within --drain.`
}

// Run implements the command.
func (c *inferenceCommand) Run(ctx context.Context, std streams) (err error) {
	problems := c.Check()
	wanted, err := models.Wanted(models.Registry(), c.FetchModels, c.AcceptLicense)
	if err := errors.Join(problems, err); err != nil {
		return usageError{err}
	}
	if err := media.CheckTools(ctx); err != nil {
		return err
	}
	log := newLogger(c.Log, std.err)
	files, err := openScratch(filepath.Join(c.scratchParent(), "stereospot-inference"))
	if err != nil {
		return fmt.Errorf("can't write to the scratch directory: %w (choose another with --scratch-dir)", err)
	}
	defer func() { err = errors.Join(err, files.close()) }()
	hard, stopHard := hardContext(ctx)
	defer stopHard()
	nets, err := openStocked(context.WithoutCancel(ctx), c, wanted, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, nets.Close()) }()
	gpu, err := openGPU(ctx, c.Decoding, func(text string) { log.Info(text) })
	if err != nil {
		return err
	}
	server, err := c.open(hard, files.dir, nets, gpu, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("can't listen on %s: %w (choose another with --addr)", c.Addr, err)
	}
	fmt.Fprintf(std.out, "the inference service is at http://%s\n", listener.Addr())
	g, work := errgroup.WithContext(ctx)
	g.Go(func() error { return nets.begin(work) })
	g.Go(func() error { return serveInference(work, server, listener, c.Drain, log) })
	return g.Wait()
}

func (c *inferenceCommand) scratchParent() string {
	if c.ScratchDir != "" {
		return c.ScratchDir
	}
	return os.TempDir()
}

// open makes the service, whose conversions end with ctx.
func (c *inferenceCommand) open(ctx context.Context, scratch string, nets *stocked, gpu *media.GPU, log *slog.Logger) (*inferenceservice.Server, error) {
	cfg, err := platformaws.Load(ctx, log, platformaws.Brief)
	if err != nil {
		return nil, err
	}
	bucket := platformaws.Buckets(cfg)
	metrics := web.NewMetrics()
	nets.count(metrics)
	return inferenceservice.New(ctx, inferenceservice.Config{
		Jobs: fitJobs(c.Jobs), Wait: c.Wait, Scratch: scratch, Folders: c.AllowFiles, Version: version(), Log: log,
		Bucket:  func(name string) inferenceservice.Store { return bucket(name) },
		Metrics: metrics, Models: nets, GPU: gpu, Ready: nets.Ready, Depth: nets.Depth,
	})
}

// hangUp bounds how long connections may take to end once nothing is under way.
const hangUp = 2 * time.Second

// serveInference answers requests until ctx ends, lets what is under way end within drain, and hangs up.
func serveInference(ctx context.Context, s *inferenceservice.Server, listener net.Listener, drain time.Duration, log *slog.Logger) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping: work under way may end", "within", drain.String())
	s.Drain(drain)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUp)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		return server.Close() // what hangs on is idle or slow
	}
	log.Info("stopped")
	return nil
}
