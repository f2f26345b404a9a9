package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// CheckExposure refuses to listen on addr (host:port) where others could get in without signing in.
func CheckExposure(addr string, o Options) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listening address %q: use HOST:PORT, such as 127.0.0.1:8080", addr)
	}
	if !o.Open() || loopback(host) {
		return nil
	}
	return fmt.Errorf("refusing to listen on %s, where everybody on the network could use this server: set STEREOSPOT_PASSWORD "+
		"or give --password-file, configure OpenID Connect, or listen on 127.0.0.1", addr)
}

// loopback reports whether a host's name or address reaches this machine only. Empty means all addresses.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// CheckHost refuses requests that name another host than this machine or one of names. An open server relies on that:
// a page elsewhere could make a browser here reach it under the page's own name (DNS rebinding).
func CheckHost(next http.Handler, names []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !loopback(host) && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, host) }) {
			http.Error(w, "this server answers to localhost only: use that name, or tell it its own with --public-url", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
