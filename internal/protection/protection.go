// Package protection asks ECS not to stop a task in the middle of long work when a service is scaled in or rolled out.
//
// The agent's endpoint is described in "Amazon ECS task scale-in protection endpoint" (ECS Developer Guide). Protection is
// a courtesy: where it can't be had, a task that is stopped hands its messages back and loses nothing but time.
package protection

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/worker"
)

// Times are how protection follows the work.
type Times struct {
	After   time.Duration // of work on one message, before protection is asked for: short work is soon done again
	Renew   time.Duration // between renewals while there is work
	Idle    time.Duration // without work, before protection is given up
	Expires time.Duration // of protection that nobody renews; whole minutes, ECS takes 1 to 2,880
	Again   time.Duration // after a request that failed
	Look    time.Duration // between looks at the work
}

// DefaultTimes suit segments and films: minutes to an hour.
func DefaultTimes() Times {
	return Times{
		After: 10 * time.Second, Renew: 5 * time.Minute, Idle: 10 * time.Second, Expires: 15 * time.Minute,
		Again: 30 * time.Second, Look: time.Second,
	}
}

// Task is the ECS task that this process is.
type Task struct {
	times Times
	url   string
	log   *slog.Logger
	http  *http.Client

	mu    sync.Mutex
	work  map[int64]time.Time // when each began, by number
	last  int64               // number
	ended time.Time           // when the last work ended
}

// New returns the task whose agent listens at uri, which ECS sets as ECS_AGENT_URI. Run must be running.
func New(uri string, times Times, log *slog.Logger) *Task {
	return &Task{
		times: times, url: uri + "/task-protection/v1/state", log: log, work: map[int64]time.Time{},
		http: &http.Client{Timeout: 10 * time.Second},
	}
}

// Handler returns h, whose work counts as the task's.
func (t *Task) Handler(h worker.Handler) worker.Handler { return counted{h, t} }

type counted struct {
	worker.Handler
	task *Task
}

// Handle implements worker.Handler.
func (c counted) Handle(ctx context.Context, m platform.Message) error {
	defer c.task.begin()()
	return c.Handler.Handle(ctx, m)
}

// begin notes that work begins; what it returns, that it has ended.
func (t *Task) begin() (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	number := t.last
	t.work[number] = time.Now()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.work, number)
		t.ended = time.Now()
	}
}

// status returns how long the longest work has been under way, 0 for none, and for how long there has been none.
func (t *Task) status(now time.Time) (longest, idle time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.work) == 0 {
		return 0, now.Sub(t.ended)
	}
	for _, began := range t.work {
		longest = max(longest, now.Sub(began), 1)
	}
	return longest, 0
}

// Run protects the task while it works, until stop is closed and the work has ended: then it gives protection up. ctx
// ends it at once.
func (t *Task) Run(ctx context.Context, stop <-chan struct{}) {
	tick := time.NewTicker(t.times.Look)
	defer tick.Stop()
	defer t.http.CloseIdleConnections()
	var p state
	for {
		longest, idle := t.status(time.Now())
		stopping := longest == 0 && isClosed(stop)
		t.follow(ctx, &p, longest, idle, stopping)
		if stopping {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// state is what ECS was told last.
type state struct {
	protected bool
	told      time.Time
	failed    time.Time
}

// follow tells ECS what it should know now.
func (t *Task) follow(ctx context.Context, p *state, longest, idle time.Duration, stopping bool) {
	now := time.Now()
	protect := longest >= t.times.After && (!p.protected || now.Sub(p.told) >= t.times.Renew)
	release := p.protected && longest == 0 && (stopping || idle >= t.times.Idle)
	if !protect && !release || now.Sub(p.failed) < t.times.Again && !stopping {
		return
	}
	if err := t.put(ctx, protect); err != nil {
		p.failed = now
		t.log.WarnContext(ctx, "ECS was not told whether this task may be stopped", "protect", protect, "error", err)
		return
	}
	if p.protected != protect {
		t.log.InfoContext(ctx, "task protection changed", "protected", protect)
	}
	p.protected, p.told = protect, now
}

// maxAnswer bounds what is read of the agent's answer, in bytes.
const maxAnswer = 64 << 10

// put sets the task's protection.
func (t *Task) put(ctx context.Context, enabled bool) error {
	in := map[string]any{"ProtectionEnabled": enabled}
	if enabled {
		in["ExpiresInMinutes"] = int(max(1, t.times.Expires.Minutes()))
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, t.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	return judge(resp.Status, text)
}

// judge returns what the agent objects to. It answers 200 also where ECS refused.
func judge(status string, body []byte) error {
	var out struct {
		Protection *struct{}
		Failure    *struct{ Reason string }
		Error      *struct{ Code, Message string }
	}
	err := json.Unmarshal(body, &out)
	switch {
	case out.Error != nil:
		return fmt.Errorf("%s: %s", out.Error.Code, out.Error.Message)
	case out.Failure != nil:
		return fmt.Errorf("%s", out.Failure.Reason)
	case err != nil || out.Protection == nil:
		return fmt.Errorf("the agent answered %s: %.200q", status, body)
	}
	return nil
}
