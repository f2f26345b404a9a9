package platform

import (
	"context"
	"time"

	"github.com/stereospot/stereospot/internal/job"
)

// Notice is a job's arrival at a terminal status that its Webhook has yet to hear of.
type Notice struct {
	ID       string    // unique to the event, the same on every attempt
	Job      job.Job   // the row as it was written at that moment
	Created  time.Time // when the job got there
	Attempts int       // how often Claim has given it out, this time included
}

// Outbox holds the notices still to be delivered. Jobs.Update adds one in the very write that moves a job with a
// Webhook to a terminal status from another one, so no crash loses or doubles it. Safe for concurrent use by many
// processes.
type Outbox interface {
	// Claim gives out up to limit notices whose time has come, oldest first, and hides them for ttl: a claimer
	// that dies delays its notices by it.
	Claim(ctx context.Context, limit int, ttl time.Duration) ([]Notice, error)
	// Postpone hides a claimed notice for delay from now. An unknown one is no error.
	Postpone(ctx context.Context, id string, delay time.Duration) error
	// Settle drops a notice that was delivered or given up. An unknown one is no error.
	Settle(ctx context.Context, id string) error
}
