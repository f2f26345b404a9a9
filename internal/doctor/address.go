package doctor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// address checks that serve could listen, or does.
func address(ctx context.Context, addr string) Check {
	c := Check{Name: "address", State: OK, Detail: addr + " is free"}
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", addr)
	if err == nil {
		if err = l.Close(); err == nil {
			return c
		}
	}
	if answers(ctx, addr) {
		c.Detail = "a StereoSpot server answers at " + addr
		return c
	}
	c.State, c.Detail = Fail, fmt.Sprintf("can't listen: %v", err)
	c.Advice = "stop the program that listens there (ss -ltnp shows it), or choose another address with --addr"
	return c
}

// answers reports whether a healthy server listens at addr.
func answers(ctx context.Context, addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // it may be busy converting
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16))
	return err == nil && resp.StatusCode == http.StatusOK && string(body) == "ok\n"
}
