package inference

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/stereospot/stereospot/internal/media"
)

// Answer is the body of what the service answers to an invocation that it has done.
type Answer struct {
	Status  string  `json:"status"` // "ok"
	Frames  int     `json:"frames"`
	Seconds float64 `json:"seconds"`
	Request string  `json:"request"`        // Request.Hash
	Content string  `json:"content"`        // SHA-256 of the output's bytes, hexadecimal
	Kept    bool    `json:"kept,omitempty"` // the output was there already
}

// OK is the Status of an Answer, failed that of a Failure.
const (
	OK     = "ok"
	failed = "error"
)

// Failure is the body of every other answer. It repeats the HTTP status, because SageMaker hands on the body alone.
type Failure struct {
	Status string `json:"status"` // "error", and first
	Code   int    `json:"code"`   // HTTP status
	Reason string `json:"reason"` // one line for people
	Kind   string `json:"kind,omitempty"`
}

// frameCount is the Kind of a failure by media.ErrFrameCount, which another way of splitting the film may mend.
const frameCount = "frame_count"

// NewFailure describes an error under an HTTP status.
func NewFailure(code int, err error) Failure {
	f := Failure{Status: failed, Code: code, Reason: oneLine(err.Error())}
	if errors.Is(err, media.ErrFrameCount) {
		f.Kind = frameCount
	}
	return f
}

// FailedError is a failure that may pass: the service or what it needs is in trouble.
type FailedError struct {
	Code   int // HTTP status; 0 where nobody said one
	Reason string
}

func (e *FailedError) Error() string { return "the inference service failed: " + e.Reason }

// Err returns the failure as what a Converter returns: a permanent *media.Error where the request or the clip is at
// fault, else a *FailedError.
func (f Failure) Err() error {
	switch f.Code {
	case http.StatusUnprocessableEntity:
		bad := &media.Error{Reason: f.Reason}
		if f.Kind == frameCount {
			bad.Err = media.ErrFrameCount
		}
		return bad
	case http.StatusBadRequest:
		return &media.Error{Reason: "the inference service refused the request: " + f.Reason}
	}
	return &FailedError{Code: f.Code, Reason: f.Reason}
}

// maxReason bounds the reasons that are taken from elsewhere, in bytes.
const maxReason = 500

// codePattern finds the status in SageMaker's words about a container, such as: Received client error (422) from primary.
var codePattern = regexp.MustCompile(`\berror \(([45][0-9]{2})\)`)

// ParseFailure reads a failure out of a text that may wrap one, quoted or not, or only speak of it, as failure objects of
// SageMaker do.
func ParseFailure(text []byte) Failure {
	s := string(text)
	for _, candidate := range []string{s, quoted(s)} {
		if f, ok := findFailure(candidate); ok {
			return f
		}
	}
	f := Failure{Status: failed, Reason: oneLine(s)}
	if m := codePattern.FindStringSubmatch(s); m != nil {
		f.Code, _ = strconv.Atoi(m[1]) // three digits
	}
	if f.Reason == "" {
		f.Reason = "no reason was given"
	}
	return f
}

// quoted returns the text of the first quoted JSON object in s, or "".
func quoted(s string) string {
	at := strings.Index(s, `"{`)
	if at < 0 {
		return ""
	}
	prefix, err := strconv.QuotedPrefix(s[at:])
	if err != nil {
		return strings.ReplaceAll(s, `\"`, `"`) // cut off, or quoted by other rules
	}
	text, _ := strconv.Unquote(prefix) // it is quoted
	return text
}

// findFailure decodes the first failure that begins somewhere in s.
func findFailure(s string) (Failure, bool) {
	const head = `{"status":"` + failed
	for at := strings.Index(s, head); at >= 0; {
		var f Failure
		err := json.NewDecoder(strings.NewReader(s[at:])).Decode(&f)
		if err == nil && f.Status == failed && f.Code >= 400 && f.Code < 600 && f.Reason != "" {
			f.Reason = oneLine(f.Reason)
			return f, true
		}
		next := strings.Index(s[at+1:], head)
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return Failure{}, false
}

// oneLine folds a text into a line of bounded length.
func oneLine(text string) string {
	line := strings.ToValidUTF8(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' }), "; "), "")
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "") + "…"
	}
	return line
}

// accept holds a service's answer against the request.
func (a Answer) accept(r Request) error {
	switch {
	case a.Status != OK:
		return &FailedError{Reason: fmt.Sprintf("it answered with the status %.80q", a.Status)}
	case a.Request != r.Hash():
		return &FailedError{Reason: "it answered another request, or has another engine than this program"}
	case a.Frames != r.Window.Frames:
		return &FailedError{Reason: fmt.Sprintf("it converted %d frames of %d", a.Frames, r.Window.Frames)}
	}
	return nil
}
