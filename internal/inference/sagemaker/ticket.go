package sagemaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/platform"
)

// ticket says that a request's conversion was asked for and is being paid for. It lies beside the request, so that a
// worker that takes over from a dead one waits instead of asking again.
type ticket struct {
	Endpoint    string    `json:"endpoint"`
	InferenceID string    `json:"inference_id"`
	Invoked     time.Time `json:"invoked"`
	Response    string    `json:"response"` // where SageMaker writes the answer: an s3:// address
	Failure     string    `json:"failure"`  // or the failure
}

// requestPrefix is where requests lie in the output bucket.
const requestPrefix = "sagemaker-async-requests/"

// base is the beginning of the keys of all that belongs to a request: the same for every attempt at it.
func base(r inference.Request) string {
	return fmt.Sprintf("%s%s/%05d-%s", requestPrefix, r.JobID, r.Index, r.Hash()[:16])
}

func requestKey(r inference.Request) string { return base(r) + ".json" }
func ticketKey(r inference.Request) string  { return base(r) + ".ticket" }

// inferenceID names one invocation in SageMaker's logs.
func inferenceID(r inference.Request, at time.Time) string {
	return fmt.Sprintf("%05d-%s-%s", r.Index, r.Hash()[:16], strconv.FormatInt(at.UnixMilli(), 36))
}

// maxTicket bounds a ticket, in bytes.
const maxTicket = 16 << 10

// running returns the ticket of an invocation that may still bring the output, or nil.
func (c *Converter) running(ctx context.Context, r inference.Request) (*ticket, error) {
	body, _, err := c.Output.Get(ctx, ticketKey(r), 0, -1)
	if errors.Is(err, platform.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxTicket))
	if err != nil {
		return nil, err
	}
	t := &ticket{}
	if err := json.Unmarshal(text, t); err != nil || t.Endpoint != c.Endpoint || !c.Now().Before(c.deadline(*t)) {
		return nil, nil // another endpoint's, or nothing comes of it any more
	}
	return t, nil
}

// deadline is when nothing more is expected of an invocation.
func (c *Converter) deadline(t ticket) time.Time { return t.Invoked.Add(c.Timeout) }
