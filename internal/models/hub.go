package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DefaultEndpoint is the hub's address.
const DefaultEndpoint = "https://huggingface.co"

// Hub is where models come from.
type Hub struct {
	Endpoint string // address without a path
	Token    string // sent to the endpoint's host alone; empty is none
	// TokenFrom says where the token comes from, for people; empty is HF_TOKEN.
	TokenFrom string
	Client    *http.Client
	// Retry hears of every attempt that failed for a reason that may pass, and of the pause before the next one; nil
	// tells nobody.
	Retry func(err error, next time.Duration)
	// Endless has it try again without end. Otherwise five attempts without progress are the end.
	Endless bool
	// Silence is how long a connection may bring nothing before it counts as broken; 0 is a minute.
	Silence time.Duration
	// Wait pauses before another attempt; nil waits for real.
	Wait func(ctx context.Context, d time.Duration) error
}

// HubFromEnvironment returns the hub that HF_ENDPOINT and HF_TOKEN name.
func HubFromEnvironment() (*Hub, error) {
	h := &Hub{Endpoint: DefaultEndpoint, Token: strings.TrimSpace(os.Getenv("HF_TOKEN"))} // files and secrets end with a line feed
	if endpoint := os.Getenv("HF_ENDPOINT"); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, fmt.Errorf("HF_ENDPOINT is %q: use an address such as %s", endpoint, DefaultEndpoint)
		}
		h.Endpoint = strings.TrimSuffix(endpoint, "/")
	}
	return h, nil
}

// remote is what a hub says of a file.
type remote struct {
	sha256 string // hexadecimal
	size   int64
	commit string // of the repository; "" where the hub doesn't say
}

var sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (h *Hub) url(m Model, kind string) string {
	return fmt.Sprintf("%s/%s/%s/%s/%s", h.Endpoint, m.Repo, kind, m.Revision, m.File)
}

// client is h.Client with redirects that keep the token at home.
func (h *Hub) client(follow bool) *http.Client {
	c := http.Client{}
	if h.Client != nil {
		c = *h.Client
	}
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("the hub redirects in circles")
		}
		if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
			return fmt.Errorf("the hub redirects to %s, which isn't encrypted", r.URL.Host)
		}
		elsewhere := r.URL.Host != via[0].URL.Host
		if elsewhere {
			r.Header.Del("Authorization")
		}
		if elsewhere && !follow {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &c
}

// do sends a request. Everything but success, a redirect and a refused range is an error for people.
func (h *Hub) do(ctx context.Context, method, address string, follow bool, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "stereospot")
	r.Header.Set("Accept-Encoding", "identity") // sizes and ranges are of the file itself
	for k, v := range header {
		r.Header[k] = v
	}
	if h.Token != "" {
		r.Header.Set("Authorization", "Bearer "+h.Token)
	}
	res, err := h.client(follow).Do(r)
	if silent := new(transientError); err != nil && errors.As(context.Cause(ctx), &silent) {
		return nil, silent
	}
	if err != nil {
		return nil, &transientError{err: fmt.Errorf("%s can't be reached: %w", r.URL.Host, errors.Unwrap(err))}
	}
	if res.StatusCode < 400 {
		return res, nil
	}
	res.Body.Close()
	return nil, h.refusal(res)
}

// transientError may be gone at the next attempt.
type transientError struct {
	err   error
	after time.Duration // what the hub asks to wait; 0 where it doesn't
}

func (e *transientError) Error() string { return e.err.Error() }
func (e *transientError) Unwrap() error { return e.err }

// errRange says that the hub has no such part of the file.
var errRange = errors.New("the hub has no such part of the file")

// refusal puts a status into words.
func (h *Hub) refusal(res *http.Response) error {
	where := res.Request.URL.Host
	switch code := res.StatusCode; {
	case code == http.StatusRequestedRangeNotSatisfiable:
		return errRange
	case code == http.StatusUnauthorized && h.Token == "":
		return fmt.Errorf("%s wants to know who asks: set HF_TOKEN to a token with read access", where)
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%s doesn't accept the token in %s: make a new one with read access", where, h.tokenFrom())
	case code == http.StatusForbidden:
		return fmt.Errorf("%s refuses access: accept the model's terms on its page there, with the account that the token in %s belongs to", where, h.tokenFrom())
	case code == http.StatusNotFound:
		return fmt.Errorf("%s has no such file: %s", where, res.Request.URL.Path)
	case code == http.StatusTooManyRequests || code >= 500:
		return &transientError{fmt.Errorf("%s is busy (%s)", where, res.Status), retryAfter(res.Header)}
	}
	return fmt.Errorf("%s answers %s", where, res.Status)
}

func (h *Hub) tokenFrom() string { return cmp.Or(h.TokenFrom, "HF_TOKEN") }

// retryAfter reads how long the hub asks to wait, at most five minutes.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), 5*time.Minute)
}

// impatient returns ctx that ends with a *transientError when the hub is silent, unless heard is called meanwhile.
func (h *Hub) impatient(ctx context.Context) (_ context.Context, heard, end func()) {
	patience := cmp.Or(h.Silence, time.Minute)
	ctx, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(patience, func() {
		cancel(&transientError{err: fmt.Errorf("%s has sent nothing for %v", h.Endpoint, patience)})
	})
	return ctx, func() { watch.Reset(patience) }, func() { watch.Stop(); cancel(nil) }
}

// describe asks the hub for a file's hash and size.
func (h *Hub) describe(ctx context.Context, m Model) (remote, error) {
	ctx, _, end := h.impatient(ctx)
	defer end()
	res, err := h.do(ctx, http.MethodHead, h.url(m, "resolve"), false, nil)
	if err != nil {
		return remote{}, err
	}
	res.Body.Close()
	r := remote{sha256: tag(res.Header.Get("X-Linked-Etag")), commit: res.Header.Get("X-Repo-Commit"), size: -1}
	if r.size, err = strconv.ParseInt(res.Header.Get("X-Linked-Size"), 10, 64); err != nil {
		r.size = -1
	}
	if sha256Pattern.MatchString(r.sha256) && r.size > 0 {
		return r, nil
	}
	pointer, err := h.pointer(ctx, m)
	pointer.commit = r.commit
	return pointer, err
}

// tag is an entity tag's text.
func tag(header string) string { return strings.Trim(strings.TrimPrefix(header, "W/"), `"`) }

// pointer reads the file's Git LFS pointer, which mirrors that don't pass on the hub's headers have too.
func (h *Hub) pointer(ctx context.Context, m Model) (remote, error) {
	res, err := h.do(ctx, http.MethodGet, h.url(m, "raw"), true, nil)
	if err != nil {
		return remote{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1024))
	if err != nil {
		return remote{}, &transientError{err: err}
	}
	r, ok := parsePointer(string(text))
	if !ok {
		return remote{}, fmt.Errorf("%s doesn't say which SHA-256 %s has: nothing was fetched", h.Endpoint, m.File)
	}
	return r, nil
}

// parsePointer reads a Git LFS pointer (https://git-lfs.github.com/spec/v1).
func parsePointer(text string) (r remote, ok bool) {
	r.size = -1
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "oid":
			r.sha256 = strings.TrimPrefix(value, "sha256:")
		case "size":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				r.size = n
			}
		}
	}
	return r, sha256Pattern.MatchString(r.sha256) && r.size > 0
}

// fetch appends the rest of a file to f, which holds have bytes, and calls wrote after every piece.
func (h *Hub) fetch(ctx context.Context, m Model, size, have int64, f io.Writer, wrote func(n int)) error {
	ctx, heard, end := h.impatient(ctx)
	defer end()
	header := http.Header{}
	if have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	res, err := h.do(ctx, http.MethodGet, h.url(m, "resolve"), true, header)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if have > 0 && !continues(res, have) {
		return errRange
	}
	piece := make([]byte, 1<<18)
	for have < size {
		n, err := res.Body.Read(piece)
		heard()
		if n > 0 {
			n = int(min(int64(n), size-have))
			if _, err := f.Write(piece[:n]); err != nil {
				return err
			}
			have += int64(n)
			wrote(n)
		}
		if err != nil && have < size {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return &transientError{err: fmt.Errorf("the connection to %s broke: %w", res.Request.URL.Host, err)}
		}
	}
	return nil
}

// continues reports whether an answer is the part of the file from byte have on.
func continues(res *http.Response, have int64) bool {
	return res.StatusCode == http.StatusPartialContent && strings.HasPrefix(res.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have))
}
