package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// What Check puts up with: a part that doesn't answer by then isn't there.
const (
	checkFor      = 10 * time.Second
	checkAttempts = 3 // of each request
)

// Check asks every part of a deployment for something that costs nearly nothing, at the same time, and returns every
// problem joined, one line each: credentials first, for without them nothing else can be told. It takes only actions
// that every service has on what it is given.
func Check(ctx context.Context, cfg aws.Config, r Resources) error {
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("there are no AWS credentials: %s (give the task a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)", why(err))
	}
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retryer(), checkAttempts) }
	p := Connect(cfg, r)
	asked := []question{
		{"input bucket " + r.InputBucket, func() error { _, _, err := p.Input.List(ctx, "check/", "", 1); return err }},
		{"output bucket " + r.OutputBucket, func() error { _, _, err := p.Output.List(ctx, "check/", "", 1); return err }},
		{"table " + r.JobsTable, func() error { _, err := p.Jobs.Get(ctx, job.NewID(r.clock()())); return err }},
		{"table " + r.CompletionsTable, func() error { _, err := p.Completions.All(ctx, "check"); return err }},
		{"table " + r.TriggeredTable, func() error { return p.Leases.Release(ctx, "check", "check") }},
	}
	for name, q := range p.Queues {
		asked = append(asked, question{"queue " + r.QueueURLs[name], func() error { _, err := q.Depth(ctx); return err }})
	}
	slices.SortFunc(asked, func(a, b question) int { return cmp.Compare(a.of, b.of) })
	return ask(asked)
}

// question is asked of a part of a deployment.
type question struct {
	of  string
	put func() error
}

// ask puts all questions at once and returns the problems in their order.
func ask(all []question) error {
	errs := make([]error, len(all))
	var group sync.WaitGroup
	for i, q := range all {
		group.Go(func() {
			if err := q.put(); err != nil && !errors.Is(err, platform.ErrNotFound) {
				errs[i] = fmt.Errorf("%s: %s", q.of, why(err))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// why is one line for a person: what AWS says, without the SDK's account of its attempts.
func why(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return strings.TrimSuffix(fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage()), ": ")
	}
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return fmt.Sprintf("no answer within %v", checkFor)
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
