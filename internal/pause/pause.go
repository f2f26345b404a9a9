// Package pause waits without outliving whoever waits.
package pause

import (
	"context"
	"time"
)

// For waits for d, and returns nil, or for the end of ctx, and returns its cause.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
