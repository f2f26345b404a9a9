// Package client talks to a StereoSpot server's API (/api/v1): it sends films in parts that survive broken
// connections, watches jobs by server-sent events, and fetches results.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultServer is where `stereospot serve` listens unless it is told otherwise.
const DefaultServer = "http://127.0.0.1:8080"

// Config says which server to talk to, and how patiently.
type Config struct {
	Server string // http(s)://host[:port][/path]; empty means DefaultServer
	Token  string // API token, sent as a bearer; empty where the server asks for none
	// Patience is how long one call is tried again while the server can't be reached or is busy. 0 means 3 s.
	Patience time.Duration
	// Endurance is the same for transfers and watching, counted from the last byte that moved, and for what a film is
	// submitted by, once the server has answered anything: long enough for a server to be restarted. 0 means 10 minutes.
	Endurance time.Duration
	// Retrying is told of every attempt that failed and will be repeated after wait; nil tells nobody. It may be
	// called from several goroutines.
	Retrying func(err error, wait time.Duration)
}

// Client is safe for concurrent use.
type Client struct {
	config Config
	base   *url.URL
	http   *http.Client
	// answered is set once the server has: it is there, or will be again.
	answered atomic.Bool
}

// New checks the configuration; it opens no connection.
func New(c Config) (*Client, error) {
	if c.Server == "" {
		c.Server = DefaultServer
	}
	base, err := url.Parse(strings.TrimRight(c.Server, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("server is %q: use a URL like %s", c.Server, DefaultServer)
	}
	if c.Patience == 0 {
		c.Patience = 3 * time.Second
	}
	if c.Endurance == 0 {
		c.Endurance = 10 * time.Minute
	}
	if c.Retrying == nil {
		c.Retrying = func(error, time.Duration) {}
	}
	return &Client{config: c, base: base, http: &http.Client{Transport: transport()}}, nil
}

// transport bounds what a dead network can hold up; whole transfers have a watch of their own.
func transport() http.RoundTripper {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: parallelParts + 1,
		IdleConnTimeout:     time.Minute,
		ForceAttemptHTTP2:   true,
	}
}

// Server returns the server's address, without a slash at its end.
func (c *Client) Server() string { return c.base.String() }

// callTimeout bounds one small request, answer included.
const callTimeout = 30 * time.Second

// maxAnswer bounds a JSON answer in bytes: a job of 10,000 segments takes about a megabyte.
const maxAnswer = 64 << 20

// call sends in as JSON (nil: no body) to a path below /api/v1 and decodes the answer into out (nil: ignored),
// trying again while that can help. Failures that the server explains are an *Error.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	return c.retry(ctx, c.config.Patience, func() error { return c.once(ctx, method, path, in, out) })
}

// stamina is how long a film's submission is kept up while the server can't be reached.
func (c *Client) stamina() time.Duration {
	if c.answered.Load() {
		return c.config.Endurance
	}
	return c.config.Patience
}

// once is call without another try. heads add to the request's header.
func (c *Client) once(ctx context.Context, method, path string, in, out any, heads ...func(http.Header)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, errSilent)
	defer cancel()
	body, err := encode(in)
	if err != nil {
		return err
	}
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	for _, add := range heads {
		add(req.Header)
	}
	resp, err := c.send(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c.answered.Store(true)
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("%s answers in a way that this program doesn't understand: %w", c.base.Host, err)
	}
	return nil
}

func encode(in any) (io.Reader, error) {
	if in == nil {
		return nil, nil
	}
	b, err := json.Marshal(in)
	return bytes.NewReader(b), err
}

// request makes a request to the API, with the token.
func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+"/api/v1"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.config.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.config.Token)
	}
	return req, nil
}

// objectRequest makes a request to a signed URL, which may be a path of the server. The token stays here: the
// signature is enough, and the URL may lead to another host.
func (c *Client) objectRequest(ctx context.Context, method, signed string, body io.Reader) (*http.Request, error) {
	target, err := c.base.Parse(signed)
	if err != nil {
		return nil, err
	}
	return http.NewRequestWithContext(ctx, method, target.String(), body)
}

// send returns the answer if its status is a success, else an error; then the body is closed.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		if cause := context.Cause(req.Context()); cause != nil {
			return nil, cause
		}
		lost := &unreachableError{server: c.base.String(), err: err}
		if req.URL.Host != c.base.Host {
			lost.store = req.URL.Host
		}
		return nil, lost
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, readError(resp)
}
