package auth

import (
	"net"
	"net/http"
	"net/netip"
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

// allow takes one try, and returns how long to wait when there is none left. An address that has none takes none from
// the others.
func (l *limiter) allow(r *http.Request, now time.Time) (wait time.Duration) {
	own := rate.NewLimiter(rate.Every(tryEvery), triesAtOnce)
	if known, ok, _ := l.addresses.PeekOrAdd(addressOf(r), own); ok {
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

// addressOf returns the peer's address, of IPv6 the network that one household gets.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
