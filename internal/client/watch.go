package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// ErrRemoved says that a job was removed while it was watched.
var ErrRemoved = errors.New("the job was removed")

// Watch yields a job whenever it changes, at once as it is now, until it has ended: the last one says how. It
// connects again after a broken connection or a restart of the server, from where it was. An error ends it.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		w := &watch{c: c, id: id, yield: yield}
		err := c.endure(ctx, func() bool { return w.moved }, func() error { return w.attempt(ctx) })
		if err != nil && !w.over {
			yield(Job{}, err)
		}
	}
}

type watch struct {
	c      *Client
	id     string
	yield  func(Job, error) bool
	lastID string // of the last event, for the server to go on from
	moved  bool   // in the last attempt
	over   bool   // the caller has enough
}

// attempt follows one connection. nil means that there is no more to see.
func (w *watch) attempt(ctx context.Context) error {
	w.moved = false
	ctx, dog := newWatchdog(ctx, silence)
	defer dog.close()
	req, err := w.c.request(ctx, http.MethodGet, jobPath(w.id, "/events"), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if w.lastID != "" {
		req.Header.Set("Last-Event-ID", w.lastID)
	}
	resp, err := w.c.send(req)
	if statusOf(err) == http.StatusNotFound && w.lastID != "" {
		return ErrRemoved
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return w.follow(ctx, newEventReader(brokenReader{&livelyReader{resp.Body, dog}}))
}

func (w *watch) follow(ctx context.Context, events *eventReader) error {
	for {
		e, err := events.next()
		if errors.Is(err, io.EOF) {
			return errBroken
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		w.moved, w.lastID = true, e.id
		if end, err := w.see(e); end || err != nil {
			return err
		}
	}
}

// see hands one event on; end says that it was the last.
func (w *watch) see(e event) (end bool, err error) {
	switch e.name {
	case "removed":
		return true, ErrRemoved
	case "job":
		var j Job
		if err := json.Unmarshal(e.data, &j); err != nil {
			return true, fmt.Errorf("the server sends an event that this program doesn't understand: %w", err)
		}
		w.over = !w.yield(j, nil)
		return w.over || j.Ended(), nil
	}
	return false, nil
}

// livelyReader tells a watchdog of everything that arrives, comments that keep the connection alive included.
type livelyReader struct {
	r   io.Reader
	dog *watchdog
}

func (l *livelyReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.dog.alive()
	return n, err
}
