package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// CheckURL refuses what can't be a webhook's address.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("webhook %.100q: use an address such as https://example.org/hook", raw)
	}
	if u.User != nil {
		return errors.New("webhook: leave the user name and password out of the address; the signature says who sends")
	}
	return nil
}

// newClient returns a client that follows no redirects and, unless allowPrivate, connects to public addresses only.
// The address is checked when it is dialled, whatever its name resolved to before.
func newClient(allowPrivate bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: -1}
	if !allowPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkAddress(address) }
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: timeout,
			MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
			Proxy: nil, // a proxy would dial for us, past the check
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Networks that netip.Addr has no name for and that aren't the public internet.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network (RFC 791)
	netip.MustParsePrefix("100.64.0.0/10"),   // carriers' own (RFC 6598)
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments (RFC 6890)
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks (RFC 2544)
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("64:ff9b::/96"),    // IPv4 behind a translator (RFC 6052)
	netip.MustParsePrefix("64:ff9b:1::/48"),  // the same, locally (RFC 8215)
	netip.MustParsePrefix("2002::/16"),       // 6to4, which carries any IPv4 address
	netip.MustParsePrefix("2001::/32"),       // Teredo, likewise
	netip.MustParsePrefix("fec0::/10"),       // site-local, once
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated
}

// checkAddress refuses to connect to this machine and its networks: a webhook could reach what isn't meant for people
// outside (server-side request forgery).
func checkAddress(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &refusedError{fmt.Sprintf("webhook: address %s", address)}
	}
	ip := at.Addr().WithZone("").Unmap()
	public := ip.IsGlobalUnicast() && !ip.IsPrivate()
	for _, network := range reserved {
		public = public && !network.Contains(ip)
	}
	if !public {
		return &refusedError{fmt.Sprintf("webhook: %s is not on the public internet; the server's operator can allow that", ip)}
	}
	return nil
}
