package service

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stereospot/stereospot/internal/inference"
)

// counts are what /metrics tells of invocations.
type counts struct {
	invocations *prometheus.CounterVec
	seconds     prometheus.Histogram
	frames      prometheus.Counter
}

func newCounts(r prometheus.Registerer, s *Server) counts {
	c := counts{
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stereospot_invocations_total", Help: "Invocations by the HTTP status of their answer; 499 where the caller went away.",
		}, []string{"status"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "stereospot_invocation_seconds", Help: "Time to answer an invocation that was converted, waiting included.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		frames: prometheus.NewCounter(prometheus.CounterOpts{Name: "stereospot_frames_total", Help: "Frames of segments converted in this process."}),
	}
	places := func() float64 { return float64(cap(s.places)) }
	taken := func() float64 { return float64(len(s.places)) }
	r.MustRegister(c.invocations, c.seconds, c.frames,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stereospot_places", Help: "Conversions that may be under way at a time."}, places),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stereospot_places_taken", Help: "Conversions under way."}, taken))
	return c
}

func (c counts) observe(status int, a inference.Answer, took time.Duration) {
	c.invocations.WithLabelValues(strconv.Itoa(status)).Inc()
	if status == http.StatusOK && !a.Kept {
		c.seconds.Observe(took.Seconds())
		c.frames.Add(float64(a.Frames))
	}
}
