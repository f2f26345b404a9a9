package cli

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/emf"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/worker"
)

// cloudMetrics tells CloudWatch of this process's work. Every method of a nil one does nothing.
type cloudMetrics struct {
	emf      *emf.Metrics
	prices   config.Prices
	gpuHour  float64
	requests atomic.Int64 // sent to AWS

	mu      sync.Mutex
	frames  int     // converted since the last write
	seconds float64 // that took
	written time.Time
	counted int64 // requests at the last write
}

var _ worker.Metrics = (*cloudMetrics)(nil)

// newCloudMetrics returns nil where nobody reads them.
func newCloudMetrics(c roles, out io.Writer) *cloudMetrics {
	if c.aws.Platform != config.OnAWS || c.aws.MetricsNamespace == "" {
		return nil
	}
	return &cloudMetrics{
		emf:    emf.New(c.aws.MetricsNamespace, c.service, out, time.Now),
		prices: c.prices, gpuHour: c.inferencePrice.GPUHour, written: time.Now(),
	}
}

// Delivered implements worker.Metrics.
func (c *cloudMetrics) Delivered(q platform.QueueName, o worker.Outcome, took time.Duration) {
	labels := []emf.Label{{Name: "Queue", Value: string(q)}, {Name: "Outcome", Value: string(o)}}
	c.emf.Add("Messages", emf.Count, 1, labels...)
	c.emf.Add("MessageSeconds", emf.Seconds, took.Seconds(), labels...)
}

// observe hears of the pipeline's progress.
func (c *cloudMetrics) observe(e pipeline.Event) {
	if c == nil {
		return
	}
	if e.Stage == pipeline.Converting && e.SegmentDone && !e.Kept {
		c.emf.Add("Segments", emf.Count, 1)
		c.emf.Add("Frames", emf.Count, float64(e.Frames))
		c.mu.Lock()
		c.frames, c.seconds = c.frames+e.Frames, c.seconds+e.Seconds
		c.mu.Unlock()
	}
	if e.Film > 0 {
		c.emf.Add("FinishedFilms", emf.Count, 1)
		c.emf.Add("FinishedMinutes", emf.None, e.Film/60)
	}
}

// failed hears of jobs that were failed, for one kind of reason.
func (c *cloudMetrics) failed(jobs int, kind string) {
	if c != nil && jobs > 0 {
		c.emf.Add("FailedJobs", emf.Count, float64(jobs), emf.Label{Name: "Reason", Value: emf.Word(kind)})
	}
}

// handler returns h, whose jobs' failures are counted.
func (c *cloudMetrics) handler(h worker.Handler) worker.Handler {
	if c == nil {
		return h
	}
	return failures{h, c}
}

type failures struct {
	worker.Handler
	told *cloudMetrics
}

// GiveUp implements worker.Handler.
func (f failures) GiveUp(ctx context.Context, m platform.Message, cause error) error {
	err := f.Handler.GiveUp(ctx, m, cause)
	if err == nil {
		f.told.failed(1, web.ReasonKind(cause.Error()))
	}
	return err
}

// writeEvery is how often metrics are written: CloudWatch keeps minutes.
const writeEvery = time.Minute

// run writes every minute until stop is closed and then once more. queues are those whose depth is told.
func (c *cloudMetrics) run(ctx context.Context, stop <-chan struct{}, queues map[platform.QueueName]platform.Queue, log *slog.Logger) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-stop:
			over = true
		case <-tick.C:
			c.depths(ctx, queues, log)
		}
		c.sum(time.Now())
		if err := c.emf.Write(); err != nil {
			log.WarnContext(ctx, "metrics were not written", "error", err)
		}
	}
}

// depths tells how full the queues are. SQS itself tells CloudWatch the age of the oldest message.
func (c *cloudMetrics) depths(ctx context.Context, queues map[platform.QueueName]platform.Queue, log *slog.Logger) {
	for name, q := range queues {
		d, err := q.Depth(ctx)
		if err != nil {
			log.WarnContext(ctx, "a queue's depth is unknown", "queue", string(name), "error", err)
			continue
		}
		label := emf.Label{Name: "Queue", Value: string(name)}
		c.emf.Set("MessagesVisible", emf.Count, float64(d.Visible), label)
		c.emf.Set("MessagesInFlight", emf.Count, float64(d.InFlight), label)
		c.emf.Set("MessagesDelayed", emf.Count, float64(d.Delayed), label)
	}
}

// sum adds what is reckoned from the time since the last write: seconds per frame, and what that time has cost.
func (c *cloudMetrics) sum(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frames > 0 {
		c.emf.Set("SecondsPerFrame", emf.Seconds, c.seconds/float64(c.frames))
	}
	requests := c.requests.Load()
	c.emf.Add("Requests", emf.Count, float64(requests-c.counted))
	cost := now.Sub(c.written).Hours()*c.prices.TaskHour + float64(requests-c.counted)/1000*c.prices.Requests1K + c.seconds/3600*c.gpuHour
	if cost > 0 {
		c.emf.Add("EstimatedCost", emf.None, cost)
	}
	c.frames, c.seconds, c.written, c.counted = 0, 0, now, requests
}

// both hears for two.
type both struct{ one, two worker.Metrics }

// Delivered implements worker.Metrics.
func (b both) Delivered(q platform.QueueName, o worker.Outcome, took time.Duration) {
	b.one.Delivered(q, o, took)
	b.two.Delivered(q, o, took)
}
