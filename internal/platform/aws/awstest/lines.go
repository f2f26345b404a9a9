package awstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Line is a bad line to one service of an emulator: connections through it are slow, short or cut, and the service at
// its end breaks down, as its methods say. Safe for concurrent use.
type Line struct {
	variable string // by which the SDK is told of it
	proxy    *toxiproxy.Proxy
	front    *httptest.Server
	inner    http.Handler
	opened   atomic.Int64 // connections that have come through

	mu            sync.Mutex
	refuse        int     // requests that are still to be answered by a failure
	refused, lost float64 // shares of requests, of any
	failures      int     // that were answered
}

// Lines returns a line to each service that the platform stands on, which last as long as the emulator.
func (e *Emulator) Lines() ([]*Line, error) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics write to a log that nobody can choose
	var lines []*Line
	for _, variable := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_DYNAMODB"} {
		l, err := newLine(variable, e.front.Config.Handler)
		if err != nil {
			return nil, err
		}
		e.lines, lines = append(e.lines, l), append(lines, l)
	}
	return lines, nil
}

func newLine(variable string, inner http.Handler) (*Line, error) {
	l := &Line{variable: variable, inner: inner}
	l.front = httptest.NewUnstartedServer(l)
	l.front.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			l.opened.Add(1)
		}
	}
	l.front.Start()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l.proxy = toxiproxy.NewProxy(server, variable, "127.0.0.1:0", l.front.Listener.Addr().String())
	if err := l.proxy.Start(); err != nil {
		l.front.Close()
		return nil, err
	}
	return l, nil
}

func (l *Line) close() {
	l.proxy.Stop()
	l.front.CloseClientConnections()
	l.front.Close()
}

// Env is the environment variable that leads the SDK through the line.
func (l *Line) Env() string { return l.variable + "=http://" + l.proxy.Listen }

// Toxic is what spoils a line, by toxiproxy's names: latency, bandwidth, limit_data, reset_peer …
type Toxic struct {
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`   // upstream or downstream
	Toxicity   float64        `json:"toxicity"` // the share of connections that it takes
	Attributes map[string]any `json:"attributes"`
}

// Spoil lets a toxic into the line, until Clear.
func (l *Line) Spoil(t Toxic) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = l.proxy.Toxics.AddToxicJson(bytes.NewReader(text))
	return err
}

// Clear ends what Spoil and Break began.
func (l *Line) Clear(ctx context.Context) {
	l.proxy.Toxics.ResetToxics(ctx)
	l.Break(0, 0)
}

// Opened counts the connections that have come through.
func (l *Line) Opened() int64 { return l.opened.Load() }

// Refuse has the next n requests answered by a failure of the service.
func (l *Line) Refuse(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse += n
}

// Break has shares of the requests fail: refused ones do nothing, and lost ones are done although a failure is answered.
func (l *Line) Break(refused, lost float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused, l.lost = refused, lost
}

// Failures counts the requests that were answered by a failure.
func (l *Line) Failures() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures
}

// ServeHTTP implements http.Handler.
func (l *Line) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fails, done := l.fate()
	switch {
	case !fails:
		l.inner.ServeHTTP(w, r)
		return
	case done:
		l.inner.ServeHTTP(httptest.NewRecorder(), r)
	}
	if strings.HasSuffix(l.variable, "_S3") {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprint(w, `{"__type":"InternalServerError","message":"The request could not be processed."}`)
}

// fate decides what becomes of a request: whether a failure is answered, and whether it is done all the same.
func (l *Line) fate() (fails, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	dice := rand.Float64()
	switch {
	case l.refuse > 0:
		l.refuse--
	case dice < l.refused:
	case dice < l.refused+l.lost:
		done = true
	default:
		return false, false
	}
	l.failures++
	return true, done
}
