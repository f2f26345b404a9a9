package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// visibility is longer than any test that goes by the machine's clock, so that nothing comes back because it is busy.
const visibility = time.Minute

// script is a handler made of functions, on a real queue.
type script struct {
	handle func(ctx context.Context, m platform.Message) error

	mu      sync.Mutex
	seen    []platform.Message
	givenUp []error
}

func (s *script) Handle(ctx context.Context, m platform.Message) error {
	s.mu.Lock()
	s.seen = append(s.seen, m)
	s.mu.Unlock()
	return s.handle(ctx, m)
}

func (s *script) GiveUp(_ context.Context, _ platform.Message, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.givenUp = append(s.givenUp, err)
	return nil
}

func (s *script) Attributes(m platform.Message) []slog.Attr {
	return []slog.Attr{slog.String("job_id", string(m.Body))}
}

func (s *script) deliveries() []platform.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]platform.Message{}, s.seen...)
}

func (s *script) gaveUp() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.givenUp)
}

// rig is a worker on a queue of its own.
type rig struct {
	*script
	config Config
	queue  platform.Queue
	dead   platform.DeadLetters
	log    *lockedBuffer
	stop   func() // soft, and waits for the end; may be called again
	hard   context.CancelFunc
	counts *counts
	worker *Worker // of run
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// counts counts outcomes.
type counts struct {
	mu sync.Mutex
	n  map[Outcome]int
}

func (c *counts) Delivered(_ platform.QueueName, o Outcome, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[o]++
}

func (c *counts) of(o Outcome) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[o]
}

func newRig(t *testing.T, handle func(ctx context.Context, m platform.Message) error, change ...func(*Config)) *rig {
	t.Helper()
	store, err := local.Open(t.Context(), t.TempDir(), local.Options{Visibility: visibility})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	const name = platform.VideoWorkerQueue
	r := &rig{
		script: &script{handle: handle}, queue: store.Queues()[name], dead: store.DeadLetters()[name],
		log: &lockedBuffer{}, counts: &counts{n: map[Outcome]int{}},
	}
	r.config = Config{
		Name: name, Queue: r.queue, Handler: r.script, Concurrency: 2, Visibility: visibility, Poll: 5 * time.Second,
		Backoff: Backoff{First: time.Millisecond, Limit: 20 * time.Millisecond}, Drain: 10 * time.Second,
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: r.counts,
	}
	for _, c := range change {
		c(&r.config)
	}
	return r
}

// run sets the worker going; the test's end stops it.
func (r *rig) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r.hard = cancel
	soft, ended := make(chan struct{}), make(chan struct{})
	r.stop = sync.OnceFunc(func() { close(soft); <-ended })
	r.worker = New(r.config)
	go func() { defer close(ended); r.worker.Run(ctx, soft) }()
	t.Cleanup(func() { cancel(); r.stop() })
}

func (r *rig) send(t *testing.T, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if err := r.queue.Send(t.Context(), 0, []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
}

// until polls a condition; it fails the test when that doesn't come true.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// left returns how many messages the queue still holds.
func (r *rig) left(t *testing.T) int {
	t.Helper()
	d, err := r.queue.Depth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d.Visible + d.InFlight + d.Delayed
}

func (r *rig) deadLetters(t *testing.T) int {
	t.Helper()
	list, err := r.dead.List(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestEveryMessageIsHandledOnceAndNoMoreAtATimeThanAllowed(t *testing.T) {
	synctest.Test(t, testConcurrency)
}

func testConcurrency(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	r := newRig(t, func(context.Context, platform.Message) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		time.Sleep(5 * time.Millisecond) // so that they would overlap
		mu.Lock()
		running--
		mu.Unlock()
		return nil
	}, func(c *Config) { c.Concurrency = 3 })
	want := map[string]bool{}
	for i := range 40 {
		body := fmt.Sprint("job", i)
		want[body] = true
		r.send(t, body)
	}
	r.run(t)
	until(t, "the queue is empty", func() bool { return r.left(t) == 0 })
	r.stop()
	for _, m := range r.deliveries() {
		if !want[string(m.Body)] {
			t.Errorf("%s was handled twice", m.Body)
		}
		delete(want, string(m.Body))
	}
	if len(want) > 0 || most != 3 || r.counts.of(Handled) != 40 {
		t.Errorf("%d messages not handled, %d at a time, %d counted", len(want), most, r.counts.of(Handled))
	}
}

func TestLongWorkKeepsItsMessageToItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, platform.Message) error { time.Sleep(10 * visibility); return nil })
		r.send(t, "long")
		r.run(t)
		time.Sleep(11 * visibility)
		r.stop()
		if n := len(r.deliveries()); n != 1 || r.left(t) != 0 {
			t.Errorf("%d deliveries of a message whose visibility is renewed, %d left", n, r.left(t))
		}
	})
}

func TestWorkOnALostDeliveryIsStopped(t *testing.T) {
	causes := make(chan error, 1)
	r := newRig(t, func(ctx context.Context, _ platform.Message) error {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	}, func(c *Config) { c.Visibility = 100 * time.Millisecond }) // a third of which later it is known
	r.send(t, "x")
	r.run(t)
	until(t, "the message is delivered", func() bool { return len(r.deliveries()) == 1 })
	if err := r.queue.Delete(t.Context(), r.deliveries()[0].Handle); err != nil {
		t.Fatal(err)
	}
	if cause := <-causes; !errors.Is(cause, platform.ErrNoMessage) {
		t.Errorf("stopped because of %v", cause)
	}
	until(t, "the loss is counted", func() bool { return r.counts.of(Lost) == 1 })
	if r.gaveUp() > 0 || r.left(t) > 0 {
		t.Errorf("given up %d times, %d messages left", r.gaveUp(), r.left(t))
	}
}

func TestFifthFailureGivesUpAndLeavesADeadLetter(t *testing.T) {
	r := newRig(t, func(_ context.Context, m platform.Message) error {
		if string(m.Body) == "good" {
			return nil
		}
		return errors.New("no luck")
	})
	r.send(t, "bad", "good")
	r.run(t)
	until(t, "there is a dead letter", func() bool { return r.deadLetters(t) == 1 })
	r.stop()
	if n := len(r.deliveries()); n != platform.MaxReceives+1 || r.gaveUp() != 1 || r.left(t) != 0 {
		t.Errorf("%d deliveries, given up %d times, %d left", n, r.gaveUp(), r.left(t))
	}
	if r.counts.of(Retried) != platform.MaxReceives-1 || r.counts.of(GivenUp) != 1 {
		t.Errorf("counted %v", r.counts.n)
	}
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "no luck") && !strings.Contains(line, "job_id=bad") {
			t.Errorf("a line of the log doesn't name its job: %s", line)
		}
	}
}

func TestHandlerThatSpeaksOfCancellationByItselfFails(t *testing.T) {
	r := newRig(t, func(context.Context, platform.Message) error {
		return fmt.Errorf("the other end: %w", context.Canceled)
	})
	r.send(t, "x")
	r.run(t)
	until(t, "there is a dead letter", func() bool { return r.deadLetters(t) == 1 })
	r.stop()
	if n := len(r.deliveries()); n != platform.MaxReceives || r.gaveUp() != 1 {
		t.Errorf("%d deliveries, given up %d times", n, r.gaveUp())
	}
}

func TestPermanentFailureIsGivenUpAtOnce(t *testing.T) {
	r := newRig(t, func(context.Context, platform.Message) error { return &Permanent{errors.New("not a film")} })
	r.send(t, "bad")
	r.run(t)
	until(t, "the queue is empty", func() bool { return r.left(t) == 0 })
	r.stop()
	if len(r.deliveries()) != 1 || r.gaveUp() != 1 || r.deadLetters(t) != 0 {
		t.Errorf("%d deliveries, given up %d times, %d dead letters", len(r.deliveries()), r.gaveUp(), r.deadLetters(t))
	}
}

func TestWaitingIsNoFailureHoweverOften(t *testing.T) {
	const waits = 2 * platform.MaxReceives
	n := 0
	r := newRig(t, func(context.Context, platform.Message) error {
		if n++; n <= waits {
			return &Wait{Delay: time.Millisecond, Err: platform.ErrLeaseHeld}
		}
		return nil
	}, func(c *Config) { c.Concurrency = 1 })
	r.send(t, "x")
	r.run(t)
	until(t, "the message is handled", func() bool { return r.counts.of(Handled) == 1 })
	r.stop()
	if r.gaveUp() > 0 || r.deadLetters(t) > 0 || r.left(t) > 0 || r.counts.of(Waited) != waits {
		t.Errorf("given up %d times, %d dead letters, %d left, waited %d times", r.gaveUp(), r.deadLetters(t), r.left(t), r.counts.of(Waited))
	}
}

func TestLastDeliveryIsHeldWhileItWaits(t *testing.T) {
	for name, end := range map[string]error{"Handled": nil, "Fails": errors.New("no luck")} {
		t.Run(name, func(t *testing.T) {
			n := 0
			r := newRig(t, func(_ context.Context, m platform.Message) error {
				if m.Receive < platform.MaxReceives {
					return errors.New("not yet")
				}
				if n++; n <= 2*platform.MaxReceives {
					return &Wait{Delay: time.Millisecond, Err: platform.ErrLeaseHeld}
				}
				return end
			}, func(c *Config) { c.Concurrency = 1 })
			r.send(t, "x")
			r.run(t)
			until(t, "the message has come to its end", func() bool { return r.left(t) == 0 })
			r.stop()
			handled, gaveUp := 1, 0
			if end != nil {
				handled, gaveUp = 0, 1
			}
			if r.counts.of(Handled) != handled || r.gaveUp() != gaveUp || n != 2*platform.MaxReceives+1 {
				t.Errorf("handled %d times, given up %d times, after %d calls of its last delivery", r.counts.of(Handled), r.gaveUp(), n)
			}
		})
	}
}

func TestLastDeliveryThatWaitsIsHandedBackWhenTheProcessStops(t *testing.T) {
	waiting := make(chan struct{}, 1)
	r := newRig(t, func(_ context.Context, m platform.Message) error {
		if m.Receive < platform.MaxReceives {
			return errors.New("not yet")
		}
		waiting <- struct{}{}
		return &Wait{Delay: time.Hour, Err: platform.ErrLeaseHeld}
	}, func(c *Config) { c.Concurrency = 1 })
	r.send(t, "x")
	r.run(t)
	<-waiting
	r.hard()
	r.stop()
	if r.left(t) != 1 || r.deadLetters(t) != 0 || r.gaveUp() != 0 {
		t.Errorf("%d left, %d dead letters, given up %d times", r.left(t), r.deadLetters(t), r.gaveUp())
	}
}

func TestCopiesOfAMessageWhoseWorkAlwaysFailsAreGivenUpThoughTheyWaitForEachOther(t *testing.T) {
	var busy sync.Mutex
	r := newRig(t, func(context.Context, platform.Message) error {
		if !busy.TryLock() {
			return &Wait{Delay: time.Millisecond, Err: platform.ErrLeaseHeld}
		}
		defer busy.Unlock()
		time.Sleep(5 * time.Millisecond) // the work, in which the others wait
		return errors.New("no luck")
	}, func(c *Config) { c.Concurrency = 3 })
	r.send(t, "x", "x", "x")
	r.run(t)
	until(t, "the queue is empty", func() bool { return r.left(t) == 0 })
	r.stop()
	if r.gaveUp() == 0 {
		t.Error("nobody was told that the work fails")
	}
}

func TestFullDiskUsesUpNoDeliveries(t *testing.T) {
	n := 0
	r := newRig(t, func(context.Context, platform.Message) error {
		if n++; n <= 3*platform.MaxReceives {
			return fmt.Errorf("segment: %w", platform.ErrFull)
		}
		return nil
	}, func(c *Config) { c.Concurrency = 1 })
	r.send(t, "x")
	r.run(t)
	until(t, "the message is handled", func() bool { return r.counts.of(Handled) == 1 })
	r.stop()
	for _, m := range r.deliveries() {
		if m.Receive != 1 {
			t.Fatalf("delivered %d times", m.Receive)
		}
	}
	if r.gaveUp() > 0 {
		t.Error("a job was failed because the disk was full")
	}
}

// barrier is a gate that a test opens, and that tells when it is asked.
type barrier struct{ asked, opened chan struct{} }

func (b barrier) Wait(ctx context.Context) error {
	select {
	case b.asked <- struct{}{}:
	default:
	}
	select {
	case <-b.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b barrier) Refused() {}

func TestNothingIsReceivedWhileTheGateIsClosed(t *testing.T) {
	gate := barrier{make(chan struct{}, 1), make(chan struct{})}
	r := newRig(t, func(context.Context, platform.Message) error { return nil }, func(c *Config) { c.Gate = gate })
	r.send(t, "x")
	r.run(t)
	<-gate.asked
	if d, err := r.queue.Depth(t.Context()); err != nil || d.Visible != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	close(gate.opened)
	until(t, "the message is handled", func() bool { return r.counts.of(Handled) == 1 })
}

func TestPanicIsAFailureWithItsStack(t *testing.T) {
	n := 0
	r := newRig(t, func(context.Context, platform.Message) error {
		if n++; n == 1 {
			panic("index out of range")
		}
		return nil
	}, func(c *Config) { c.Concurrency = 1 })
	r.send(t, "x")
	r.run(t)
	until(t, "the second attempt is handled", func() bool { return r.counts.of(Handled) == 1 })
	if log := r.log.String(); !strings.Contains(log, "index out of range") || !strings.Contains(log, "worker_test.go") {
		t.Errorf("the log lacks the panic or its stack:\n%s", log)
	}
}

func TestSoftStopLetsWorkEndAndBeginsNoMore(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, func(ctx context.Context, _ platform.Message) error { <-release; return ctx.Err() },
		func(c *Config) { c.Concurrency = 1 })
	r.send(t, "first", "second")
	r.run(t)
	until(t, "work is under way", func() bool { return len(r.deliveries()) == 1 })
	ended := make(chan struct{})
	go func() { r.stop(); close(ended) }()
	until(t, "it receives no more", func() bool { at, _, _ := r.worker.pulse.get(); return at == stopped })
	select {
	case <-ended:
		t.Fatal("the worker stopped with work under way")
	default:
	}
	close(release)
	<-ended
	if r.counts.of(Handled) != 1 || r.left(t) != 1 {
		t.Errorf("%d handled, %d left", r.counts.of(Handled), r.left(t))
	}
}

func TestHardStopHandsMessagesBackAtOnce(t *testing.T) {
	for name, stop := range map[string]func(r *rig){
		"by its context":   func(r *rig) { r.hard(); r.stop() },
		"after the drain":  func(r *rig) { r.stop() },
		"on last delivery": func(r *rig) { r.hard(); r.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			last := name == "on last delivery"
			r := newRig(t, func(ctx context.Context, m platform.Message) error {
				if last && m.Receive < platform.MaxReceives {
					return errors.New("not yet")
				}
				<-ctx.Done()
				return ctx.Err()
			}, func(c *Config) { c.Drain = 10 * time.Millisecond; c.Visibility = time.Hour })
			r.send(t, "x")
			r.run(t)
			until(t, "work is under way", func() bool {
				seen := r.deliveries()
				return len(seen) > 0 && (!last || seen[len(seen)-1].Receive == platform.MaxReceives)
			})
			stop(r)
			list, err := r.queue.Receive(t.Context(), 1, 0)
			if err != nil || len(list) != 1 || r.gaveUp() > 0 {
				t.Fatalf("after the stop the queue gives %v, %v; given up %d times", list, err, r.gaveUp())
			}
			if want := 2; !last && list[0].Receive != want || last && list[0].Receive != 1 {
				t.Errorf("delivered %d times", list[0].Receive)
			}
		})
	}
}

func TestBackoffDoublesWithinItsLimitAndSpreads(t *testing.T) {
	b := Backoff{First: time.Second, Limit: time.Minute}
	for n, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 20: time.Minute, 1000: time.Minute} {
		different := map[time.Duration]bool{}
		for range 50 {
			d := b.Delay(n)
			different[d] = true
			if d < most/2 || d > most {
				t.Fatalf("attempt %d waits %v, want %v to %v", n, d, most/2, most)
			}
		}
		if len(different) < 10 {
			t.Errorf("attempt %d has %d different waits of 50", n, len(different))
		}
	}
}

func TestDiskHoldsWorkBackUntilThereIsRoom(t *testing.T) {
	var log lockedBuffer
	full := NewDisk(t.TempDir(), 1<<62, time.Millisecond, slog.New(slog.NewTextHandler(&log, nil)))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := full.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a full disk took work: %v", err)
	}
	if n := strings.Count(log.String(), "the disk is full"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
	full.minFree = 0
	if err := full.Wait(t.Context()); err != nil {
		t.Errorf("with room: %v", err)
	}
	if !strings.Contains(log.String(), "there is room") {
		t.Errorf("nobody was told that there is room: %s", log.String())
	}
}

func TestDiskThatRefusedWorkIsFullUntilItHasMoreRoom(t *testing.T) {
	d := NewDisk(t.TempDir(), 0, time.Millisecond, slog.New(slog.DiscardHandler))
	if s, err := d.Status(); err != nil || s.Full {
		t.Fatalf("%+v, %v", s, err)
	}
	d.Refused()
	d.refused.free += 1 << 40 // as if it had had more room then: other programs' files come and go meanwhile
	if s, err := d.Status(); err != nil || !s.Full {
		t.Errorf("after a refusal: %+v, %v", s, err)
	}
	d.refused.free = 0 // as if it had more room now
	if err := d.Wait(t.Context()); err != nil {
		t.Errorf("with more room: %v", err)
	}
	d.refused = refusal{free: 1 << 60, at: time.Now().Add(-longestRefuse)}
	if err := d.Wait(t.Context()); err != nil {
		t.Errorf("long after: %v", err)
	}
}
