package cli

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/stereospot/stereospot/internal/config"
	inferenceservice "github.com/stereospot/stereospot/internal/inference/service"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
)

// stocked are the models of the inference service: those of this machine and those that have to be fetched.
type stocked struct {
	*apart
	fetcher *models.Fetcher
	tried   []string    // the models that are kept warm as far as they can be used; set before begun
	begun   atomic.Bool // everything that was asked for is here
}

var _ inferenceservice.Models = (*stocked)(nil)

// openStocked returns the models of this configuration. begin must be called.
func openStocked(ctx context.Context, c *inferenceCommand, wanted []models.Model, log *slog.Logger) (*stocked, error) {
	hub, err := models.HubFromEnvironment()
	if err != nil {
		return nil, usageError{err}
	}
	nets, err := openApart(ctx, c.Models, keptWarm, log)
	if err != nil {
		return nil, err
	}
	if nets.Store.Dir == "" && len(wanted) > 0 {
		return nil, errors.Join(usagef("there is no home directory to keep models in: name one with --models-dir"), nets.Close())
	}
	return &stocked{apart: nets, fetcher: &models.Fetcher{
		Store: nets.Store, Models: wanted, Log: log,
		Open: func(ctx context.Context) (*models.Hub, error) { return withToken(ctx, hub, c.HubToken, log) },
	}}, nil
}

// begin fetches what isn't here, and has the first model that was asked for kept warm, else the best that is installed and
// can be used. It returns nil when that is under way or ctx has ended.
func (s *stocked) begin(ctx context.Context) error {
	if err := s.fetcher.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	names, err := s.Names()
	if err != nil || ctx.Err() != nil {
		return err
	}
	if wanted := s.fetcher.Models; len(wanted) > 0 {
		names = []string{wanted[0].Name}
	}
	if len(names) > 0 {
		s.Begin(choices(names)...)
	}
	s.tried = names
	s.begun.Store(true)
	return nil
}

// choices are the models of these names.
func choices(names []string) []job.DepthOptions {
	var list []job.DepthOptions
	for _, name := range names {
		list = append(list, job.DepthOptions{Model: name})
	}
	return list
}

// Ready returns nil when depth can be computed at once. The error is for people.
func (s *stocked) Ready() error {
	if !s.begun.Load() {
		return errors.New(s.fetcher.State())
	}
	return s.Host.Ready()
}

// Resolve implements inferenceservice.Models. What a choice comes to isn't known before every model is here, nor what "auto"
// does before one of them is warm.
func (s *stocked) Resolve(d job.DepthOptions) (job.DepthOptions, error) {
	if d.Model != job.Classic && !s.begun.Load() {
		return d, &inferenceservice.LaterError{Reason: s.fetcher.State()}
	}
	if d.Model == job.AutoDepth && len(s.fetcher.Models) == 0 {
		return s.best(d)
	}
	return s.Loader.Resolve(d)
}

// best makes "auto" the best model that can be used, or classic where none can. A person's own model is none of them, as
// everywhere.
func (s *stocked) best(d job.DepthOptions) (job.DepthOptions, error) {
	chosen, err := s.Loader.Resolve(d)
	if err != nil || !slices.Contains(s.tried, chosen.Model) { // classic, or a model that has come since
		return chosen, err
	}
	warm := s.Depth()
	if err := s.Host.Ready(); err != nil && warm == "" {
		return d, &inferenceservice.LaterError{Reason: err.Error()}
	}
	switch {
	case warm == chosen.Model:
		return chosen, nil
	case models.Known(warm):
		d.Model = warm
		return s.Loader.Resolve(d)
	case d != job.DepthOptions{Model: job.AutoDepth}:
		return chosen, nil // which says why it can't be used: classic has no such options
	}
	return job.DepthOptions{Model: job.Classic}, nil
}

// withToken returns the hub with the token of the environment, else that of the secret, which may hold none.
func withToken(ctx context.Context, hub *models.Hub, c config.HubToken, log *slog.Logger) (*models.Hub, error) {
	if hub.Token != "" || c.HFTokenSecretARN == "" {
		return hub, nil
	}
	cfg, err := platformaws.Load(ctx, log)
	if err != nil {
		return nil, err
	}
	token, err := platformaws.ReadSecret(ctx, cfg, c.HFTokenSecretARN)
	if errors.Is(err, platform.ErrNotFound) {
		log.Info("the secret of the hub's token holds none: models are asked for without")
		return hub, nil
	}
	if err != nil {
		return nil, err
	}
	with := *hub
	with.Token, with.TokenFrom = token, "the secret that HF_TOKEN_SECRET_ARN names"
	return &with, nil
}
