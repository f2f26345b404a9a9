package local

import (
	"sync"

	"github.com/stereospot/stereospot/internal/platform"
)

// bells wake this process's receivers of a queue when something in it may have become visible.
type bells struct {
	mu    sync.Mutex
	waits map[platform.QueueName]chan struct{} // closed when the bell rings; made when somebody waits
}

// of returns a channel that is closed at the queue's next ring.
func (b *bells) of(q platform.QueueName) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waits == nil {
		b.waits = map[platform.QueueName]chan struct{}{}
	}
	if b.waits[q] == nil {
		b.waits[q] = make(chan struct{})
	}
	return b.waits[q]
}

func (b *bells) ring(queues ...platform.QueueName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range queues {
		if b.waits[q] != nil {
			close(b.waits[q])
			delete(b.waits, q)
		}
	}
}
