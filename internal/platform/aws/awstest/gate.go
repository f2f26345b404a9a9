package awstest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// gate stands before moto's server, which promises nothing to concurrent clients: a transaction that fails puts back
// whole tables, two receivers may get one message, two conditional writes may both win. The gate lets one request in at
// a time. A poll of a queue that would wait in there waits at the gate instead.
type gate struct {
	emulator *url.URL
	inner    http.RoundTripper
	calls    *Calls
	turn     sync.Mutex
}

func newGate(emulator *url.URL, calls *Calls) http.Handler {
	return &httputil.ReverseProxy{
		Transport: &gate{emulator: emulator, calls: calls, inner: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(emulator)
			r.Out.Host = r.In.Host // which the URLs of queues are made of
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { // mostly a client that has gone
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.calls.note(r); err != nil {
		return nil, err
	}
	switch r.Header.Get("X-Amz-Target") {
	case "AmazonSQS.ReceiveMessage":
		return g.poll(r)
	case "AmazonSQS.StartMessageMoveTask":
		return unsupported(r), nil
	}
	answer, err := g.one(r)
	if err == nil && answer.StatusCode == http.StatusInternalServerError && r.URL.Query().Get("uploadId") != "" {
		return g.unknownUpload(r, answer)
	}
	return answer, err
}

// unsupported says what moto doesn't say, but fails, of an operation that it lacks.
func unsupported(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: http.StatusBadRequest, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.sqs#UnsupportedOperation","message":"not emulated"}`)),
	}
}

// one sends a request when it is its turn. The server has the whole answer ready when its headers come.
func (g *gate) one(r *http.Request) (*http.Response, error) {
	g.turn.Lock()
	defer g.turn.Unlock()
	return g.inner.RoundTrip(r)
}

// pollInterval is how often a poll that waits looks for messages.
const pollInterval = 50 * time.Millisecond

// poll asks for messages without waiting, again and again until some come or the time that the client waits is over.
func (g *gate) poll(r *http.Request) (*http.Response, error) {
	var in map[string]any
	err := json.NewDecoder(r.Body).Decode(&in)
	if err != nil {
		return nil, err
	}
	wait, _ := in["WaitTimeSeconds"].(float64) // absent: don't wait
	in["WaitTimeSeconds"] = 0
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for end := time.Now().Add(time.Duration(wait) * time.Second); ; {
		again := r.Clone(r.Context())
		again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		answer, err := g.one(again)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return nil, err
		}
		answer.Body = io.NopCloser(bytes.NewReader(text))
		if answer.StatusCode != http.StatusOK || bytes.Contains(text, []byte(`"MessageId"`)) || !time.Now().Before(end) {
			return answer, nil
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-tick.C:
		}
	}
}

// unknownUpload replaces the server's failure with what S3 answers where there is no such upload: moto finds that out
// only when an upload's parts are listed.
func (g *gate) unknownUpload(r *http.Request, failure *http.Response) (*http.Response, error) {
	at := *g.emulator
	at.Path, at.RawQuery = r.URL.Path, url.Values{"uploadId": {r.URL.Query().Get("uploadId")}}.Encode()
	list, err := http.NewRequestWithContext(r.Context(), http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	list.Header = http.Header{"Authorization": r.Header["Authorization"]}
	listed, err := g.one(list)
	if err != nil {
		return nil, err
	}
	if listed.StatusCode != http.StatusNotFound {
		listed.Body.Close()
		return failure, nil
	}
	failure.Body.Close()
	return listed, nil
}
