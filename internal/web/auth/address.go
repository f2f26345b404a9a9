package auth

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies are the networks whose word about where a request came from is believed.
type proxies []netip.Prefix

// addressOf returns whose request it is: the peer's address, or where that is a proxy, the one that the proxy saw; of
// IPv6 the network that one household gets.
func (p proxies) addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	return household(p.client(ip, r.Header.Values("X-Forwarded-For")))
}

// client follows a chain of proxies back. Each appended its peer's address to the header, so the last ones count: what
// stands before the first that isn't a proxy's is whatever a client wrote there itself.
func (p proxies) client(peer netip.Addr, forwarded []string) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !p.has(peer) {
			return peer
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return peer
		}
		peer = before
	}
	return peer
}

func (p proxies) has(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// household is an address, or of IPv6 its network of 64 bits.
func household(ip netip.Addr) string {
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ip.String()
	}
	return network.String()
}
