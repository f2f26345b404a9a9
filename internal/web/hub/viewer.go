package hub

import (
	"context"
	"slices"
	"time"
)

// Viewer is one who watches. It holds a position and nothing else, so it may be slow for as long as it likes.
type Viewer struct {
	h      *Hub
	filter Filter
	at     uint64 // the last change seen
	known  uint32 // the sum of the state that the viewer has, while hasSum
	hasSum bool
	reset  bool
	first  uint64 // polls before this one are too old for the first look
}

// Watch adds a viewer, who has seen everything up to the event named last ("" or unreadable: nothing). Close it.
func (h *Hub) Watch(f Filter, last string) *Viewer {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &Viewer{h: h, filter: f, first: h.polls}
	if !h.fresh(f.Key) {
		v.first++
		h.awaited = max(h.awaited, v.first)
		h.Poke()
	}
	if id, ok := parseID(last); ok {
		v.resume(id)
	}
	h.viewers[f.Key]++
	h.watching++
	return v
}

// fresh reports whether what is known is recent enough for a new viewer of key.
func (h *Hub) fresh(key string) bool {
	if h.watching == 0 || h.polls == 0 || time.Since(h.last) > 2*max(h.Interval, 10*h.took) {
		return false
	}
	_, known := h.entries[key]
	return key == "" || known && h.viewers[key] > 0
}

// resume puts the viewer where the event id says it was.
func (v *Viewer) resume(id eventID) {
	v.known, v.hasSum = id.sum, v.filter.Key != ""
	if id.epoch == v.h.epoch && id.seq <= v.h.seq {
		v.at = id.seq
	}
	v.reset = v.filter.Key == "" && v.at < max(v.h.lost, 1)
}

// Close removes the viewer.
func (v *Viewer) Close() {
	v.h.mu.Lock()
	defer v.h.mu.Unlock()
	v.h.watching--
	if v.h.viewers[v.filter.Key]--; v.h.viewers[v.filter.Key] <= 0 {
		delete(v.h.viewers, v.filter.Key)
	}
}

// Next waits for changes that the viewer hasn't seen and returns the newest state of each thing that changed,
// in the order of their changes. It returns ctx's error when it ends, ErrClosed after the hub has stopped.
func (v *Viewer) Next(ctx context.Context) ([]Event, error) {
	for {
		events, changed, err := v.look()
		if err != nil || len(events) > 0 {
			return events, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// look returns what is new, and a channel that is closed when there may be more.
func (v *Viewer) look() ([]Event, <-chan struct{}, error) {
	h := v.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, ErrClosed
	}
	if h.polls < v.first {
		return nil, h.changed, nil
	}
	var events []Event
	for element := h.order.Back(); element != nil; element = element.Prev() {
		e := element.Value.(*entry)
		if e.seq <= v.at {
			break
		}
		if event, ok := v.event(e); ok {
			events = append(events, event)
		}
	}
	if v.reset {
		events, v.reset = append(events, Event{ID: h.id(v.at, 0), Kind: Reset}), false
	}
	v.at = h.seq
	v.hasSum = v.hasSum && h.entries[v.filter.Key] == nil
	slices.Reverse(events)
	return events, h.changed, nil
}

// event returns what the viewer is told of e.
func (v *Viewer) event(e *entry) (Event, bool) {
	if !v.filter.admits(e) || v.filter.Key == "" && e.brief <= v.at || v.hasSum && !e.removed && e.sum == v.known {
		return Event{}, false
	}
	event := Event{ID: v.h.id(e.seq, e.sum), Kind: Changed, Key: e.Key, Data: e.Full}
	if v.filter.Key == "" {
		event.Data = e.Brief
	}
	if e.removed {
		event.Kind, event.Data = Removed, nil
	}
	// Who has never seen anything doesn't wonder what is gone.
	return event, !e.removed || v.at > 0 || v.filter.Key != ""
}
