package memory

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// message is a queue's entry. While it is hidden its place in the heap is at; otherwise at is notHidden.
type message struct {
	id      int64
	body    []byte
	sent    time.Time
	visible time.Time
	receive int
	at      int
}

const notHidden = -1

// queue is one queue.
type queue struct {
	s          *Store
	name       platform.QueueName
	visibility time.Duration

	mu      sync.Mutex
	last    int64 // id
	byID    map[int64]*message
	ready   []*message // visible, first come first
	hidden  byVisible
	flight  int        // of hidden, those that have been received
	ages    []*message // as sent, with some that have left
	dead    []*message
	waiting []chan struct{} // receivers; closed to have one look again
}

var _ platform.Queue = (*queue)(nil)

// byVisible is a heap of hidden messages.
type byVisible []*message

func (h byVisible) Len() int           { return len(h) }
func (h byVisible) Less(i, j int) bool { return h[i].visible.Before(h[j].visible) }
func (h byVisible) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }

// Push implements heap.Interface.
func (h *byVisible) Push(m any) { m.(*message).at = len(*h); *h = append(*h, m.(*message)) }

// Pop implements heap.Interface.
func (h *byVisible) Pop() any {
	m := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	m.at = notHidden
	return m
}

// hide puts a message out of sight until then.
func (q *queue) hide(m *message, until time.Time) {
	m.visible = until
	heap.Push(&q.hidden, m)
	if m.receive > 0 {
		q.flight++
	}
}

// unhide takes a message out of the hidden ones.
func (q *queue) unhide(m *message) {
	heap.Remove(&q.hidden, m.at)
	if m.receive > 0 {
		q.flight--
	}
}

// settle brings hidden messages whose time has come into sight.
func (q *queue) settle(now time.Time) {
	for len(q.hidden) > 0 && !q.hidden[0].visible.After(now) {
		m := q.hidden[0]
		q.unhide(m)
		q.ready = append(q.ready, m)
	}
}

// ring has up to n waiting receivers look again.
func (q *queue) ring(n int) {
	n = min(n, len(q.waiting))
	for _, bell := range q.waiting[:n] {
		close(bell)
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
}

func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ring(len(q.waiting))
}

// Send implements platform.Queue.
func (q *queue) Send(_ context.Context, delay time.Duration, bodies ...[]byte) error {
	if len(bodies) > 0 {
		q.s.Saw(Call{Method: "Queue.Send", On: string(q.name), N: len(bodies)})
	}
	q.add(delay, bodies...)
	return nil
}

// add is Send by the platform itself.
func (q *queue) add(delay time.Duration, bodies ...[]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.s.Now()
	for _, body := range bodies {
		q.last++
		m := &message{id: q.last, body: slices.Clone(body), sent: now, at: notHidden}
		q.byID[m.id] = m
		q.ages = append(q.ages, m)
		if delay > 0 {
			q.hide(m, now.Add(delay))
		} else {
			q.ready = append(q.ready, m)
		}
	}
	q.ring(len(bodies))
}

// Receive implements platform.Queue. A receiver that waits is woken by a message, or when a hidden one comes into sight.
func (q *queue) Receive(ctx context.Context, limit int, wait time.Duration) ([]platform.Message, error) {
	limit = min(max(limit, 1), platform.MaxBatch)
	end := q.s.Now().Add(wait)
	for {
		list, bell, next := q.take(limit)
		now := q.s.Now()
		if len(list) > 0 || !now.Before(end) {
			q.leave(bell)
			q.s.Saw(Call{Method: "Queue.Receive", On: string(q.name), N: len(list)})
			return list, nil
		}
		until := end
		if !next.IsZero() && next.Before(end) {
			until = next
		}
		timer := time.NewTimer(until.Sub(now))
		select {
		case <-bell:
		case <-timer.C:
			q.leave(bell)
		case <-ctx.Done():
			timer.Stop()
			q.leave(bell)
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}

// take delivers up to limit visible messages. When there are none it returns a bell that rings when there may be, and
// when the next hidden one comes into sight.
func (q *queue) take(limit int) (list []platform.Message, bell chan struct{}, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.s.Now()
	q.settle(now)
	for len(q.ready) > 0 && len(list) < limit {
		m := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		if m.receive >= platform.MaxReceives {
			delete(q.byID, m.id)
			q.dead = append(q.dead, m)
			continue
		}
		m.receive++
		q.hide(m, now.Add(q.visibility))
		list = append(list, m.delivery())
	}
	if len(list) > 0 {
		return list, nil, next
	}
	bell = make(chan struct{})
	q.waiting = append(q.waiting, bell)
	if len(q.hidden) > 0 {
		next = q.hidden[0].visible
	}
	return nil, bell, next
}

// leave gives up a bell. One that has rung already is rung for another receiver instead.
func (q *queue) leave(bell chan struct{}) {
	if bell == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if at := slices.Index(q.waiting, bell); at >= 0 {
		q.waiting = slices.Delete(q.waiting, at, at+1)
		return
	}
	q.ring(1)
}

// delivery describes the message to whoever got it.
func (m *message) delivery() platform.Message {
	return platform.Message{
		ID: strconv.FormatInt(m.id, 10), Body: slices.Clone(m.body), Handle: fmt.Sprintf("%d.%d", m.id, m.receive), Receive: m.receive, Sent: m.sent,
	}
}

// held returns the message of a delivery that isn't over; ErrNoMessage.
func (q *queue) held(handle string) (*message, error) {
	before, after, _ := strings.Cut(handle, ".")
	id, badID := strconv.ParseInt(before, 10, 64)
	receive, badCount := strconv.Atoi(after)
	q.settle(q.s.Now())
	m := q.byID[id]
	if badID != nil || badCount != nil || m == nil || m.at == notHidden || m.receive != receive {
		return nil, fmt.Errorf("%w: %.80q", platform.ErrNoMessage, handle)
	}
	return m, nil
}

// Extend implements platform.Queue.
func (q *queue) Extend(_ context.Context, handle string, d time.Duration) error {
	q.s.Saw(Call{Method: "Queue.Extend", On: string(q.name)})
	q.mu.Lock()
	defer q.mu.Unlock()
	m, err := q.held(handle)
	if err != nil {
		return err
	}
	q.unhide(m)
	if d > 0 {
		q.hide(m, q.s.Now().Add(d))
		return nil
	}
	q.ready = append(q.ready, m)
	q.ring(1)
	return nil
}

// Delete implements platform.Queue.
func (q *queue) Delete(_ context.Context, handle string) error {
	q.s.Saw(Call{Method: "Queue.Delete", On: string(q.name)})
	q.mu.Lock()
	defer q.mu.Unlock()
	m, err := q.held(handle)
	if err != nil {
		return err
	}
	q.unhide(m)
	delete(q.byID, m.id)
	return nil
}

// Depth implements platform.Queue.
func (q *queue) Depth(context.Context) (platform.Depth, error) {
	q.s.Saw(Call{Method: "Queue.Depth", On: string(q.name)})
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.s.Now()
	q.settle(now)
	d := platform.Depth{Visible: len(q.ready), InFlight: q.flight, Delayed: len(q.hidden) - q.flight}
	for len(q.ages) > 0 && q.byID[q.ages[0].id] == nil {
		q.ages = q.ages[1:]
	}
	if len(q.ages) > 0 {
		d.OldestAge = max(0, now.Sub(q.ages[0].sent))
	}
	return d, nil
}

type deadLetters struct{ q *queue }

var _ platform.DeadLetters = deadLetters{}

// List implements platform.DeadLetters.
func (d deadLetters) List(_ context.Context, limit int) ([]platform.Message, error) {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	oldest := slices.SortedFunc(slices.Values(d.q.dead), func(a, b *message) int { return cmp.Compare(a.id, b.id) })
	var list []platform.Message
	for _, m := range oldest[:min(limit, len(oldest))] {
		list = append(list, m.delivery())
	}
	return list, nil
}

// Redrive implements platform.DeadLetters.
func (d deadLetters) Redrive(_ context.Context, limit int) (int, error) {
	d.q.mu.Lock()
	n := min(limit, len(d.q.dead))
	var bodies [][]byte
	for _, m := range d.q.dead[:n] {
		bodies = append(bodies, m.body)
	}
	d.q.dead = slices.Delete(d.q.dead, 0, n)
	d.q.mu.Unlock()
	d.q.add(0, bodies...)
	return n, nil
}

// Purge implements platform.DeadLetters.
func (d deadLetters) Purge(context.Context) (int, error) {
	d.q.mu.Lock()
	defer d.q.mu.Unlock()
	n := len(d.q.dead)
	d.q.dead = nil
	return n, nil
}
