package platformtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

var queueTests = map[string]func(*testing.T, Fixture){
	"MessageIsDeliveredUntilItIsDeleted":        testDelivery,
	"ReceivedMessageIsHiddenForTheVisibility":   testVisibility,
	"ExtendHidesLongerAndZeroHandsBack":         testExtend,
	"StaleReceiptIsNoDisaster":                  testStaleReceipt,
	"DelayedMessageComesLater":                  testDelay,
	"WaitingReceiverIsWoken":                    testLongPoll,
	"ReceiverStopsWaiting":                      testStopWaiting,
	"BatchesAreBoundedAndEveryMessageArrives":   testBatches,
	"QueuesDontMix":                             testSeparateQueues,
	"DepthTellsVisibleInFlightAndDelayedApart":  testDepth,
	"MessagesOfManyReceiversAreNotHandedTwice":  testManyReceivers,
	"UnknownReceiptsAndEmptySendsAreNoDisaster": testOddCalls,
}

// receive returns one message, which must come within the platform's patience; a platform may wait for less at a time.
func receive(t *testing.T, f Fixture, q platform.Queue) platform.Message {
	t.Helper()
	for deadline := time.Now().Add(f.Patience); ; {
		list, err := q.Receive(t.Context(), 1, f.Patience)
		must(t, err)
		if len(list) == 1 {
			return list[0]
		}
		if len(list) > 1 || time.Now().After(deadline) {
			t.Fatalf("%d messages, want 1", len(list))
		}
	}
}

// nothing checks that no message comes.
func nothing(t *testing.T, f Fixture, q platform.Queue, when string) {
	t.Helper()
	list, err := q.Receive(t.Context(), 10, f.Settle)
	if err != nil || len(list) > 0 {
		t.Errorf("%s: %d messages, %v", when, len(list), err)
	}
}

func testDelivery(t *testing.T, f Fixture) {
	q := f.Queues[platform.ChunkingQueue]
	nothing(t, f, q, "fresh")
	body := `{"text":"Été ½ 電影 \"quoted\" <tag> & more"}`
	must(t, q.Send(t.Context(), 0, []byte(body)))
	m := receive(t, f, f.Again(t).Queues[platform.ChunkingQueue])
	if string(m.Body) != body || m.Receive != 1 || m.ID == "" || m.Handle == "" || m.Sent.IsZero() {
		t.Errorf("%+v", m)
	}
	must(t, q.Delete(t.Context(), m.Handle))
	f.Advance(f.Visibility + time.Second)
	nothing(t, f, q, "after it was deleted")
}

func testVisibility(t *testing.T, f Fixture) {
	q := f.Queues[platform.ChunkingQueue]
	must(t, q.Send(t.Context(), 0, []byte("a")))
	first := receive(t, f, q)
	nothing(t, f, q, "hidden")
	f.Advance(f.Visibility + time.Second)
	second := receive(t, f, q)
	if second.ID != first.ID || second.Receive != 2 || second.Handle == first.Handle {
		t.Errorf("%+v after %+v", second, first)
	}
}

func testExtend(t *testing.T, f Fixture) {
	q := f.Queues[platform.ChunkingQueue]
	must(t, q.Send(t.Context(), 0, []byte("a")))
	m := receive(t, f, q)
	must(t, q.Extend(t.Context(), m.Handle, 2*f.Visibility))
	f.Advance(f.Visibility + time.Second)
	nothing(t, f, q, "extended")
	must(t, q.Extend(t.Context(), m.Handle, 2*time.Second))
	f.Advance(3 * time.Second)
	m = receive(t, f, q)
	must(t, q.Extend(t.Context(), m.Handle, 0))
	m = receive(t, f, q)
	if m.Receive != 3 {
		t.Errorf("delivery %d, want 3", m.Receive)
	}
	must(t, q.Delete(t.Context(), m.Handle))
}

func testStaleReceipt(t *testing.T, f Fixture) {
	q := f.Queues[platform.ChunkingQueue]
	must(t, q.Send(t.Context(), 0, []byte("a")))
	stale := receive(t, f, q)
	must(t, q.Extend(t.Context(), stale.Handle, 0))
	fresh := receive(t, f, q)
	if fresh.ID != stale.ID || fresh.Handle == stale.Handle {
		t.Errorf("%+v after %+v", fresh, stale)
	}
	known := func(what string, err error) {
		t.Helper()
		if err != nil {
			wants(t, what, err, platform.ErrNoMessage)
		}
	}
	known("Extend by a stale receipt", q.Extend(t.Context(), stale.Handle, f.Visibility))
	nothing(t, f, q, "the second delivery is still hidden")
	known("Delete by a stale receipt", q.Delete(t.Context(), stale.Handle))
	known("Delete", q.Delete(t.Context(), fresh.Handle))
	wants(t, "Extend after Delete", q.Extend(t.Context(), fresh.Handle, time.Minute), platform.ErrNoMessage)
	f.Advance(f.Visibility + time.Second)
	nothing(t, f, q, "deleted by the fresh receipt")
}

func testDelay(t *testing.T, f Fixture) {
	q := f.Queues[platform.ReassemblyQueue]
	must(t, q.Send(t.Context(), f.Visibility, []byte("later")))
	nothing(t, f, q, "delayed")
	f.Advance(f.Visibility + time.Second)
	if m := receive(t, f, q); string(m.Body) != "later" || m.Receive != 1 {
		t.Errorf("%+v", m)
	}
}

func testLongPoll(t *testing.T, f Fixture) {
	q := f.Queues[platform.ChunkingQueue]
	for _, sender := range []platform.Queue{q, f.Again(t).Queues[platform.ChunkingQueue]} {
		type answer struct {
			list []platform.Message
			err  error
		}
		got := make(chan answer, 1)
		go func() {
			list, err := q.Receive(lasting(t), 1, f.Patience)
			got <- answer{list, err}
		}()
		time.Sleep(f.Settle) // so that it waits; were it slower, the test would pass all the same
		must(t, sender.Send(t.Context(), 0, []byte("a")))
		select {
		case a := <-got:
			if a.err != nil || len(a.list) != 1 {
				t.Fatalf("%d messages, %v", len(a.list), a.err)
			}
			must(t, q.Delete(t.Context(), a.list[0].Handle))
		case <-time.After(f.Patience):
			t.Fatal("a waiting receiver was not woken")
		}
	}
}

func testStopWaiting(t *testing.T, f Fixture) {
	q := f.Queues[platform.ChunkingQueue]
	ctx, cancel := context.WithTimeout(t.Context(), f.Settle)
	defer cancel()
	if list, err := q.Receive(ctx, 1, 20*time.Second); len(list) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d messages, %v", len(list), err)
	}
	if list, err := q.Receive(t.Context(), 1, 0); len(list) > 0 || err != nil {
		t.Errorf("without waiting: %d messages, %v", len(list), err)
	}
}

// drain receives until want different bodies have come and nothing more does, deletes them and returns them sorted.
func drain(t *testing.T, f Fixture, q platform.Queue, want int) []string {
	t.Helper()
	seen := map[string]bool{}
	for deadline := time.Now().Add(f.Patience); ; {
		wait := f.Patience
		if len(seen) >= want {
			wait = f.Settle
		}
		list, err := q.Receive(t.Context(), 10, wait)
		must(t, err)
		if len(list) > 10 {
			t.Fatalf("%d messages in one batch", len(list))
		}
		for _, m := range list {
			seen[string(m.Body)] = true
		}
		deleteAll(t, q, list)
		if len(list) == 0 && (len(seen) >= want || time.Now().After(deadline)) {
			break
		}
	}
	var bodies []string
	for body := range seen {
		bodies = append(bodies, body)
	}
	slices.Sort(bodies)
	return bodies
}

// deleteAll deletes messages at once: a platform may gather deletions for a while, and messages hide for seconds.
func deleteAll(t *testing.T, q platform.Queue, list []platform.Message) {
	var deleted sync.WaitGroup
	for _, m := range list {
		deleted.Go(func() {
			if err := q.Delete(lasting(t), m.Handle); err != nil {
				t.Error(err)
			}
		})
	}
	deleted.Wait()
}

func testBatches(t *testing.T, f Fixture) {
	q := f.Queues[platform.VideoWorkerQueue]
	var bodies [][]byte
	for i := range 425 {
		bodies = append(bodies, fmt.Appendf(nil, "%03d", i))
	}
	if f.Slow {
		bodies = bodies[:35]
	}
	must(t, q.Send(t.Context(), 0, bodies...))
	if list, err := q.Receive(t.Context(), 1000, f.Patience); err != nil || len(list) == 0 || len(list) > platform.MaxBatch {
		t.Errorf("%d messages in a batch, %v", len(list), err)
	} else {
		for _, m := range list {
			must(t, q.Extend(t.Context(), m.Handle, 0))
		}
	}
	got := drain(t, f, q, len(bodies))
	if len(got) != len(bodies) {
		t.Fatalf("%d of %d messages", len(got), len(bodies))
	}
	for i := range bodies {
		if got[i] != string(bodies[i]) {
			t.Errorf("message %d is %q", i, got[i])
		}
	}
}

func testSeparateQueues(t *testing.T, f Fixture) {
	for _, name := range platform.QueueNames() {
		must(t, f.Queues[name].Send(t.Context(), 0, []byte(name)))
	}
	for _, name := range platform.QueueNames() {
		if got := drain(t, f, f.Queues[name], 1); !slices.Equal(got, []string{string(name)}) {
			t.Errorf("%s holds %v", name, got)
		}
	}
}

func testDepth(t *testing.T, f Fixture) {
	q := f.Queues[platform.ChunkingQueue]
	if d, err := q.Depth(t.Context()); err != nil || d != (platform.Depth{}) {
		t.Errorf("fresh: %+v, %v", d, err)
	}
	must(t, q.Send(t.Context(), 0, []byte("a"), []byte("b"), []byte("c")))
	must(t, q.Send(t.Context(), 10*time.Minute, []byte("d")))
	receive(t, f, q)
	want := platform.Depth{Visible: 2, InFlight: 1, Delayed: 1}
	var d platform.Depth
	for deadline := time.Now().Add(f.Patience); time.Now().Before(deadline); time.Sleep(f.Settle / 10) {
		var err error
		d, err = q.Depth(t.Context())
		must(t, err)
		if d.OldestAge < 0 {
			t.Errorf("age %v", d.OldestAge)
		}
		if d.OldestAge = 0; d == want {
			return
		}
	}
	t.Errorf("%+v, want %+v", d, want)
}

func testManyReceivers(t *testing.T, f Fixture) {
	total := 300
	if f.Slow {
		total = 40
	}
	queues := []platform.Queue{f.Queues[platform.SegmentOutputQueue], f.Again(t).Queues[platform.SegmentOutputQueue]}
	var mu sync.Mutex
	times := map[string]int{}
	var wg sync.WaitGroup
	for i := range 6 {
		q := queues[i%2]
		wg.Go(func() { // senders and receivers at once
			for n := i; n < total; n += 6 {
				if err := q.Send(lasting(t), 0, fmt.Appendf(nil, "%d", n)); err != nil {
					t.Error(err)
				}
			}
			for deadline := time.Now().Add(f.Patience); time.Now().Before(deadline); {
				list, err := q.Receive(lasting(t), 3, f.Settle)
				if err != nil {
					t.Error(err)
					return
				}
				deleteAll(t, q, list)
				mu.Lock()
				for _, m := range list {
					times[string(m.Body)]++
				}
				done := len(times) == total
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(times) != total {
		t.Errorf("%d of %d messages arrived", len(times), total)
	}
	for body, n := range times {
		if n != 1 {
			t.Errorf("message %s was handed out %d times while hidden", body, n)
		}
	}
}

func testOddCalls(t *testing.T, f Fixture) {
	q := f.Queues[platform.ChunkingQueue]
	must(t, q.Send(t.Context(), 0))
	for _, handle := range []string{"", "x", "1.1", "-1.-1", "99999999999999999999.1", "1.1; DROP TABLE messages"} {
		wants(t, fmt.Sprintf("Delete(%q)", handle), q.Delete(t.Context(), handle), platform.ErrNoMessage)
		wants(t, fmt.Sprintf("Extend(%q)", handle), q.Extend(t.Context(), handle, time.Minute), platform.ErrNoMessage)
	}
}

var deadLetterTests = map[string]func(*testing.T, Fixture){
	"MessageReceivedTooOftenBecomesADeadLetter": testDeadLetter,
	"DeadLettersAreRedrivenAndPurged":           testRedrive,
}

// kill hands a message back until it is a dead letter.
func kill(t *testing.T, f Fixture, name platform.QueueName, body string) {
	t.Helper()
	q := f.Queues[name]
	must(t, q.Send(t.Context(), 0, []byte(body)))
	for n := 1; n <= platform.MaxReceives; n++ {
		m := receive(t, f, q)
		if m.Receive != n || string(m.Body) != body {
			t.Fatalf("delivery %d is %+v", n, m)
		}
		must(t, q.Extend(t.Context(), m.Handle, 0))
	}
	nothing(t, f, q, "received too often")
}

// dead waits until a queue has want dead letters and returns them.
func dead(t *testing.T, f Fixture, name platform.QueueName, want int) []platform.Message {
	t.Helper()
	for deadline := time.Now().Add(f.Patience); ; time.Sleep(f.Settle / 10) {
		list, err := f.DeadLetters[name].List(t.Context(), 100)
		must(t, err)
		if len(list) == want || time.Now().After(deadline) {
			if len(list) != want {
				t.Fatalf("%d dead letters, want %d", len(list), want)
			}
			return list
		}
	}
}

func testDeadLetter(t *testing.T, f Fixture) {
	name := platform.VideoWorkerQueue
	dead(t, f, name, 0)
	kill(t, f, name, "poison")
	must(t, f.Queues[name].Send(t.Context(), 0, []byte("healthy")))
	if got := drain(t, f, f.Queues[name], 1); !slices.Equal(got, []string{"healthy"}) {
		t.Errorf("the queue holds %v", got)
	}
	for range 2 { // listing takes nothing
		if list := dead(t, f, name, 1); string(list[0].Body) != "poison" || list[0].Receive < platform.MaxReceives {
			t.Errorf("%+v", list[0])
		}
	}
	dead(t, f, platform.ChunkingQueue, 0)
}

func testRedrive(t *testing.T, f Fixture) {
	name := platform.ChunkingQueue
	for i := range 3 {
		kill(t, f, name, fmt.Sprint("letter ", i))
	}
	dead(t, f, name, 3)
	n, err := f.DeadLetters[name].Redrive(t.Context(), 1)
	if err != nil || n != 1 {
		t.Fatalf("%d redriven, %v", n, err)
	}
	m := receive(t, f, f.Queues[name])
	if m.Receive != 1 {
		t.Errorf("a redriven message begins at delivery %d", m.Receive)
	}
	must(t, f.Queues[name].Delete(t.Context(), m.Handle))
	left := dead(t, f, name, 2)
	for _, l := range left {
		if string(l.Body) == string(m.Body) {
			t.Error("redriven, and still a dead letter")
		}
	}
	if n, err := f.DeadLetters[name].Purge(t.Context()); err != nil || n != 2 {
		t.Errorf("%d purged, %v", n, err)
	}
	dead(t, f, name, 0)
	if n, err := f.DeadLetters[name].Redrive(t.Context(), 10); err != nil || n != 0 {
		t.Errorf("%d of nothing redriven, %v", n, err)
	}
	nothing(t, f, f.Queues[name], "after the purge")
	kill(t, f, name, "the last letter")
	dead(t, f, name, 1)
	if n, err := f.DeadLetters[name].Redrive(t.Context(), 1000); err != nil || n != 1 {
		t.Errorf("%d of all redriven, %v", n, err)
	}
	if m := receive(t, f, f.Queues[name]); string(m.Body) != "the last letter" {
		t.Errorf("%s was redriven", m.Body)
	}
	dead(t, f, name, 0)
}
