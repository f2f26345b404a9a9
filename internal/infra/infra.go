// Package infra is what an operator does to a deployment on AWS beside Terraform: the file of its names, the password of
// its registry, its secrets, new versions of its services and of its inference endpoint.
//
// Functions that wait take a Watch, which says how long and to whom they report. Nothing here prints a secret.
package infra

import (
	"context"
	"fmt"
	"time"
)

// Watch says how a change to a deployment is waited for.
type Watch struct {
	Every    time.Duration // time between two looks
	Patience time.Duration // after which it counts as failed
	Say      func(string)  // told each step in a sentence
}

func (w Watch) sayf(format string, args ...any) { w.Say(fmt.Sprintf(format, args...)) }

// until looks again and again until look says that it is done or fails. Its error is ctx's when that ends first, or says
// that patience ran out.
func (w Watch) until(ctx context.Context, look func(context.Context) (done bool, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.Patience, fmt.Errorf("not done after %v", w.Patience))
	defer cancel()
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		done, err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case done || err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
