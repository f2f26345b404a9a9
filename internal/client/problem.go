package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Error is an answer of the server that says why it didn't do what was asked (RFC 9457).
type Error struct {
	Status int    // HTTP status
	Detail string // for a person: what happened and what to do
	// RetryAfter is how long the server asks to wait before another try; 0 where it doesn't.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string { return e.Detail }

// statusOf returns the HTTP status of an *Error, or 0.
func statusOf(err error) int {
	var answer *Error
	if errors.As(err, &answer) {
		return answer.Status
	}
	return 0
}

// problem is the body of an application/problem+json answer.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// maxProblem bounds an error's body in bytes.
const maxProblem = 64 << 10

func readError(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = min(time.Duration(s)*time.Second, time.Hour)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err == nil {
		e.Detail = problemText(body)
	}
	if e.Detail == "" {
		e.Detail = fmt.Sprintf("%s answers %s", resp.Request.URL.Host, resp.Status)
	}
	if e.Status == http.StatusUnauthorized {
		e.Detail += " (give an API token with --token or STEREOSPOT_TOKEN)"
	}
	return e
}

// problemText returns what a problem says in one line, or "" where body is no problem.
func problemText(body []byte) string {
	var p problem
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, part := range p.Errors {
		if part.Message != "" && !strings.Contains(text, part.Message) {
			text += "; " + strings.TrimSpace(part.Location+" "+part.Message)
		}
	}
	return text
}

// unreachableError says that no answer came.
type unreachableError struct {
	server string
	err    error
}

func (e *unreachableError) Unwrap() error { return e.err }

func (e *unreachableError) Error() string {
	err := e.err
	var inner *url.Error // repeats the whole URL, signature included
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Sprintf("no answer from %s (%v): start it with `stereospot serve`, or name another with --server", e.server, err)
}
