package protection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stereospot/stereospot/internal/platform"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// agent is ECS's agent, as far as protection goes.
type agent struct {
	*httptest.Server
	mu     sync.Mutex
	told   []string
	refuse []string // answers to the next requests
}

func newAgent(t *testing.T) *agent {
	a := &agent{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			ProtectionEnabled bool
			ExpiresInMinutes  int
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Method != http.MethodPut || r.URL.Path != "/task-protection/v1/state" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.told = append(a.told, fmt.Sprint(in.ProtectionEnabled, " ", in.ExpiresInMinutes))
		if len(a.refuse) > 0 {
			answer := a.refuse[0]
			a.refuse = a.refuse[1:]
			fmt.Fprint(w, answer)
			return
		}
		fmt.Fprint(w, `{"protection":{"ExpirationDate":"2026-11-24T10:00:00Z","ProtectionEnabled":true,"TaskArn":"arn:aws:ecs:eu-central-1:1:task/x"}}`)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *agent) heard() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.told)
}

// work is a handler that works until it is let go.
type work struct{ done chan struct{} }

func (w work) Handle(ctx context.Context, _ platform.Message) error {
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (work) GiveUp(context.Context, platform.Message, error) error { return nil }
func (work) Attributes(platform.Message) []slog.Attr               { return nil }

func quick() Times {
	return Times{
		After: 30 * time.Millisecond, Renew: 100 * time.Millisecond, Idle: 50 * time.Millisecond, Expires: 15 * time.Minute,
		Again: 40 * time.Millisecond, Look: 2 * time.Millisecond,
	}
}

// run sets a task going; stop tells it to end, and waits for that.
func run(t *testing.T, a *agent, times Times) (task *Task, stop func()) {
	t.Helper()
	task = New(a.URL, times, slog.New(slog.NewTextHandler(io.Discard, nil)))
	stopping, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		task.Run(t.Context(), stopping)
	}()
	stop = sync.OnceFunc(func() {
		close(stopping)
		<-ended
	})
	t.Cleanup(stop)
	return task, stop
}

func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestLongWorkIsProtectedAndRenewedAndGivenUpWhenIdle(t *testing.T) {
	a := newAgent(t)
	task, stop := run(t, a, quick())
	w := work{make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- task.Handler(w).Handle(t.Context(), platform.Message{}) }()
	until(t, "it is protected and renewed", func() bool { return len(a.heard()) >= 2 })
	if told := a.heard(); slices.ContainsFunc(told, func(s string) bool { return s != "true 15" }) {
		t.Errorf("told %q", told)
	}
	close(w.done)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	until(t, "it is given up", func() bool { return slices.Contains(a.heard(), "false 0") })
	n := len(a.heard())
	stop()
	if told := a.heard(); len(told) != n {
		t.Errorf("it is given up twice: %q", told)
	}
}

func TestShortWorkAsksForNothing(t *testing.T) {
	a := newAgent(t)
	times := quick()
	times.After = time.Hour
	task, stop := run(t, a, times)
	w := work{make(chan struct{})}
	close(w.done)
	for range 20 {
		if err := task.Handler(w).Handle(t.Context(), platform.Message{}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if told := a.heard(); len(told) != 0 {
		t.Errorf("told %q", told)
	}
}

func TestAStopGivesUpProtectionOnlyAfterTheWork(t *testing.T) {
	a := newAgent(t)
	times := quick()
	times.Idle = time.Hour
	task, stop := run(t, a, times)
	w := work{make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- task.Handler(w).Handle(t.Context(), platform.Message{}) }()
	until(t, "it is protected", func() bool { return len(a.heard()) > 0 })
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	until(t, "protection is renewed while work ends", func() bool { return len(a.heard()) > 3 })
	if told := a.heard(); slices.Contains(told, "false 0") {
		t.Errorf("given up during the work: %q", told)
	}
	close(w.done)
	<-ended
	<-stopped
	if told := a.heard(); told[len(told)-1] != "false 0" {
		t.Errorf("told %q", told)
	}
}

func TestRefusalsAreTriedAgainAndStopNobody(t *testing.T) {
	a := newAgent(t)
	a.refuse = []string{
		`{"failure":{"Arn":"x","Reason":"TASK_NOT_VALID"}}`, `{"error":{"Arn":"x","Code":"AccessDeniedException","Message":"no"}}`, `nonsense`,
	}
	task, _ := run(t, a, quick())
	w := work{make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- task.Handler(w).Handle(t.Context(), platform.Message{}) }()
	until(t, "it is asked for again", func() bool { return len(a.heard()) >= 4 })
	close(w.done)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	until(t, "it is given up", func() bool { return slices.Contains(a.heard(), "false 0") })
}

func TestErrorsOfTheHandlerPass(t *testing.T) {
	task := New("http://127.0.0.1:1", quick(), slog.New(slog.DiscardHandler))
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if err := task.Handler(work{make(chan struct{})}).Handle(cut, platform.Message{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func FuzzJudge(f *testing.F) {
	f.Add([]byte(`{"protection":{}}`))
	f.Add([]byte(`{"failure":{"Reason":"x"}}`))
	f.Add([]byte(`{"error":{"Code":"x"}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var out struct{ Protection *struct{} }
		if err := judge("200 OK", body); err == nil && (json.Unmarshal(body, &out) != nil || out.Protection == nil) {
			t.Errorf("%q counts as protection", body)
		}
	})
}
