package infra

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// wire speaks the JSON protocol of AWS for operations that the emulator lacks: each has a function from the request's
// fields to the answer's. A failure is a field __type.
type wire struct {
	t          *testing.T
	mu         sync.Mutex
	operations map[string]func(in fields) fields
	calls      []string
}

type fields = map[string]any

// newWire returns it with a configuration that reaches it.
func newWire(t *testing.T, operations map[string]func(fields) fields) (*wire, aws.Config) {
	w := &wire{t: t, operations: operations}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return w, aws.Config{
		Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// ServeHTTP implements http.Handler.
func (w *wire) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	operation, known := w.operations[name]
	body, err := io.ReadAll(r.Body)
	var in fields
	if err != nil || !known || json.Unmarshal(body, &in) != nil {
		w.t.Errorf("%s isn't faked (%v)", name, err)
		http.Error(out, name, http.StatusNotImplemented)
		return
	}
	w.calls = append(w.calls, name)
	answer := operation(in)
	out.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if answer["__type"] != nil {
		out.WriteHeader(http.StatusBadRequest)
	}
	if err := json.NewEncoder(out).Encode(answer); err != nil {
		w.t.Error(err)
	}
}

// called reports whether an operation was asked for.
func (w *wire) called(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.calls, name)
}

// watching returns a Watch that looks at once and collects what it is told.
func watching(t *testing.T) (Watch, *strings.Builder) {
	var said strings.Builder
	return Watch{Every: time.Millisecond, Patience: time.Minute, Say: func(s string) { said.WriteString(s + "\n"); t.Log(s) }}, &said
}
