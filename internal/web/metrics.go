package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web/auth"
)

// metrics are what /metrics tells of this process, beside what the stores are asked for.
type metrics struct {
	registry *prometheus.Registry
	http     *prometheus.HistogramVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: s.Metrics,
		http: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stereospot_http_request_seconds", Help: "Time to answer a request, but not event streams and films.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"method", "route", "status"}),
	}
	if m.registry == nil {
		m.registry = NewMetrics()
	}
	m.registry.MustRegister(m.http, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stereospot_event_viewers", Help: "Open event streams.",
	}, func() float64 { return float64(s.hub.Viewers()) }), &storeCollector{s: s})
	return m
}

// handler serves the metrics to admins: they tell of everybody's jobs.
func (m *metrics) handler() http.Handler {
	inner := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, ok := auth.From(r.Context()); !ok || !p.Admin {
			refuse(w, http.StatusForbidden, "only an administrator may see this: use an administrator's API token")
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// observe records a request that was answered. route is a pattern, so that addresses can't multiply the series.
func (m *metrics) observe(r *http.Request, status int, took time.Duration) {
	_, route, found := strings.Cut(r.Pattern, " ")
	if !found {
		route = r.Pattern
	}
	if strings.HasSuffix(route, "/events") {
		return
	}
	m.http.WithLabelValues(methodLabel(r.Method), route, strconv.Itoa(status)).Observe(took.Seconds())
}

// methodLabel keeps invented methods from becoming series.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return method
	}
	return "other"
}

// collectFor bounds what a scrape may ask of the stores.
const collectFor = 10 * time.Second

// storeCollector asks the stores when it is scraped. Each scrape costs a few queries.
type storeCollector struct{ s *Server }

var (
	jobsDesc     = prometheus.NewDesc("stereospot_jobs", "Jobs by status.", []string{"status"}, nil)
	failuresDesc = prometheus.NewDesc("stereospot_failed_jobs", "Failed jobs among the newest thousand, by kind of reason.", []string{"reason"}, nil)
	messagesDesc = prometheus.NewDesc("stereospot_queue_messages", "Messages by queue and state.", []string{"queue", "state"}, nil)
	oldestDesc   = prometheus.NewDesc("stereospot_queue_oldest_seconds", "Age of a queue's oldest message.", []string{"queue"}, nil)
	deadDesc     = prometheus.NewDesc("stereospot_dead_letters", "Dead letters by queue, counted up to 1000.", []string{"queue"}, nil)
	rateDesc     = prometheus.NewDesc("stereospot_frames_per_second", "Frames converted per second now, by all jobs.", nil, nil)
	freeDesc     = prometheus.NewDesc("stereospot_free_bytes", "Room left for uploads and results.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, failuresDesc, messagesDesc, oldestDesc, deadDesc, rateDesc, freeDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector. What can't be read is an error of the scrape, not a zero.
func (c *storeCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectFor) // the interface hands none down
	defer cancel()
	for desc, collect := range map[*prometheus.Desc]func(context.Context, chan<- prometheus.Metric) error{
		jobsDesc: c.jobs, failuresDesc: c.failures, messagesDesc: c.queues, rateDesc: c.rate, freeDesc: c.free,
	} {
		if err := collect(ctx, out); err != nil {
			out <- prometheus.NewInvalidMetric(desc, err)
		}
	}
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (c *storeCollector) jobs(ctx context.Context, out chan<- prometheus.Metric) error {
	counts, err := c.s.Platform.Jobs.Count(ctx, "")
	if err != nil {
		return err
	}
	for _, status := range job.Statuses() {
		out <- gauge(jobsDesc, float64(counts[status]), string(status))
	}
	return nil
}

func (c *storeCollector) failures(ctx context.Context, out chan<- prometheus.Metric) error {
	list, _, err := c.s.Platform.Jobs.List(ctx, platform.JobQuery{Statuses: []job.Status{job.Failed}, Limit: 1000})
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, j := range list {
		counts[ReasonKind(j.Reason)]++
	}
	for _, kind := range reasonKinds() {
		out <- gauge(failuresDesc, float64(counts[kind]), kind)
	}
	return nil
}

func (c *storeCollector) queues(ctx context.Context, out chan<- prometheus.Metric) error {
	for name, queue := range c.s.Platform.Queues {
		d, err := queue.Depth(ctx)
		if err != nil {
			return err
		}
		out <- gauge(messagesDesc, float64(d.Visible), string(name), "visible")
		out <- gauge(messagesDesc, float64(d.InFlight), string(name), "in_flight")
		out <- gauge(messagesDesc, float64(d.Delayed), string(name), "delayed")
		out <- gauge(oldestDesc, d.OldestAge.Seconds(), string(name))
	}
	for name, letters := range c.s.Platform.DeadLetters {
		list, err := letters.List(ctx, deadAtOnce)
		if err != nil {
			return err
		}
		out <- gauge(deadDesc, float64(len(list)), string(name))
	}
	return nil
}

func (c *storeCollector) rate(ctx context.Context, out chan<- prometheus.Metric) error {
	list, _, err := c.s.Platform.Jobs.List(ctx, platform.JobQuery{Statuses: []job.Status{job.ChunkingInProgress, job.ChunkingComplete}, Limit: 1000})
	if err != nil {
		return err
	}
	sum, now := 0.0, c.s.Now()
	for _, j := range list {
		progress, err := c.s.Platform.Progress.Of(ctx, j.ID)
		if err != nil {
			return err
		}
		sum += framesPerSecond(now, progress, nil)
	}
	out <- gauge(rateDesc, sum)
	return nil
}

func (c *storeCollector) free(_ context.Context, out chan<- prometheus.Metric) error {
	if c.s.FreeBytes == nil {
		return nil
	}
	free, err := c.s.FreeBytes()
	if err == nil {
		out <- gauge(freeDesc, float64(free))
	}
	return err
}

// NewMetrics returns a registry that tells of the process itself.
func NewMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// ObserveSegments registers what is told of converted segments, and returns what a pipeline's Observe must call.
func ObserveSegments(r prometheus.Registerer) func(pipeline.Event) {
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "stereospot_segment_seconds", Help: "Time to convert a segment, in this process.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 12),
	})
	frames := prometheus.NewCounter(prometheus.CounterOpts{Name: "stereospot_frames_total", Help: "Frames of segments converted in this process."})
	r.MustRegister(seconds, frames)
	return func(e pipeline.Event) {
		if e.Stage == pipeline.Converting && e.SegmentDone && !e.Kept {
			seconds.Observe(e.Seconds)
			frames.Add(float64(e.Frames))
		}
	}
}

// kinds of reasons for which jobs fail, in the order in which they are looked for.
func reasons() []struct{ kind, part string } {
	return []struct{ kind, part string }{
		{"disk_full", "disk is full"}, {"disk_full", "no space left"},
		{"inference", "inference service"}, {"inference", "SageMaker endpoint"},
		{"cut_off", "is cut off"}, {"changed", "was it changed"}, {"stalled", "no progress"},
		{"differs", "differs"}, {"encoder", "encoder"}, {"empty", "no frame"}, {"empty", "is empty"},
		{"unreadable", "not a video"}, {"unreadable", "can't be"}, {"unreadable", "damaged"}, {"killed", "killed"},
	}
}

// ReasonKind sorts a job's reason, a sentence for people, into one of a few kinds.
func ReasonKind(reason string) string {
	for _, r := range reasons() {
		if strings.Contains(reason, r.part) {
			return r.kind
		}
	}
	return "other"
}

// reasonKinds lists every kind.
func reasonKinds() []string {
	kinds := []string{"other"}
	for _, r := range reasons() {
		kinds = append(kinds, r.kind)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
