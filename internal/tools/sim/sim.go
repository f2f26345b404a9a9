// Package sim runs a fleet in virtual time: the real pipeline, workers and reconciler on a platform in memory, whose calls
// take as long as requests to AWS do and are counted as the requests that the AWS adapters make of them. Films are blank
// and conversions sleep. It runs within a bubble of testing/synctest, so a day of a thousand workers takes minutes.
package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/memory"
	"github.com/stereospot/stereospot/internal/tools/blank"
	"github.com/stereospot/stereospot/internal/worker"
)

// Fleet is what is simulated. All jobs are there at the beginning.
type Fleet struct {
	VideoWorkers int // each converts one segment at a time
	MediaWorkers int // each splits one film and joins one at a time
	Films        int
	Segments     int // of every film
	// Conversion is the median of what inference takes for a segment, and Spread its log-normal sigma.
	Conversion time.Duration
	Spread     float64
	Scratch    string // directory for files under way
	Seed       uint64
}

// What a film costs a media-worker beside requests.
const (
	measuring  = 4 * time.Second
	splitting  = 50 * time.Millisecond  // per segment
	assembling = 100 * time.Millisecond // per segment
)

// Paces of workers on AWS, the defaults of package config.
const (
	pulse          = 30 * time.Second
	leaseTime      = 2 * time.Minute
	gathering      = time.Second
	reconcileEvery = time.Minute
)

// Report is what a fleet did.
type Report struct {
	Fleet
	Makespan  time.Duration // from the first job's start to the last one's end
	Ideal     time.Duration // what the conversions alone take, spread evenly over the workers
	Converted int           // conversions; more than segments when some were made twice
	Requests  map[Request]int
	Units     map[Request]int // of DynamoDB that are paid for: read units of reads, write units of writes
	Idle      int             // polls that brought nothing
	Hot       map[string]Peak
}

// Efficiency is the ideal makespan over the real one.
func (r Report) Efficiency() float64 { return r.Ideal.Seconds() / r.Makespan.Seconds() }

// PerSegment returns how often a request was made per segment.
func (r Report) PerSegment(q Request) float64 {
	return float64(r.Requests[q]) / float64(r.Films*r.Segments)
}

// Total returns how many requests were made per segment, polls that brought nothing aside.
func (r Report) Total() (sum float64) {
	for q := range r.Requests {
		sum += r.PerSegment(q)
	}
	return sum
}

// fleet is a Fleet that runs.
type fleet struct {
	Fleet
	platform.Platform
	meter *meter
	log   *slog.Logger
	films pipeline.Films
	// process, if set, returns the platform as the process of that name sees it.
	process func(name string, p platform.Platform) platform.Platform

	mu        sync.Mutex
	dice      *rand.Rand
	work      time.Duration // of all conversions
	converted int
	left      int           // jobs that haven't ended
	ended     chan struct{} // closed with the last one
}

// newFleet returns a fleet that simulate sets going.
func newFleet(f Fleet) *fleet {
	r := &fleet{
		Fleet: f, meter: newMeter(), log: slog.New(slog.DiscardHandler), films: blank.Films{Take: filmTime},
		dice: rand.New(rand.NewPCG(f.Seed, 1)), left: f.Films, ended: make(chan struct{}),
	}
	r.Platform = r.meter.platform(memory.New(memory.Options{Notifications: platform.Notifications(), Saw: r.meter.saw}))
	return r
}

// Run simulates. It must be called within a bubble of testing/synctest.
func Run(ctx context.Context, f Fleet) (Report, error) { return newFleet(f).simulate(ctx) }

func (r *fleet) simulate(ctx context.Context) (Report, error) {
	begin := time.Now()
	if err := r.submit(ctx); err != nil {
		return Report{}, err
	}
	r.meter.reset() // what people do is not the fleet's
	took, err := r.run(ctx, begin)
	if err != nil {
		return Report{}, err
	}
	ideal := r.work / time.Duration(r.VideoWorkers)
	report := Report{Fleet: r.Fleet, Makespan: took, Ideal: ideal, Converted: r.converted}
	r.meter.report(&report)
	return report, nil
}

// submit makes the jobs, started and uploaded.
func (r *fleet) submit(ctx context.Context) error {
	o := job.DefaultOptions()
	o.SegmentFrames = blank.SegmentFrames
	for range r.Films {
		now := time.Now()
		j := job.Job{
			ID: job.NewID(now), Title: "film.mp4", Status: job.Created, Options: o, Uploaded: true, CreatedAt: now, UpdatedAt: now, StartedAt: now,
		}
		if err := r.Jobs.Create(ctx, j); err != nil {
			return err
		}
		if _, err := r.Input.Put(ctx, job.SourceKey(j.ID), strings.NewReader(blank.Source(r.Segments)), platform.PutOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// run sets everybody going until the last job has ended, and returns how long that took.
func (r *fleet) run(ctx context.Context, begin time.Time) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	soft := make(chan struct{})
	var all sync.WaitGroup
	for n := range r.VideoWorkers {
		r.start(ctx, &all, soft, fmt.Sprint("video-", n), map[platform.QueueName]int{platform.VideoWorkerQueue: 1})
	}
	for n := range r.MediaWorkers {
		r.start(ctx, &all, soft, fmt.Sprint("media-", n), map[platform.QueueName]int{
			platform.ChunkingQueue: 1, platform.SegmentOutputQueue: platform.MaxBatch, platform.ReassemblyQueue: 1,
		})
	}
	var failed error
	all.Go(func() { failed = r.reconcile(ctx, soft) })
	select {
	case <-r.ended:
	case <-ctx.Done():
	}
	took := time.Since(begin)
	close(soft)
	all.Wait()
	cancel()
	return took, failed
}

// start sets one process's workers going.
func (r *fleet) start(ctx context.Context, all *sync.WaitGroup, soft chan struct{}, owner string, queues map[platform.QueueName]int) {
	p := r.pipeline(owner)
	for name, concurrency := range queues {
		w := worker.New(worker.Config{
			Name: name, Queue: p.Queues[name], Handler: worker.Steps(p, name), Concurrency: concurrency, Visibility: name.Visibility(),
			Poll: 20 * time.Second, Gather: gathering, Backoff: worker.Backoff{First: 5 * time.Second, Limit: 5 * time.Minute},
			Drain: time.Minute, Metrics: r, Log: r.log,
		})
		all.Go(func() { w.Run(ctx, soft) })
	}
}

// pipeline returns a process's own pipeline.
func (r *fleet) pipeline(owner string) *pipeline.Pipeline {
	p := r.meter.gathered(r.Platform)
	if r.process != nil {
		p = r.process(owner, p)
	}
	return &pipeline.Pipeline{
		Platform:  p,
		Converter: blank.Converter{Output: r.Output, Take: r.conversion},
		Films:     r.films,
		Scratch:   r.Scratch, Owner: owner, Log: r.log, Now: time.Now, LeaseTime: leaseTime, Pulse: pulse, Policy: pipeline.DefaultPolicy(),
	}
}

func filmTime(s blank.Step, segments int) time.Duration {
	switch s {
	case blank.Measure:
		return measuring
	case blank.Split:
		return splitting
	}
	return time.Duration(segments) * assembling
}

// conversion rolls how long inference takes.
func (r *fleet) conversion(inference.Request) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := time.Duration(float64(r.Conversion) * math.Exp(r.dice.NormFloat64()*r.Spread))
	r.work += d
	r.converted++
	return d
}

// Delivered implements worker.Metrics. A reassembly that was handled has ended its job, or found it ended.
func (r *fleet) Delivered(q platform.QueueName, o worker.Outcome, _ time.Duration) {
	if q != platform.ReassemblyQueue || o != worker.Handled {
		return
	}
	counts, _ := r.Jobs.Count(context.Background(), "") // in memory: can't fail, and isn't the fleet's
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.Films - counts[job.Completed] - counts[job.Failed]
	if left == 0 && r.left > 0 {
		close(r.ended)
	}
	r.left = left
}

// reconcile mends what stands still, as web-ui does.
func (r *fleet) reconcile(ctx context.Context, soft chan struct{}) error {
	p := r.pipeline("web-ui")
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		select {
		case <-soft:
			return nil
		case <-tick.C:
		}
		repairs, err := p.Reconcile(ctx)
		if err != nil {
			return err
		}
		if repairs.Failed > 0 {
			return fmt.Errorf("jobs failed: %+v", repairs)
		}
	}
}

// Scratch returns a directory for files under way, in memory where the machine has such.
func Scratch() (string, error) {
	for _, parent := range []string{"/dev/shm", ""} {
		if dir, err := os.MkdirTemp(parent, "stereospot-sim-*"); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no place for temporary files")
}
