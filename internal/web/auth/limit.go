package auth

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// How often a password may be tried: from one address, and from all of them together, which is what a hash can bear.
const (
	triesAtOnce     = 5
	tryEvery        = 12 * time.Second
	allTriesAtOnce  = 50
	allTriesEvery   = time.Second
	addressesInMind = 10_000
)

// limiter bounds how often a password is tried.
type limiter struct {
	all       *rate.Limiter
	addresses *lru.Cache[string, *rate.Limiter]
}

func newLimiter() (*limiter, error) {
	addresses, err := lru.New[string, *rate.Limiter](addressesInMind)
	return &limiter{all: rate.NewLimiter(rate.Every(allTriesEvery), allTriesAtOnce), addresses: addresses}, err
}

// allow takes one try for an address, and returns how long to wait when there is none left. An address that has none
// takes none from the others.
func (l *limiter) allow(address string, now time.Time) (wait time.Duration) {
	own := rate.NewLimiter(rate.Every(tryEvery), triesAtOnce)
	if known, ok, _ := l.addresses.PeekOrAdd(address, own); ok {
		own = known
	}
	if !own.AllowN(now, 1) {
		return tryEvery
	}
	if !l.all.AllowN(now, 1) {
		return allTriesEvery
	}
	return 0
}
