// Package sagemakertest is a SageMaker runtime for tests: it speaks the wire protocol of InvokeEndpointAsync, fetches
// requests from S3, calls a container as SageMaker does, and writes responses and failures. Point the SDK at it by
// AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME.
package sagemakertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stereospot/stereospot/internal/inference"
)

// Behaviour is what becomes of one invocation.
type Behaviour struct {
	Mode  Mode
	After <-chan struct{} // if set, nothing happens before it is closed
}

// Mode is a kind of behaviour.
type Mode int

// The modes.
const (
	Succeed  Mode = iota // the container is called
	Fail                 // the container's instance breaks down: a failure without the container's words
	Empty                // a response without an output
	Never                // taken, and nothing comes of it
	Throttle             // refused for now
	Vanished             // refused: there is no such endpoint
)

// Call is one invocation as the endpoint receives it.
type Call struct {
	Endpoint, InferenceID string
	InputLocation         string // of the request
	Request               inference.Invocation
	Number                int // which invocation of its output it is, from 1
}

// Config says what a Runtime stands before.
type Config struct {
	S3        *s3.Client
	Endpoint  string // the only one there is
	Container string // URL of the inference service
	Bucket    string // in which responses and failures are written
	Jobs      int    // calls to the container at a time; 0 means 2
	// Behave decides what becomes of an invocation; nil lets all succeed. It may be called concurrently.
	Behave func(Call) Behaviour
}

// Where responses and failures are written.
const (
	ResponsePrefix = "sagemaker-async-responses/"
	FailurePrefix  = "sagemaker-async-failures/"
)

// Runtime answers as SageMaker's runtime does. Close it after use.
type Runtime struct {
	Config
	jobs chan struct{}
	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	mu    sync.Mutex
	calls []Call
	seen  map[string]int // invocations by output, refused ones too
}

// New returns a runtime that works until ctx ends or it is closed.
func New(ctx context.Context, c Config) *Runtime {
	if c.Jobs == 0 {
		c.Jobs = 2
	}
	r := &Runtime{Config: c, jobs: make(chan struct{}, c.Jobs), seen: map[string]int{}}
	r.ctx, r.stop = context.WithCancel(ctx)
	return r
}

// Close ends what is under way.
func (r *Runtime) Close() {
	r.stop()
	r.work.Wait()
}

// Calls returns the invocations that were taken, in their order.
func (r *Runtime) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Call(nil), r.calls...)
}

// Invocations counts the invocations that were taken, by job and segment, such as "{job_id}/3".
func (r *Runtime) Invocations() map[string]int {
	counts := map[string]int{}
	for _, c := range r.Calls() {
		counts[fmt.Sprintf("%s/%d", c.Request.JobID, c.Request.SegmentIndex)]++
	}
	return counts
}

// refusal is an error answer of the runtime.
type refusal struct {
	status        int
	code, message string
}

// ServeHTTP implements http.Handler.
func (r *Runtime) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	call, refused := r.receive(req)
	var behaviour Behaviour
	if refused == nil {
		behaviour, refused = r.behave(&call)
	}
	w.Header().Set("Content-Type", "application/json")
	if refused != nil {
		w.Header().Set("X-Amzn-ErrorType", refused.code)
		w.WriteHeader(refused.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": refused.message}) // the client may be gone
		return
	}
	id := rand.Text()
	response, failure := ResponsePrefix+id+".out", FailurePrefix+id+"-error.out"
	r.work.Go(func() { r.process(call, behaviour, response, failure) })
	w.Header().Set("X-Amzn-SageMaker-OutputLocation", inference.ObjectURI(r.Bucket, response))
	w.Header().Set("X-Amzn-SageMaker-FailureLocation", inference.ObjectURI(r.Bucket, failure))
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]string{"InferenceId": call.InferenceID}) // the client may be gone
}

// receive reads an invocation off the wire.
func (r *Runtime) receive(req *http.Request) (Call, *refusal) {
	invalid := func(format string, args ...any) (Call, *refusal) {
		return Call{}, &refusal{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
	}
	name, isInvocation := strings.CutSuffix(strings.TrimPrefix(req.URL.Path, "/endpoints/"), "/async-invocations")
	if req.Method != http.MethodPost || !isInvocation {
		return Call{}, &refusal{http.StatusNotFound, "UnknownOperationException", req.Method + " " + req.URL.Path}
	}
	header := func(name string) string { return req.Header.Get("X-Amzn-SageMaker-" + name) }
	call := Call{Endpoint: name, InferenceID: header("Inference-Id"), InputLocation: header("InputLocation")}
	if name != r.Endpoint {
		return invalid("Endpoint %s of account 123456789012 not found.", name)
	}
	if call.InferenceID == "" || len(call.InferenceID) > 64 {
		return invalid("Value at 'inferenceId' failed to satisfy constraint: length between 1 and 64")
	}
	if !between(header("InvocationTimeoutSeconds"), 1, 3600) || !between(header("RequestTTLSeconds"), 60, 21600) {
		return invalid("Value at 'invocationTimeoutSeconds' or 'requestTTLSeconds' failed to satisfy constraint")
	}
	body, err := r.fetch(req.Context(), call.InputLocation)
	if err != nil {
		return invalid("Could not read %s: %v", call.InputLocation, err)
	}
	if err := json.Unmarshal(body, &call.Request); err != nil {
		return invalid("this fake wants an invocation: %v", err)
	}
	return call, nil
}

func between(text string, low, high int) bool {
	var n int
	_, err := fmt.Sscanf(text, "%d", &n)
	return err == nil && n >= low && n <= high
}

// behave numbers the call, and refuses it or writes it down.
func (r *Runtime) behave(c *Call) (Behaviour, *refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[c.Request.OutputURI]++
	c.Number = r.seen[c.Request.OutputURI]
	var b Behaviour
	if r.Behave != nil {
		b = r.Behave(*c)
	}
	switch b.Mode {
	case Throttle:
		return b, &refusal{http.StatusBadRequest, "ThrottlingException", "Rate exceeded"}
	case Vanished:
		return b, &refusal{http.StatusBadRequest, "ValidationError", "Endpoint " + c.Endpoint + " of account 123456789012 not found."}
	}
	r.calls = append(r.calls, *c)
	return b, nil
}

// process does what SageMaker does behind the queue of an endpoint.
func (r *Runtime) process(c Call, b Behaviour, response, failure string) {
	select {
	case r.jobs <- struct{}{}:
		defer func() { <-r.jobs }()
	case <-r.ctx.Done():
		return
	}
	if b.After != nil {
		select {
		case <-b.After:
		case <-r.ctx.Done():
			return
		}
	}
	switch b.Mode {
	case Succeed:
		r.call(c, response, failure)
	case Empty:
		r.write(response, []byte(`{"status":"ok"}`))
	case Fail:
		r.write(failure, []byte("Model container failed to respond: the instance was replaced."))
	}
}

// call sends the request to the container, and writes what it says.
func (r *Runtime) call(c Call, response, failure string) {
	body, err := r.fetch(r.ctx, c.InputLocation)
	if err != nil {
		r.write(failure, fmt.Appendf(nil, "Could not read %s: %v", c.InputLocation, err))
		return
	}
	status, said, err := r.post(body)
	switch {
	case err != nil:
		r.write(failure, fmt.Appendf(nil, "Model container failed to respond: %v", err))
	case status == http.StatusOK:
		r.write(response, said)
	default:
		whose := "client"
		if status >= 500 {
			whose = "server"
		}
		r.write(failure, fmt.Appendf(nil, "Received %s error (%d) from primary with message %q. See the endpoint's log for more information.", whose, status, said))
	}
}

func (r *Runtime) post(body []byte) (status int, said []byte, err error) {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, r.Container+"/invocations", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	said, err = io.ReadAll(res.Body)
	return res.StatusCode, said, err
}

func (r *Runtime) fetch(ctx context.Context, uri string) ([]byte, error) {
	at, err := inference.ParseLocation(uri)
	if err != nil {
		return nil, err
	}
	out, err := r.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &at.Bucket, Key: &at.Key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// write publishes an object. A store that is out of order loses it, as it would lose SageMaker's.
func (r *Runtime) write(key string, body []byte) {
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	_, _ = r.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.Bucket, Key: &key, Body: bytes.NewReader(body)})
}
