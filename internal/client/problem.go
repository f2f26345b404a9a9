package client

import (
	"encoding/json"
	"encoding/xml"
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
	// Code is S3's name of what went wrong, where a bucket answered; empty elsewhere.
	Code string
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
	if said := (bucketError{}); e.Detail == "" && xml.Unmarshal(body, &said) == nil {
		e.Code, e.Detail = said.Code, said.Message
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

// bucketError is the body of S3's error answers.
type bucketError struct {
	XMLName xml.Name `xml:"Error"`
	Code    string   `xml:"Code"`
	Message string   `xml:"Message"`
}

// passing reports whether a bucket's refusal says that the link, not the request, was wrong, or the moment: then a link
// that is signed anew may do.
func (e *Error) passing() bool {
	switch e.Code {
	case "ExpiredToken", "RequestTimeout", "RequestTimeTooSkewed", "InternalError", "SlowDown":
		return true
	}
	return e.Code == "AccessDenied" && strings.Contains(e.Detail, "expired")
}

// unreachableError says that no answer came.
type unreachableError struct {
	server string
	store  string // host that a link leads to, where it isn't the server
	err    error
}

func (e *unreachableError) Unwrap() error { return e.err }

func (e *unreachableError) Error() string {
	err := e.err
	var inner *url.Error // repeats the whole URL, signature included
	if errors.As(err, &inner) {
		err = inner.Err
	}
	if e.store != "" {
		return fmt.Sprintf("no answer from %s, where the films are kept (%v)", e.store, err)
	}
	return fmt.Sprintf("no answer from %s (%v): start it with `stereospot serve`, or name another with --server", e.server, err)
}
