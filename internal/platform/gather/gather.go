// Package gather makes one request of what several goroutines ask for at about the same time.
package gather

import (
	"context"
	"sync"
	"time"
)

// Batch collects entries. All exported fields are required, and stay as they are. Safe for concurrent use.
type Batch[E any] struct {
	Limit int           // entries in one request at most
	Wait  time.Duration // how long a batch's first entry waits for others
	Bound time.Duration // how long a request may take
	// Do makes the request of 1 to Limit entries and returns each one's error, in their order. Its context has the
	// values of one of the entries' contexts, and outlives them all.
	Do func(ctx context.Context, entries []E) []error

	mu   sync.Mutex
	open *collection[E] // what further entries join; nil when there is none
}

// collection is one batch.
type collection[E any] struct {
	entries []E
	errs    []error // of the entries, once done is closed
	done    chan struct{}
}

// Add has e handled with whatever else comes while it waits, and returns its error. When ctx ends first the error is the
// context's, and e is handled all the same.
func (b *Batch[E]) Add(ctx context.Context, e E) error {
	c, at := b.join(ctx, e)
	select {
	case <-c.done:
		return c.errs[at]
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// join puts e into the open collection, and closes that when it is full. It returns e's place in it.
func (b *Batch[E]) join(ctx context.Context, e E) (c *collection[E], at int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c = b.open; c == nil {
		c = &collection[E]{done: make(chan struct{})}
		b.open = c
		time.AfterFunc(b.Wait, func() { b.expire(ctx, c) })
	}
	at = len(c.entries)
	c.entries = append(c.entries, e)
	if len(c.entries) == b.Limit {
		b.open = nil
		go b.run(ctx, c)
	}
	return c, at
}

// expire closes the collection when its time is over, unless it was full before.
func (b *Batch[E]) expire(ctx context.Context, c *collection[E]) {
	b.mu.Lock()
	waiting := b.open == c
	if waiting {
		b.open = nil
	}
	b.mu.Unlock()
	if waiting {
		b.run(ctx, c)
	}
}

func (b *Batch[E]) run(ctx context.Context, c *collection[E]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.Bound)
	defer cancel()
	c.errs = b.Do(ctx, c.entries)
	close(c.done)
}
