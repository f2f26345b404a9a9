package cli

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/worker"
)

// deliveries shows what became of this process's messages.
type deliveries struct{ seconds *prometheus.HistogramVec }

var _ worker.Metrics = deliveries{}

func newDeliveries(to *prometheus.Registry) deliveries {
	d := deliveries{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "stereospot_message_seconds", Help: "Time that a message was in a worker's hands, by what became of it.",
		Buckets: []float64{.01, .1, 1, 10, 60, 300, 1800, 7200},
	}, []string{"queue", "outcome"})}
	to.MustRegister(d.seconds)
	return d
}

// Delivered implements worker.Metrics.
func (d deliveries) Delivered(q platform.QueueName, o worker.Outcome, took time.Duration) {
	d.seconds.WithLabelValues(string(q), string(o)).Observe(took.Seconds())
}
