package aws

import (
	"context"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/middleware"
)

// CountRequests has every request counted that is sent with a configuration, repetitions too: each is paid for.
func CountRequests(n *atomic.Int64) func(*config.LoadOptions) error {
	count := middleware.FinalizeMiddlewareFunc("CountRequests", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		n.Add(1)
		return next.HandleFinalize(ctx, in)
	})
	return config.WithAPIOptions([]func(*middleware.Stack) error{
		func(s *middleware.Stack) error { return s.Finalize.Add(count, middleware.After) }, // behind the SDK's own repetition
	})
}
