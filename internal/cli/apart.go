package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/config"
	inferencechild "github.com/stereospot/stereospot/internal/inference/child"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// apart are the models of this machine, whose networks run in a process of their own. It is there while one is needed.
type apart struct {
	*models.Loader
	*inferencechild.Host
}

var _ clip.Models = (*apart)(nil)

// How long the process of the networks stays when nobody needs it: it has the memory of every model that was used, and
// starts and opens one in about a second.
const (
	keptWarm = 0 // for good
	keptIdle = 5 * time.Minute
)

// openApart has the networks of this configuration held by a process that is told no secrets. It ends with ctx, or
// idle after it was needed last, to be started anew; Close must be called.
func openApart(ctx context.Context, c config.Models, idle time.Duration, log *slog.Logger) (*apart, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	host := inferencechild.New(ctx, inferencechild.Config{
		Program: program, Args: workerArgs(c), Env: withoutSecrets(os.Environ()), Idle: idle, Log: log,
	})
	return &apart{Loader: newLoader(c, false), Host: host}, nil
}

// Open implements clip.Models.
func (a *apart) Open(ctx context.Context, d job.DepthOptions) (depth.Net, error) {
	return a.Host.Open(ctx, d)
}

// Close ends the process and frees the loader.
func (a *apart) Close() error { return errors.Join(a.Host.Close(), a.Loader.Close()) }

// count has the deaths of the networks' processes counted.
func (a *apart) count(metrics prometheus.Registerer) {
	metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "stereospot_depth_process_deaths_total", Help: "Processes that compute depth which died.",
	}, func() float64 { return float64(a.Deaths()) }))
}
