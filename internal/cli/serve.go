package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/web/auth"
)

type serveCommand struct{ config.Serve }

// Help implements kong's detailed help.
func (serveCommand) Help() string {
	return `Everything in one process: the web page, and the workers that convert what is uploaded there.

  stereospot serve                        then open http://127.0.0.1:8080
  stereospot serve --data-dir /srv/films  keep films and results there

The first Ctrl-C or SIGTERM lets work under way end within --drain, the second stops it at once. Either way, and
after a crash or a power cut too, the same command continues where it was.`
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context, std streams) error {
	access, err := checkWeb(c.Check, &c.Listen, &c.Access)
	catalog, err := openCatalog(c.Catalog, err)
	if err != nil {
		return err
	}
	queues := mediaQueues(c.Splitting)
	maps.Copy(queues, videoQueues(c.Converting, c.Inference))
	return runRoles(ctx, std, roles{data: c.Data, models: c.Models, decoding: c.Decoding, inference: c.Inference, pace: c.Pace, log: c.Log, queues: queues},
		webRole(c.Listen, access, catalog), upkeepRole(c.Upkeep), workRole)
}

type webUICommand struct{ config.WebUI }

// Help implements kong's detailed help.
func (webUICommand) Help() string {
	return `Shows the page, answers the API, and repairs what a crash left. One of it for a data directory.

  stereospot web-ui --data-dir /srv/films`
}

// Run implements the command.
func (c *webUICommand) Run(ctx context.Context, std streams) error {
	access, err := checkWeb(c.Check, &c.Listen, &c.Access)
	catalog, err := openCatalog(c.Catalog, err)
	if err != nil {
		return err
	}
	return runRoles(ctx, std, roles{service: "web-ui", data: c.Data, models: c.Models, aws: c.AWS, segmentOutput: c.SegmentOutput, sessions: c.Sessions, operator: c.Operator, prices: c.Prices, pace: c.Pace, log: c.Log},
		webRole(c.Listen, access, catalog), upkeepRole(c.Upkeep))
}

// openCatalog returns the models of an inference service elsewhere, nil where none are named, and every problem: those
// found before, too.
func openCatalog(c config.Catalog, problems error) (*models.Catalog, error) {
	if len(c.DepthModels) == 0 {
		return nil, problems
	}
	catalog, err := models.NewCatalog(models.Registry(), c.DepthModels)
	if err != nil {
		err = usageError{err}
	}
	return catalog, errors.Join(problems, err)
}

// checkWeb returns who may use the web server, and every problem of its role at once.
func checkWeb(check func() error, listen *config.Listen, access *config.Access) (auth.Options, error) {
	problems := check() // reads what access is made of
	password, err := auth.ParsePassword(access.Password)
	o := auth.Options{
		Password: password, Secure: strings.HasPrefix(listen.PublicURL, "https://"), Proxies: access.TrustedProxies,
		OIDC: auth.OIDCOptions{
			Issuer: access.OIDCIssuer, ClientID: access.OIDCClientID, ClientSecret: access.OIDCClientSecret,
			PublicURL: listen.PublicURL, Admins: access.OIDCAdmins,
		},
	}
	if o.OIDC.Set() && listen.PublicURL == "" {
		o.OIDC.PublicURL = "http://" + listen.Addr
	}
	// Where the password or the address is wrong, that a password is missing isn't another problem.
	if _, _, bad := net.SplitHostPort(listen.Addr); err == nil && bad == nil {
		err = auth.CheckExposure(listen.Addr, o)
	}
	if err = errors.Join(problems, err); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

type mediaWorkerCommand struct{ config.MediaWorker }

// Help implements kong's detailed help.
func (mediaWorkerCommand) Help() string {
	return `Several may work on one data directory.

  stereospot media-worker --data-dir /srv/films`
}

// Run implements the command.
func (c *mediaWorkerCommand) Run(ctx context.Context, std streams) error {
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	return runRoles(ctx, std, roles{service: "media-worker", data: c.Data, aws: c.AWS, segmentOutput: c.SegmentOutput, prices: c.Prices, pace: c.Pace, log: c.Log, queues: mediaQueues(c.Splitting)},
		statusRole(c.Metrics), workRole)
}

type videoWorkerCommand struct{ config.VideoWorker }

// Help implements kong's detailed help.
func (videoWorkerCommand) Help() string {
	return `Several may work on one data directory.

  stereospot video-worker --data-dir /srv/films
  stereospot video-worker --data-dir /srv/films --convert-jobs 4`
}

// Run implements the command.
func (c *videoWorkerCommand) Run(ctx context.Context, std streams) error {
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	return runRoles(ctx, std, roles{
		service: "video-worker", prices: c.Prices, inferencePrice: c.InferencePrice,
		data: c.Data, models: c.Models, decoding: c.Decoding, aws: c.AWS, inference: c.Inference, pace: c.Pace, log: c.Log, queues: videoQueues(c.Converting, c.Inference),
		toolless: c.Inference.Elsewhere(),
	}, statusRole(c.Metrics), workRole)
}

// mediaQueues are the queues of who splits films, records converted segments, and joins them.
func mediaQueues(c config.Splitting) map[platform.QueueName]int {
	return map[platform.QueueName]int{
		platform.ChunkingQueue: c.MediaJobs, platform.SegmentOutputQueue: platform.MaxBatch, platform.ReassemblyQueue: c.MediaJobs,
	}
}

// videoQueues are the queues of who converts segments.
func videoQueues(c config.Converting, i config.Inference) map[platform.QueueName]int {
	return map[platform.QueueName]int{platform.VideoWorkerQueue: i.InFlight(fitJobs(c.ConvertJobs))}
}

// workRole handles the messages of the process's queues.
func workRole(r *running) error {
	for _, w := range r.workers {
		r.work.Go(func() error { w.Run(r.hard, r.soft.Done()); return nil })
	}
	if r.task != nil {
		r.work.Go(func() error { r.task.Run(r.hard, r.soft.Done()); return nil })
	}
	return nil
}

// upkeepRole repairs and tidies up.
func upkeepRole(c config.Upkeep) role {
	return func(r *running) error {
		r.pipeline.Policy = policy(c)
		r.pipeline.Sweeper = r.sweeper
		r.work.Go(func() error { r.reconcile(c.ReconcileEvery); return nil })
		return nil
	}
}

func policy(c config.Upkeep) pipeline.Policy {
	p := pipeline.DefaultPolicy()
	p.ResendAfter, p.StallAfter, p.AbandonAfter = c.ResendAfter, time.Duration(c.StallAfter), time.Duration(c.AbandonAfter)
	p.KeepSources, p.KeepSegments, p.KeepResults = time.Duration(c.KeepSources), time.Duration(c.KeepSegments), time.Duration(c.KeepResults)
	p.SweepAge = c.SweepAge
	return p
}

// reconcile makes one pass after another until the soft stop.
func (r *running) reconcile(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		repairs, err := r.pipeline.Reconcile(r.soft)
		if err != nil && r.soft.Err() == nil {
			r.log.Error("not everything could be repaired", "error", err)
		}
		r.told.failed(repairs.Failed, "stalled")
		if repairs != (pipeline.Repairs{}) {
			r.log.Info("repaired", "repairs", repairs)
		}
		select {
		case <-r.soft.Done():
			return
		case <-tick.C:
		}
	}
}

// webRole serves the page and the API. catalog, if not nil, are the models that films are converted with elsewhere.
func webRole(c config.Listen, access auth.Options, catalog *models.Catalog) role {
	return func(r *running) error {
		listener, err := net.Listen("tcp", c.Addr)
		if err != nil {
			return fmt.Errorf("can't listen on %s: %w (choose another with --addr)", c.Addr, err)
		}
		site, err := web.New(r.soft, r.webConfig(c, access, catalog))
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		server := &http.Server{Handler: site, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: site.Limits.HeaderBytes}
		r.work.Go(func() error { return site.Run(r.soft) })
		r.work.Go(func() error { return r.serveHTTP(server, listener) })
		fmt.Fprintf(r.std.out, "StereoSpot is at http://%s (data in %s)\n", listener.Addr(), r.site.name)
		return nil
	}
}

func (r *running) webConfig(c config.Listen, access auth.Options, catalog *models.Catalog) web.Config {
	config := web.Config{
		Platform: r.pipeline.Platform, Actions: r.pipeline, Objects: r.objects, Auth: access, Log: r.log, Version: version(),
		PublicURL: c.PublicURL, Scratch: r.scratch.dir, Depth: r.models, Models: r.models, PrivateWebhooks: c.PrivateWebhooks, Metrics: r.metrics, Traces: r.traces,
		Probes: r.probes(),
	}
	if catalog != nil {
		config.Depth, config.Models = catalog, nil
	}
	config.ObjectOrigins, config.LinksLast, config.JobLinks = r.origins, r.linksLast, r.jobLinks
	if r.perAsk {
		config.PollEvery, config.NoticesEvery, config.ReadyEvery = 3*time.Second, 15*time.Second, 10*time.Second
	}
	if r.filmsHere {
		config.FreeBytes = func() (int64, error) { s, err := r.disk.Status(); return s.Free - s.MinFree, err }
	}
	return config
}

// serveHTTP serves until the soft stop; requests under way may end within the time to drain, or until the hard stop.
func (r *running) serveHTTP(server *http.Server, listener net.Listener) error {
	stopped := make(chan error, 1)
	go func() {
		<-r.soft.Done()
		ctx, cancel := context.WithTimeout(r.hard, r.pace.Drain)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(ctx), server.Close())
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
