package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/stereospot/stereospot/internal/platform"
)

const (
	briefAnswer  = 10 * time.Second // for an answer, and for a connection to move on
	briefTries   = 4                // where a connection is refused, breaks, or has no address
	briefBackoff = 2 * time.Second
)

// Brief is an option of Load for whoever asks on behalf of a caller that can ask again: what can't be reached is given up
// after about ten seconds. What is written is tried longer, because the work for it is done by then.
func Brief(o *config.LoadOptions) error {
	o.HTTPClient = httpClient(briefAnswer)
	o.Retryer = func() aws.Retryer { return brief{retryer()} }
	return nil
}

// brief is a retryer that gives up sooner on what can't be reached.
type brief struct{ aws.Retryer }

// RetryDelay implements aws.Retryer. attempt counts those that have failed; an error ends them.
func (b brief) RetryDelay(attempt int, err error) (time.Duration, error) {
	delay, failed := b.Retryer.RetryDelay(attempt, err)
	if failed != nil || !unreachable(err) {
		return delay, failed
	}
	if attempt >= briefTries || reads(err) && isTimeout(err) {
		return 0, err
	}
	return min(delay, briefBackoff), nil
}

// reads reports whether a request that wasn't answered would have changed nothing.
func reads(err error) bool {
	var sent *url.Error
	return errors.As(err, &sent) && (sent.Op == "Get" || sent.Op == "Head")
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// unreachable reports whether a request had no answer, or none to its end, though somebody waited for it.
func unreachable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	return errors.As(err, new(*smithyhttp.RequestSendError)) || errors.As(err, new(net.Error)) || errors.Is(err, io.ErrUnexpectedEOF)
}

// unavailable returns a platform.ErrUnavailable where err says that a service can't be reached or doesn't work, else nil.
func unavailable(err error) error {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && (response.HTTPStatusCode() >= 500 || response.HTTPStatusCode() == http.StatusTooManyRequests) {
		return fmt.Errorf("%w: %w", platform.ErrUnavailable, err)
	}
	if !unreachable(err) {
		return nil
	}
	if sent := new(url.Error); errors.As(err, &sent) {
		err = sent.Err // without the SDK's account of how it came to that
	}
	return fmt.Errorf("%w: %w", platform.ErrUnavailable, err)
}

// body is an object's content on its way.
type body struct {
	io.ReadCloser
	key string
}

// Read implements io.Reader.
func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = named(b.key, err)
	}
	return n, err
}

// watched is a connection that fails when nothing has moved on it for so long: TCP alone waits for ever for an end that
// has vanished.
type watched struct {
	net.Conn
	patience time.Duration
}

// Read implements net.Conn.
func (w watched) Read(p []byte) (int, error) {
	if err := w.SetDeadline(time.Now().Add(w.patience)); err != nil {
		return 0, err
	}
	return w.Conn.Read(p)
}

// Write implements net.Conn. An answer is waited for, too, for as long as the request moves.
func (w watched) Write(p []byte) (int, error) {
	if err := w.SetDeadline(time.Now().Add(w.patience)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

// watch has a transport's connections watched, and leaves none idle until the watch ends it.
func watch(t *http.Transport, patience time.Duration) {
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return watched{c, patience}, nil
	}
	t.IdleConnTimeout = patience / 2
}
