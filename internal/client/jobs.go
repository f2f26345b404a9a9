package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/stereospot/stereospot/internal/job"
)

// NewJob describes a job to be made.
type NewJob struct {
	Title   string      `json:"title"` // the film's file name
	Size    int64       `json:"size"`  // of the source, bytes
	Options job.Options `json:"options"`
	Start   bool        `json:"start"`             // convert as soon as the source is whole
	Webhook string      `json:"webhook,omitempty"` // told when the job ends
}

// plain returns n as the server keeps it: the title one line of printable text.
func (n NewJob) plain() NewJob {
	n.Title = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(n.Title, " ")))
	return n
}

// search returns a part of the title that is short enough to search for.
func (n NewJob) search() string {
	runes := []rune(n.Title)
	return string(runes[:min(len(runes), 100)])
}

// Create makes one job, also where an attempt's answer was lost: all attempts have the same key.
func (c *Client) Create(ctx context.Context, n NewJob) (j Job, err error) {
	key := job.NewID(time.Now())
	return j, c.retry(ctx, c.stamina(), func() error {
		return c.once(ctx, http.MethodPost, "/jobs", n.plain(), &j, func(h http.Header) { h.Set("Idempotency-Key", key) })
	})
}

// Query selects jobs; empty fields don't restrict.
type Query struct {
	State  string // live, completed, failed, cancelled, all
	Search string // part of the title
	Token  string // of a page
	Limit  int    // of a page
}

// List returns one page of jobs, newest first, and the next page's token ("" at the end).
func (c *Client) List(ctx context.Context, q Query) (jobs []Job, next string, err error) {
	return jobs, next, c.retry(ctx, c.config.Patience, func() error {
		jobs, next, err = c.list(ctx, q)
		return err
	})
}

// list is List without another try.
func (c *Client) list(ctx context.Context, q Query) ([]Job, string, error) {
	values := url.Values{}
	for name, value := range map[string]string{"state": q.State, "search": q.Search, "token": q.Token} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	var page struct {
		Jobs []Job  `json:"jobs"`
		Next string `json:"next"`
	}
	err := c.once(ctx, http.MethodGet, "/jobs?"+values.Encode(), nil, &page)
	return page.Jobs, page.Next, err
}

// Get returns one job.
func (c *Client) Get(ctx context.Context, id string) (j Job, err error) {
	return j, c.call(ctx, http.MethodGet, jobPath(id, ""), nil, &j)
}

// Start asks for the conversion of a job that waits for it.
func (c *Client) Start(ctx context.Context, id string) (Job, error) { return c.act(ctx, id, "start") }

// Cancel stops a job.
func (c *Client) Cancel(ctx context.Context, id string) (Job, error) { return c.act(ctx, id, "cancel") }

// Retry starts what is missing of a failed or cancelled job again. An attempt whose answer was lost is told from the job.
func (c *Client) Retry(ctx context.Context, id string) (j Job, err error) {
	attempts := 0
	err = c.retry(ctx, c.config.Patience, func() error {
		attempts++
		err := c.once(ctx, http.MethodPost, jobPath(id, "/retry"), nil, &j)
		if attempts == 1 || statusOf(err) != http.StatusConflict {
			return err
		}
		var now Job
		if c.once(ctx, http.MethodGet, jobPath(id, ""), nil, &now) != nil || !now.Status.Live() {
			return err
		}
		j = now
		return nil
	})
	return j, err
}

func (c *Client) act(ctx context.Context, id, action string) (j Job, err error) {
	return j, c.call(ctx, http.MethodPost, jobPath(id, "/"+action), nil, &j)
}

// Remove drops a job and its files; that goes on after the answer. A job that is gone is no error.
func (c *Client) Remove(ctx context.Context, id string) error {
	attempts := 0
	return c.retry(ctx, c.config.Patience, func() error {
		attempts++
		err := c.once(ctx, http.MethodDelete, jobPath(id, ""), nil, nil)
		if attempts > 1 && statusOf(err) == http.StatusNotFound {
			return nil // by the attempt whose answer was lost
		}
		return err
	})
}

func jobPath(id, rest string) string { return "/jobs/" + url.PathEscape(id) + rest }
