// Package webhook tells people's own servers that a job has ended: each event once with an id, signed, tried again
// until it is taken.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// Headers of a delivery.
const (
	// HeaderID names the event; every attempt to deliver it has the same.
	HeaderID = "Stereospot-Event-Id"
	// HeaderSignature is "t=" and the seconds since the epoch, then ",v1=" and the hexadecimal HMAC-SHA256, by the
	// server's webhook secret, of those seconds, a full stop and the body.
	HeaderSignature = "Stereospot-Signature"
)

// secretName is the platform secret that signs deliveries.
const secretName = "webhook"

// Times of delivery.
const (
	lookEvery   = 2 * time.Second
	claimFor    = time.Minute // a claimer that dies delays its notices by it; more than timeout
	timeout     = 20 * time.Second
	firstRetry  = 10 * time.Second
	longestWait = 6 * time.Hour
	maxAttempts = 17 // in about a day and a half
	atOnce      = 8
	recordTime  = 10 * time.Second // for writing down how a delivery went
)

// Body is what is delivered, as JSON.
type Body struct {
	ID      string     `json:"id"`    // of the event
	Event   string     `json:"event"` // job.completed, job.failed, job.cancelled
	Created time.Time  `json:"created"`
	Job     JobSummary `json:"job"`
}

// JobSummary is what a delivery says of its job. Links are made by asking the API.
type JobSummary struct {
	ID          string     `json:"id"`
	Title       string     `json:"title"`
	Status      job.Status `json:"status"`
	Reason      string     `json:"reason,omitempty"`
	Warnings    []string   `json:"warnings,omitempty"`
	CompletedAt *time.Time `json:"completed_at,omitempty"`
}

// Options shape a Sender.
type Options struct {
	AllowPrivate bool // deliver to addresses on this machine and its network too
	Log          *slog.Logger
	Now          func() time.Time
	LookEvery    time.Duration // between looks at the outbox; 0 is two seconds
}

// Sender delivers the outbox's notices.
type Sender struct {
	Options
	outbox platform.Outbox
	secret []byte
	client *http.Client
}

// New returns a Sender. Its signatures are by the key that Secret returns.
func New(ctx context.Context, outbox platform.Outbox, secrets platform.Secrets, o Options) (*Sender, error) {
	secret, err := Secret(ctx, secrets)
	if err != nil {
		return nil, err
	}
	if o.LookEvery <= 0 {
		o.LookEvery = lookEvery
	}
	return &Sender{Options: o, outbox: outbox, secret: []byte(secret), client: newClient(o.AllowPrivate)}, nil
}

// Secret returns the text that signs deliveries; receivers must know it.
func Secret(ctx context.Context, secrets platform.Secrets) (string, error) {
	key, err := secrets.Secret(ctx, secretName)
	return "whsec_" + hex.EncodeToString(key), err
}

// Run delivers until ctx ends.
func (s *Sender) Run(ctx context.Context) error {
	defer s.client.CloseIdleConnections()
	tick := time.NewTicker(s.LookEvery)
	defer tick.Stop()
	for {
		if err := s.deliverAll(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("webhooks can't be read or recorded", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// deliverAll tries everything that is due, a few at a time.
func (s *Sender) deliverAll(ctx context.Context) error {
	for {
		notices, err := s.outbox.Claim(ctx, atOnce, claimFor)
		if err != nil || len(notices) == 0 {
			return err
		}
		errs := make([]error, len(notices))
		var all sync.WaitGroup
		for i, n := range notices {
			all.Go(func() { errs[i] = s.settle(ctx, n) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
}

// settle tries one notice and records how it went: also when ctx has ended meanwhile, unless that is why it failed.
func (s *Sender) settle(ctx context.Context, n platform.Notice) error {
	log := s.Log.With("job_id", n.Job.ID, "event_id", n.ID, "attempt", n.Attempts)
	err := s.deliver(ctx, n)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	final := new(refusedError)
	switch {
	case err == nil:
		log.Info("webhook delivered")
	case errors.As(err, &final), n.Attempts >= maxAttempts:
		log.Warn("webhook given up", "err", err)
	default:
		log.Warn("webhook not taken, trying again", "err", err)
		return s.outbox.Postpone(ctx, n.ID, backOff(n.Attempts))
	}
	return s.outbox.Settle(ctx, n.ID)
}

// backOff doubles from firstRetry up to longestWait.
func backOff(attempts int) time.Duration {
	return min(longestWait, firstRetry<<min(max(attempts-1, 0), 20))
}

// refusedError says that a URL is one that nothing is ever delivered to.
type refusedError struct{ why string }

func (e *refusedError) Error() string { return e.why }

// deliver makes one attempt. Any 2xx answer takes the event.
func (s *Sender) deliver(ctx context.Context, n platform.Notice) error {
	body, err := json.Marshal(bodyOf(n))
	if err != nil {
		return err
	}
	if err := CheckURL(n.Job.Webhook); err != nil {
		return &refusedError{err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Job.Webhook, bytes.NewReader(body))
	if err != nil {
		return &refusedError{err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "StereoSpot")
	req.Header.Set(HeaderID, n.ID)
	req.Header.Set(HeaderSignature, Sign(s.secret, s.Now(), body))
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again; nobody reads it
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the receiver answered %s", resp.Status)
	}
	return nil
}

func bodyOf(n platform.Notice) Body {
	b := Body{ID: n.ID, Event: "job." + string(n.Job.Status), Created: n.Created.UTC(), Job: JobSummary{
		ID: n.Job.ID, Title: n.Job.Title, Status: n.Job.Status, Reason: n.Job.Reason, Warnings: n.Job.Warnings,
	}}
	if t := n.Job.CompletedAt; !t.IsZero() {
		b.Job.CompletedAt = &t
	}
	return b
}

// Sign returns the HeaderSignature of a body sent at t.
func Sign(secret []byte, t time.Time, body []byte) string {
	seconds := strconv.FormatInt(t.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
