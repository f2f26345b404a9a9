package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/web"
)

// statusRole serves a worker's health and metrics, if an address is given.
func statusRole(c config.Metrics) role {
	return func(r *running) error {
		if c.MetricsAddr == "" {
			return nil
		}
		listener, err := net.Listen("tcp", c.MetricsAddr)
		if err != nil {
			return fmt.Errorf("can't listen on %s: %w (choose another with --metrics-addr)", c.MetricsAddr, err)
		}
		probes := append(r.probes(), web.Probe{Name: "disk", Check: r.roomForWork})
		server := &http.Server{Handler: web.NewStatus(r.metrics, probes, r.log), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
		r.work.Go(func() error { return r.serveHTTP(server, listener) })
		fmt.Fprintf(r.std.out, "metrics are at http://%s/metrics\n", listener.Addr())
		return nil
	}
}

// probes tell whether the process's workers are at work; a process without workers has none.
func (r *running) probes() []web.Probe {
	if len(r.workers) == 0 {
		return nil
	}
	return []web.Probe{{Name: "workers", Check: func(ctx context.Context) error {
		var errs []error
		for _, w := range r.workers {
			errs = append(errs, w.Check(ctx))
		}
		return errors.Join(errs...)
	}}}
}

// roomForWork says that the disk is too full for work to be taken on.
func (r *running) roomForWork(context.Context) error {
	s, err := r.disk.Status()
	if err == nil && s.Full {
		return errors.New("the disk is full: work goes on by itself once there is room")
	}
	return err
}
