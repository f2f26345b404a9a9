// Package hub tells any number of viewers how things change, at the cost of one poller. It keeps the latest state
// of each thing and no history: a viewer who falls behind, or comes back, gets the newest state of what changed
// since, once.
package hub

import (
	"container/list"
	"context"
	"errors"
	"hash/crc32"
	"log/slog"
	"sync"
	"time"
)

// Item is the state of one thing.
type Item struct {
	Key   string
	Owner string
	Full  []byte // what those see who follow this thing alone
	Brief []byte // what those see who follow all
	Final bool   // it won't change by itself any more
}

// Poll returns the state of everything that may change by itself, and of the keys in also as far as they
// still exist.
type Poll func(ctx context.Context, also []string) ([]Item, error)

// Filter chooses what a viewer sees.
type Filter struct {
	Owner string // empty: everybody's
	Key   string // empty: all things, briefly
}

func (f Filter) admits(e *entry) bool {
	return (f.Owner == "" || f.Owner == e.Owner) && (f.Key == "" || f.Key == e.Key)
}

// Event is one change.
type Event struct {
	ID   string // for Last-Event-ID
	Kind Kind
	Key  string
	Data []byte // shared: don't change it; nil unless Kind is Changed
}

// Kind says what happened.
type Kind string

// The kinds of event.
const (
	Changed Kind = "changed"
	Removed Kind = "removed"
	// Reset says that what was removed meanwhile is no longer known: look at everything again.
	Reset Kind = "reset"
)

// entry is the latest state of one thing, or that it is gone.
type entry struct {
	Item
	removed bool
	seq     uint64 // of its last change
	brief   uint64 // of the last change of Brief
	sum     uint32 // of Full
}

// Options shape a Hub.
type Options struct {
	Interval time.Duration // between polls while somebody looks; 0 is one second
	Keep     int           // how many things that are final or removed are remembered; 0 is 1000
	Log      *slog.Logger
}

// Hub is the one poller of a process. Run must be running for viewers to see anything.
type Hub struct {
	Options
	poll  Poll
	epoch uint32 // tells this process's sequence numbers from another's

	mu       sync.Mutex
	entries  map[string]*list.Element // of *entry
	order    *list.List               // by seq
	seq      uint64
	lost     uint64 // the highest seq that is no longer remembered
	viewers  map[string]int
	watching int
	polls    uint64 // finished ones
	awaited  uint64 // the latest poll that a new viewer waits for
	last     time.Time
	took     time.Duration
	changed  chan struct{} // closed after each poll that changed something or was awaited
	wake     chan struct{} // asks for a poll now
	closed   bool
}

// ErrClosed says that the hub has stopped.
var ErrClosed = errors.New("event hub has stopped")

// New returns a Hub; epoch is any number that another process is unlikely to choose.
func New(poll Poll, epoch uint32, o Options) *Hub {
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.Keep <= 0 {
		o.Keep = 1000
	}
	return &Hub{
		Options: o, poll: poll, epoch: epoch, entries: map[string]*list.Element{}, order: list.New(),
		viewers: map[string]int{}, changed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// Poke asks for a poll at once, because something is known to have changed.
func (h *Hub) Poke() {
	select {
	case h.wake <- struct{}{}:
	default: // one is asked for already
	}
}

// Viewers returns how many viewers there are.
func (h *Hub) Viewers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watching
}

// Run polls while there are viewers, until ctx ends; then every viewer gets ErrClosed.
func (h *Hub) Run(ctx context.Context) error {
	defer h.close()
	for {
		pause := h.pause()
		if !h.rest(ctx, pause, h.wake) {
			return nil
		}
		if h.Viewers() == 0 {
			continue
		}
		began := time.Now()
		if err := h.once(ctx); err != nil && ctx.Err() == nil {
			h.Log.Error("can't read the jobs for those who watch them", "err", err)
		}
		// However many ask for a poll at once, most of the time goes into something else.
		if took := time.Since(began); !h.rest(ctx, h.Interval/10+took, nil) {
			return nil
		}
	}
}

// pause returns the time to the next poll that nobody asks for; 0 while nobody looks. A poll that takes long comes
// less often.
func (h *Hub) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watching == 0 {
		return 0
	}
	return max(h.Interval, 10*h.took)
}

// rest waits for pause (0: for ever) or for wake and returns whether to go on.
func (h *Hub) rest(ctx context.Context, pause time.Duration, wake <-chan struct{}) bool {
	var timer <-chan time.Time
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-timer:
	case <-wake:
	}
	return true
}

// once polls and takes in what it finds.
func (h *Hub) once(ctx context.Context) error {
	wanted, began := h.wanted(), time.Now()
	items, err := h.poll(ctx, wanted)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before, seen := h.seq, make(map[string]bool, len(items))
	for _, item := range items {
		seen[item.Key] = true
		h.take(item)
	}
	for _, key := range wanted {
		if element, ok := h.entries[key]; ok && !seen[key] && !element.Value.(*entry).removed {
			h.remove(element)
		}
	}
	h.forget()
	h.polls++
	h.last, h.took = time.Now(), time.Since(began)
	if h.seq != before || h.polls <= h.awaited {
		h.broadcast()
	}
	return nil
}

// wanted returns the keys whose fate viewers wait for.
func (h *Hub) wanted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var keys []string
	for key, element := range h.entries {
		if e := element.Value.(*entry); !e.removed && !e.Final && h.viewers[key] == 0 {
			keys = append(keys, key)
		}
	}
	for key := range h.viewers {
		if key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// take records an item if it differs from what is known.
func (h *Hub) take(item Item) {
	element, ok := h.entries[item.Key]
	if !ok {
		e := &entry{Item: item, sum: crc32.ChecksumIEEE(item.Full)}
		h.seq++
		e.seq, e.brief = h.seq, h.seq
		h.entries[item.Key] = h.order.PushBack(e)
		return
	}
	e := element.Value.(*entry)
	if !e.removed && string(e.Full) == string(item.Full) {
		e.Final = item.Final
		return
	}
	h.seq++
	e.seq = h.seq
	if e.removed || string(e.Brief) != string(item.Brief) {
		e.brief = h.seq
	}
	e.Item, e.removed, e.sum = item, false, crc32.ChecksumIEEE(item.Full)
	h.order.MoveToBack(element)
}

func (h *Hub) remove(element *list.Element) {
	e := element.Value.(*entry)
	h.seq++
	e.removed, e.Final, e.seq, e.brief, e.Full, e.Brief = true, true, h.seq, h.seq, nil, nil
	h.order.MoveToBack(element)
}

// forget drops the oldest of what won't change any more.
func (h *Hub) forget() {
	excess := len(h.entries) - h.Keep
	for element := h.order.Front(); element != nil && excess > 0; {
		next := element.Next()
		if e := element.Value.(*entry); e.Final && h.viewers[e.Key] == 0 {
			h.lost = max(h.lost, e.seq)
			delete(h.entries, e.Key)
			h.order.Remove(element)
			excess--
		}
		element = next
	}
}

// broadcast wakes all viewers.
func (h *Hub) broadcast() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *Hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.broadcast()
}
