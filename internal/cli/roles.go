package cli

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/worker"
)

// roles is what all roles of a process share.
type roles struct {
	service        string        // its command's name
	told           *cloudMetrics // made by runRoles
	data           config.Data
	aws            config.AWS // its zero value is a data directory
	segmentOutput  config.SegmentOutput
	sessions       config.Sessions
	operator       config.Operator
	prices         config.Prices
	inferencePrice config.InferencePrice
	inference      config.Inference // its zero value converts in this process
	models         config.Models
	decoding       config.Decoding // its zero value is software
	pace           config.Pace
	log            config.Log
	queues         map[platform.QueueName]int // whose messages the process handles, and how many of each at a time
	toolless       bool                       // whether the process does without FFmpeg
}

// role starts one of a process's tasks on r; what it starts ends with r's contexts.
type role func(r *running) error

// running is a process while it runs.
type running struct {
	*node
	std  streams
	soft context.Context // ends when no more work may be begun
	hard context.Context // ends when work has to stop
	work *errgroup.Group

	workers []*worker.Worker // which workRole sets going
}

// runRoles runs the roles until ctx ends or one of them fails: no more work is begun then, and what is under way
// may end. A second signal stops that too.
func runRoles(ctx context.Context, std streams, c roles, list ...role) error {
	log := newLogger(c.log, std.err)
	c.told = newCloudMetrics(c, std.out)
	n, err := openNode(ctx, c, log)
	if err != nil {
		return err
	}
	hard, stopHard := hardContext(ctx)
	defer stopHard()
	g, soft := errgroup.WithContext(ctx)
	r := &running{node: n, std: std, soft: soft, hard: hard, work: g}
	for _, q := range slices.Sorted(maps.Keys(c.queues)) {
		r.workers = append(r.workers, n.worker(q, c.queues[q]))
	}
	if c.told != nil {
		g.Go(func() error { n.told.run(hard, soft.Done(), c.measured(n.pipeline.Queues), log); return nil })
	}
	for _, start := range list {
		if err := start(r); err != nil {
			g.Go(func() error { return err }) // the others stop
			break
		}
	}
	<-soft.Done()
	log.Info("stopping: work under way may end", "within", c.pace.Drain.String())
	err = g.Wait()
	log.Info("stopped")
	return errors.Join(err, n.close(ctx))
}

// hardContext returns a context that outlives ctx and ends with the second signal.
func hardContext(ctx context.Context) (context.Context, context.CancelFunc) {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer signal.Stop(signals)
		for range 2 {
			select {
			case <-signals:
			case <-hard.Done():
				return
			}
		}
		cancel()
	}()
	return hard, cancel
}

// measured returns the queues whose depth the process tells: those of a process that works on none of them, for one of
// a deployment's services is enough.
func (c roles) measured(all map[platform.QueueName]platform.Queue) map[platform.QueueName]platform.Queue {
	if len(c.queues) > 0 {
		return nil
	}
	return all
}
