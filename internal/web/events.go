package web

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web/auth"
	"github.com/stereospot/stereospot/internal/web/hub"
)

// Times of an event stream.
const (
	heartbeat    = 15 * time.Second // between signs of life, so that proxies keep the connection
	slowReader   = 10 * time.Second // what a viewer may take to read one batch; then it is dropped and reconnects
	reconnectFor = 2000             // milliseconds that a browser waits before it comes back
)

// newHub returns the hub that polls the jobs.
func (s *Server) newHub() *hub.Hub {
	var epoch [4]byte
	_, _ = rand.Read(epoch[:]) // never fails (crypto/rand)
	return hub.New(s.pollJobs, binary.BigEndian.Uint32(epoch[:]), hub.Options{Log: s.Log, Interval: s.PollEvery})
}

// pollJobs returns every live job, and the others named in also that still exist.
func (s *Server) pollJobs(ctx context.Context, also []string) ([]hub.Item, error) {
	var items []hub.Item
	seen := map[string]bool{}
	add := func(j job.Job) error {
		item, err := s.item(ctx, j)
		seen[j.ID], items = true, append(items, item)
		return err
	}
	q := platform.JobQuery{Statuses: statusesOf("live"), Limit: 1000}
	for more := true; more; more = q.Token != "" {
		list, next, err := s.Platform.Jobs.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, j := range list {
			if err := add(j); err != nil {
				return nil, err
			}
		}
		q.Token = next
	}
	for _, id := range also {
		if seen[id] {
			continue
		}
		j, err := s.Platform.Jobs.Get(ctx, id)
		if errors.Is(err, platform.ErrNotFound) {
			continue
		}
		if err = errors.Join(err, add(j)); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// item is a job's state for the hub: whole, and without segments.
func (s *Server) item(ctx context.Context, j job.Job) (hub.Item, error) {
	v, err := s.jobView(ctx, j)
	if err != nil {
		return hub.Item{}, err
	}
	full, err := json.Marshal(v)
	if err != nil {
		return hub.Item{}, err
	}
	v.Segments = nil
	brief, err := json.Marshal(v)
	final := !j.Status.Live() && j.Status != job.Deleting
	return hub.Item{Key: j.ID, Owner: j.Owner, Full: full, Brief: brief, Final: final}, err
}

const streamDescription = `Server-sent events. "job": data is the job's newest state; "removed": data is {"id"}; "reset": what was removed
meanwhile is no longer known, so list the jobs again. A stream continues after the event that Last-Event-ID names.`

// WatchRequest says where a stream goes on.
type WatchRequest struct {
	LastEventID string `header:"Last-Event-ID"`
}

// eventRoutes adds the streams.
func (s *Server) eventRoutes() {
	all := s.operation(anyone, "watch-jobs", http.MethodGet, "/events", "Watch all jobs", http.StatusOK)
	huma.Register(s.api, streaming(all, "Jobs come without segments; at first all that are live."),
		func(ctx context.Context, in *WatchRequest) (*huma.StreamResponse, error) {
			p, _ := auth.From(ctx)
			return s.watch(hub.Filter{Owner: p.Scope()}, in.LastEventID)
		})
	one := s.operation(jobsOwner, "watch-job", http.MethodGet, "/jobs/{id}/events", "Watch a job", http.StatusOK)
	huma.Register(s.api, streaming(one, ""), func(_ context.Context, in *struct {
		JobPath
		WatchRequest
	}) (*huma.StreamResponse, error) {
		return s.watch(hub.Filter{Key: in.ID}, in.LastEventID)
	})
}

// streaming describes an operation that answers with events.
func streaming(op huma.Operation, more string) huma.Operation {
	op.Description = streamDescription + " " + more
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The events", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return op
}

// watch answers with a stream of what the filter admits.
func (s *Server) watch(f hub.Filter, last string) (*huma.StreamResponse, error) {
	if s.hub.Viewers() >= s.Limits.Viewers {
		return nil, huma.Error503ServiceUnavailable("too many people are watching: try again in a while")
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		viewer := s.hub.Watch(f, last)
		defer viewer.Close()
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // or nginx would hold events back
		// Whatever ends the stream, the viewer is gone or comes back by itself.
		_ = stream(ctx.Context(), w, viewer)
	}}, nil
}

// stream writes events until the viewer goes, is too slow, or the hub stops.
func stream(ctx context.Context, w http.ResponseWriter, viewer *hub.Viewer) error {
	control := http.NewResponseController(w)
	if err := send(control, w, fmt.Appendf(nil, "retry: %d\n\n", reconnectFor)); err != nil {
		return err
	}
	for {
		events, err := nextEvents(ctx, viewer)
		if err != nil {
			return err
		}
		text := []byte(":\n\n") // a comment: a sign of life
		if len(events) > 0 {
			text = nil
		}
		for _, e := range events {
			text = appendEvent(text, e)
		}
		if err := send(control, w, text); err != nil {
			return err
		}
	}
}

// nextEvents returns none when nothing has happened for a while.
func nextEvents(ctx context.Context, viewer *hub.Viewer) ([]hub.Event, error) {
	wait, stop := context.WithTimeout(ctx, heartbeat)
	defer stop()
	events, err := viewer.Next(wait)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return events, err
}

func send(control *http.ResponseController, w io.Writer, text []byte) error {
	if err := control.SetWriteDeadline(time.Now().Add(slowReader)); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return control.Flush()
}

// appendEvent writes an event as https://html.spec.whatwg.org/multipage/server-sent-events.html says.
func appendEvent(text []byte, e hub.Event) []byte {
	name, data := "job", e.Data
	switch e.Kind {
	case hub.Removed:
		name, data = "removed", fmt.Appendf(nil, `{"id":%q}`, e.Key)
	case hub.Reset:
		name, data = "reset", []byte("{}")
	}
	return fmt.Appendf(text, "id: %s\nevent: %s\ndata: %s\n\n", e.ID, name, data)
}
