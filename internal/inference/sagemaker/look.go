package sagemaker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/smithy-go"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/platform"
)

// look finds out what has become of an invocation by two requests: one for the output, and by turns one for the response
// or the failure. over says that the wait is over, and err how it ended; else err is why the look failed, if it did.
func (c *Converter) look(ctx context.Context, of *call) (over bool, err error) {
	late := !c.Now().Before(c.deadline(of.ticket))
	o, err := c.Output.Head(ctx, of.request.Output)
	if err == nil {
		if _, ok := inference.Matches(o, of.request); ok {
			return true, inference.Answers(o, of.request)
		}
	} else if !errors.Is(err, platform.ErrNotFound) {
		return late, c.failed(of, late, err)
	}
	of.looks++
	if late || of.looks%2 == 1 {
		over, err = c.lookForFailure(ctx, of)
	}
	if !over && (late || of.looks%2 == 0) {
		over, err = c.lookForResponse(ctx, of)
	}
	if over {
		return true, err
	}
	return late, c.failed(of, late, err)
}

// failed is what a look without a finding ends with: nothing, unless it was the last one.
func (c *Converter) failed(of *call, late bool, err error) error {
	if !late {
		return err
	}
	nothing := fmt.Errorf("nothing came of invocation %s of the SageMaker endpoint %q within %v", of.ticket.InferenceID, c.Endpoint, c.Timeout)
	if err == nil {
		err = of.last
	}
	if err == nil {
		return nothing
	}
	return fmt.Errorf("%w; the last look for it failed: %w", nothing, err)
}

// maxFailure bounds what is read of a failure, in bytes.
const maxFailure = 64 << 10

// lookForFailure ends the wait with what SageMaker wrote about a failure.
func (c *Converter) lookForFailure(ctx context.Context, of *call) (over bool, err error) {
	key, ok := c.key(of.ticket.Failure)
	if !ok {
		return false, nil
	}
	body, _, err := c.Output.Get(ctx, key, 0, -1)
	if errors.Is(err, platform.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxFailure))
	if err != nil {
		return false, err
	}
	return true, inference.ParseFailure(text).Err()
}

// lookForResponse ends the wait when the endpoint has answered: its output must be there by then.
func (c *Converter) lookForResponse(ctx context.Context, of *call) (over bool, err error) {
	key, ok := c.key(of.ticket.Response)
	if !ok {
		return false, nil
	}
	_, err = c.Output.Head(ctx, key)
	if errors.Is(err, platform.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = inference.Published(ctx, c.Output, of.request)
	var failed *inference.FailedError
	return err == nil || errors.As(err, &failed), err
}

// invokeError says that an endpoint took no invocation. The SDK has tried again where that may help.
type invokeError struct {
	endpoint, said string
	err            error
}

func (e *invokeError) Error() string {
	return fmt.Sprintf("the SageMaker endpoint %q took no invocation: %s", e.endpoint, e.said)
}
func (e *invokeError) Unwrap() error { return e.err }

// explain puts a failed invocation into one line, in the service's own words where it has said any.
func explain(endpoint string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return &invokeError{endpoint, fmt.Sprintf("%s (%s)", api.ErrorMessage(), api.ErrorCode()), err}
	}
	return &invokeError{endpoint, err.Error(), err}
}
