package inference

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/pause"
)

// HTTP has an inference service convert. Each conversion holds one connection until it is done.
type HTTP struct {
	url      string
	exchange Exchange
	limits   Limits
	client   *http.Client
}

var _ Converter = (*HTTP)(nil)

// Limits are an HTTP's times. The zero value of each is its default.
type Limits struct {
	Timeout time.Duration // for one conversion, waits included; 1 hour
	// Unreachable is for how long a service that doesn't answer is tried again before the conversion fails; 30 seconds.
	Unreachable time.Duration
	Pause       time.Duration // before the first such attempt, doubled with each; half a second
}

// NewHTTP returns a client of the service at a URL.
func NewHTTP(serviceURL string, exchange Exchange, l Limits) *HTTP {
	l.Timeout, l.Unreachable, l.Pause = orElse(l.Timeout, time.Hour), orElse(l.Unreachable, 30*time.Second), orElse(l.Pause, 500*time.Millisecond)
	// A machine that has vanished is noticed within a minute and a half, however long the work takes.
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 4}}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}
	return &HTTP{
		url: strings.TrimSuffix(serviceURL, "/"), exchange: exchange, limits: l,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Convert implements Converter; progress is not told of. While the service has no place it is asked again, as it says.
// The error is an *media.Error where the request or the clip is at fault.
func (h *HTTP) Convert(ctx context.Context, r Request, _ func(int)) (_ Result, err error) {
	if err := r.Complete(); err != nil {
		return Result{}, err
	}
	begin := time.Now()
	timeout := fmt.Errorf("the inference service at %s did not convert the segment within %v", h.url, h.limits.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, h.limits.Timeout, timeout)
	defer cancel()
	offer, err := h.exchange.Offer(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, offer.Close()) }()
	input, output := offer.URIs()
	body, err := json.Marshal(Invoke(r, input, output))
	if err != nil {
		return Result{}, err
	}
	answer, err := h.insist(ctx, body)
	if err != nil {
		return Result{}, err
	}
	if err := answer.accept(r); err != nil {
		return Result{}, err
	}
	return Result{Frames: answer.Frames, Seconds: time.Since(begin).Seconds(), Content: answer.Content}, offer.Accept(ctx, answer)
}

// insist sends the invocation until it is answered, waiting where the service has no place, and for Unreachable at most
// where it doesn't answer at all.
func (h *HTTP) insist(ctx context.Context, body []byte) (Answer, error) {
	next := h.limits.Pause
	var silent time.Time // since when the service hasn't answered
	for {
		answer, wait, err := h.send(ctx, body)
		var gone *unreachableError
		switch {
		case err == nil && wait == 0:
			return answer, nil
		case ctx.Err() != nil:
			return Answer{}, context.Cause(ctx)
		case err == nil:
			silent, next = time.Time{}, h.limits.Pause
		case !errors.As(err, &gone):
			return Answer{}, err
		default:
			if silent.IsZero() {
				silent = gone.since
			}
			if time.Since(silent) >= h.limits.Unreachable {
				return Answer{}, err
			}
			wait, next = next, 2*next
		}
		if err := pause.For(ctx, wait); err != nil {
			return Answer{}, err
		}
	}
}

// unreachableError says that the service didn't answer, or that its answer broke off.
type unreachableError struct {
	url   string
	since time.Time // when the connection failed
	err   error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("the inference service at %s doesn't answer: %v", e.url, e.err)
}
func (e *unreachableError) Unwrap() error { return e.err }

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// send sends the invocation once. wait > 0 says that the service has no place, and asks to wait that long.
func (h *HTTP) send(ctx context.Context, body []byte) (a Answer, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/invocations", bytes.NewReader(body))
	if err != nil {
		return a, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := h.client.Do(req)
	if err != nil {
		return a, 0, &unreachableError{h.url, time.Now(), bare(err)}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return a, 0, &unreachableError{h.url, time.Now(), bare(err)}
	}
	switch res.StatusCode {
	case http.StatusOK:
		if err := json.Unmarshal(text, &a); err != nil {
			return a, 0, &FailedError{Reason: fmt.Sprintf("what answers at %s is no inference service: %v", h.url, err)}
		}
		return a, 0, nil
	case http.StatusServiceUnavailable:
		if ParseFailure(text).Code == res.StatusCode {
			return a, retryAfter(res.Header), nil
		}
		return a, 0, &unreachableError{h.url, time.Now(), errNoService} // a proxy's word
	}
	return a, 0, h.failure(res.StatusCode, text)
}

var errNoService = errors.New("503 Service Unavailable")

// failure returns the error that an answer stands for. Only a service's own words make it permanent: proxies and
// servers of another kind have statuses, too.
func (h *HTTP) failure(status int, text []byte) error {
	if f := ParseFailure(text); f.Code == status {
		return f.Err()
	}
	return &FailedError{Code: status, Reason: fmt.Sprintf("%s answered %d %s", h.url, status, http.StatusText(status))}
}

// bare drops the address from an error that is told with it anyway.
func bare(err error) error {
	if u := new(url.Error); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Bounds of the wait that a service asks for.
const (
	leastWait = 100 * time.Millisecond
	mostWait  = time.Minute
)

// retryAfter reads a Retry-After header in seconds; without a good one it is a second. What was refused together doesn't
// come back together.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > int(mostWait.Seconds()) {
		seconds = 1
	}
	wait := max(time.Duration(seconds)*time.Second, leastWait)
	return wait + rand.N(wait/2)
}
