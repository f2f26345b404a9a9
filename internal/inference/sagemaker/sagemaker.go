// Package sagemaker has segments converted by an asynchronous endpoint of SageMaker: it leaves the request as an object,
// invokes the endpoint, and waits until the output is there.
//
// What SageMaker writes lies in the output bucket: responses under sagemaker-async-responses/, failures under
// sagemaker-async-failures/. Requests lie beside them, under sagemaker-async-requests/, where no notification listens.
package sagemaker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/platform"
)

// Runtime is the part of SageMaker's runtime that is used.
//
// Action: sagemaker:InvokeEndpointAsync.
type Runtime interface {
	InvokeEndpointAsync(context.Context, *sagemakerruntime.InvokeEndpointAsyncInput, ...func(*sagemakerruntime.Options)) (*sagemakerruntime.InvokeEndpointAsyncOutput, error)
}

// Store is the output bucket: a part of platform.Objects, to the same contract.
type Store interface {
	inference.Reader
	inference.Writer
	Delete(ctx context.Context, keys ...string) error
}

// Config is what a Converter works with. All fields but the pace are required.
type Config struct {
	Runtime             Runtime
	Endpoint            string
	InputName, OutName  string // of the buckets
	Output              Store
	Timeout             time.Duration // from an invocation to its output, the wait in SageMaker's queue included
	LookFirst, LookMost time.Duration // shortest and longest time between looks at an invocation; 2 and 30 seconds
	Log                 *slog.Logger
	Now                 func() time.Time
}

// Converter has an endpoint convert. Any number of conversions may be under way: each costs a goroutine that waits, and
// one loop looks for what has become of all of them.
type Converter struct {
	Config
	watch *watch
}

var _ inference.Converter = (*Converter)(nil)

// New returns a converter.
func New(c Config) *Converter {
	if c.LookFirst <= 0 {
		c.LookFirst = 2 * time.Second
	}
	if c.LookMost <= 0 {
		c.LookMost = 30 * time.Second
	}
	converter := &Converter{Config: c}
	converter.watch = newWatch(converter)
	return converter
}

// Convert implements inference.Converter; progress is not told of. An invocation that an earlier attempt has paid for is
// waited for instead of another one. When ctx ends it returns at once, and the invocation goes on.
func (c *Converter) Convert(ctx context.Context, r inference.Request, _ func(int)) (inference.Result, error) {
	if err := r.Complete(); err != nil {
		return inference.Result{}, err
	}
	t, err := c.running(ctx, r)
	if err != nil {
		return inference.Result{}, err
	}
	if t == nil {
		if t, err = c.invoke(ctx, r); err != nil {
			return inference.Result{}, err
		}
	}
	err = c.watch.await(ctx, r, *t)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return inference.Result{}, cause // the ticket stays for whoever comes next
	}
	if err := c.settle(ctx, r, *t, err); err != nil {
		return inference.Result{}, err
	}
	return inference.Result{Frames: r.Window.Frames, Seconds: c.Now().Sub(t.Invoked).Seconds()}, nil
}

// invoke leaves the request where the endpoint reads it, invokes the endpoint, and notes down that it did.
func (c *Converter) invoke(ctx context.Context, r inference.Request) (*ticket, error) {
	request := inference.Invoke(r, inference.ObjectURI(c.InputName, r.Input), inference.ObjectURI(c.OutName, r.Output))
	if err := c.put(ctx, requestKey(r), request); err != nil {
		return nil, fmt.Errorf("request of segment %d: %w", r.Index, err)
	}
	t := &ticket{Endpoint: c.Endpoint, Invoked: c.Now(), InferenceID: inferenceID(r, c.Now())}
	out, err := c.Runtime.InvokeEndpointAsync(ctx, &sagemakerruntime.InvokeEndpointAsyncInput{
		EndpointName: &c.Endpoint, InferenceId: &t.InferenceID, ContentType: aws.String("application/json"),
		InputLocation:            aws.String(inference.ObjectURI(c.OutName, requestKey(r))),
		InvocationTimeoutSeconds: seconds(c.Timeout, 1, longestInvocation), RequestTTLSeconds: seconds(c.Timeout, shortestTTL, longestTTL),
	})
	if err != nil {
		return nil, explain(c.Endpoint, err)
	}
	t.Response, t.Failure = aws.ToString(out.OutputLocation), aws.ToString(out.FailureLocation)
	// It is paid for: that is noted down even if nobody waits any longer.
	note, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	if err := c.put(note, ticketKey(r), t); err != nil {
		c.Log.WarnContext(ctx, "an invocation wasn't noted down: should this process die, it is paid for twice", "job_id", r.JobID, "segment", r.Index, "error", err)
	}
	return t, nil
}

// Bounds of SageMaker's API, in seconds.
const (
	longestInvocation = 3600
	shortestTTL       = 60
	longestTTL        = 21600
)

func seconds(d time.Duration, least, most int) *int32 {
	return aws.Int32(int32(min(max(int(d.Seconds()), least), most)))
}

// noteTime bounds what is written down although nobody waits for it.
const noteTime = 10 * time.Second

// put writes v as a JSON object that expires with the segments.
func (c *Converter) put(ctx context.Context, key string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.Output.Put(ctx, key, bytes.NewReader(body), platform.PutOptions{
		ContentType: "application/json", Tags: map[string]string{"stereospot:expire": "segment"},
	})
	return err
}

// settle removes what an invocation has left behind: after a success all of it, after a failure the ticket, so that the
// next attempt invokes anew. err is returned as it is.
func (c *Converter) settle(ctx context.Context, r inference.Request, t ticket, err error) error {
	if err != nil {
		return errors.Join(err, c.Output.Delete(ctx, ticketKey(r)))
	}
	keys := []string{requestKey(r), ticketKey(r)}
	if key, ok := c.key(t.Response); ok {
		keys = append(keys, key)
	}
	if err := c.Output.Delete(ctx, keys...); err != nil {
		c.Log.WarnContext(ctx, "requests were left behind; they expire", "job_id", r.JobID, "segment", r.Index, "error", err)
	}
	return nil
}

// key returns the key of an address in the output bucket.
func (c *Converter) key(uri string) (string, bool) {
	at, err := inference.ParseLocation(uri)
	return at.Key, err == nil && at.Bucket == c.OutName
}
