package worker

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long a failed message waits for its next attempt: First doubled with every attempt, at most Limit,
// and of that a random part between a half and all, so that what failed together doesn't come back together.
type Backoff struct{ First, Limit time.Duration }

// Delay returns the wait after attempt n, counted from 1.
func (b Backoff) Delay(n int) time.Duration {
	d := b.First
	for range n - 1 {
		if d >= b.Limit {
			break
		}
		d *= 2
	}
	d = min(d, b.Limit)
	return d/2 + rand.N(d/2+1)
}
