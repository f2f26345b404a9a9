package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/routes"
)

// What a caller who is answered 503 is told to wait. Its next request waits here again: for a place, or for the store.
const (
	retryAfter      = 2 * time.Second
	retryStoreAfter = 10 * time.Second
)

// statusGone is logged and counted when the caller went away before the answer; nobody reads it.
const statusGone = 499

// ping says whether a job could be taken.
func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	trouble := s.ready()
	switch {
	case s.isDraining():
		writeFailure(w, http.StatusServiceUnavailable, errStopping)
	case len(s.places) == cap(s.places):
		writeFailure(w, http.StatusServiceUnavailable, errFull)
	case trouble != nil:
		writeFailure(w, http.StatusServiceUnavailable, trouble)
	default:
		writeJSON(w, http.StatusOK, map[string]any{"status": inference.OK, "free": cap(s.places) - len(s.places), "depth": s.depth()})
	}
}

func (s *Server) ready() error {
	if s.Ready == nil {
		return nil
	}
	return s.Ready()
}

// depth names the best depth that could be computed at once.
func (s *Server) depth() string {
	if s.Depth == nil {
		return job.Classic
	}
	return cmp.Or(s.Depth(), job.Classic)
}

// version names the program, its engine and its depth.
func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"version": s.Version, "engine": inference.EngineVersion, "depth": s.depth()})
}

// invocations converts one segment and answers when it is published. The work ends when the caller goes away.
func (s *Server) invocations(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	in, err := readInvocation(w, r)
	var answer inference.Answer
	if err == nil {
		answer, err = s.place(r.Context(), in)
	}
	status := statusOf(err)
	if r.Context().Err() != nil {
		status = statusGone
	}
	s.counted.observe(status, answer, time.Since(begin))
	s.logInvocation(r.Context(), in, status, answer, time.Since(begin), err)
	if err != nil {
		writeFailure(w, status, err)
		return
	}
	writeJSON(w, status, answer)
}

// readFor bounds how long a caller may take to send a request.
const readFor = 30 * time.Second

func readInvocation(w http.ResponseWriter, r *http.Request) (inference.Invocation, error) {
	conn := http.NewResponseController(w)
	err := conn.SetReadDeadline(time.Now().Add(readFor))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return inference.Invocation{}, err
	}
	// From then on the connection is only watched for its end, for as long as the work takes.
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }() // it was set before
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, inference.MaxInvocation))
	if err != nil {
		return inference.Invocation{}, &inference.RefusedError{Reason: fmt.Sprintf("the request can't be read: %v", err)}
	}
	return inference.ParseInvocation(body)
}

// place finds the invocation a place and does it there.
func (s *Server) place(ctx context.Context, in inference.Invocation) (inference.Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.hard, func() { cancel(errStopping) })()
	p, err := s.resolve(in)
	if err != nil {
		return inference.Answer{}, err
	}
	if err := s.enter(ctx); err != nil {
		return inference.Answer{}, err
	}
	defer s.leave()
	answer, err := s.answer(ctx, p)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // which work that was cut off words in many ways
	}
	return answer, err
}

// statusOf is the HTTP status for an error of an invocation: the one place that decides.
func statusOf(err error) int {
	var refused *inference.RefusedError
	var bad *media.Error
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &refused), errors.Is(err, platform.ErrNotFound), errors.Is(err, platform.ErrBadKey), errors.Is(err, platform.ErrForbidden):
		return http.StatusBadRequest
	case errors.Is(err, inference.ErrContent):
		return http.StatusConflict
	case errors.Is(err, errFull), errors.Is(err, errStopping), errors.As(err, new(*LaterError)), isFull(err), errors.Is(err, platform.ErrUnavailable):
		return http.StatusServiceUnavailable
	case errors.As(err, &bad) && !bad.Transient:
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// stray answers a request that is meant for something else.
func (s *Server) stray(w http.ResponseWriter, r *http.Request) {
	allowed := routes.Allowed(s.routes, r)
	if len(allowed) == 0 {
		writeFailure(w, http.StatusNotFound, errNothingHere)
		return
	}
	methods := strings.Join(allowed, ", ")
	w.Header().Set("Allow", methods)
	writeFailure(w, http.StatusMethodNotAllowed, fmt.Errorf("%s takes %s", r.URL.Path, methods))
}

// errNothingHere says what there is.
var errNothingHere = errors.New("nothing is at this address: use GET /ping, POST /invocations, GET /version or GET /metrics")

// isFull reports whether the disk had no room.
func isFull(err error) bool {
	return errors.Is(err, platform.ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// writeFailure answers with a reason.
func writeFailure(w http.ResponseWriter, status int, err error) {
	if status == http.StatusServiceUnavailable {
		wait := retryAfter
		if errors.Is(err, platform.ErrUnavailable) {
			wait = retryStoreAfter
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}
	writeJSON(w, status, inference.NewFailure(status, err))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"status":"error","code":500,"reason":"the answer can't be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the other end may be gone
}

// logInvocation writes one line for an invocation.
func (s *Server) logInvocation(ctx context.Context, in inference.Invocation, status int, a inference.Answer, took time.Duration, err error) {
	attrs := []any{"job_id", in.JobID, "segment", in.SegmentIndex, "status", status, "took", took.Round(time.Millisecond).String()}
	switch {
	case err == nil:
		s.Log.InfoContext(ctx, "segment converted", append(attrs, "frames", a.Frames, "kept", a.Kept)...)
	case status == http.StatusServiceUnavailable || status == statusGone:
		s.Log.InfoContext(ctx, "invocation not done", append(attrs, "error", err)...)
	default:
		attrs = append(attrs, "error", err)
		if fault := new(clip.Fault); errors.As(err, &fault) {
			attrs = append(attrs, "stack", fault.Stack())
		}
		s.Log.WarnContext(ctx, "invocation failed", attrs...)
	}
}

// panicError is a panic of a conversion, as an error.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// calm turns a panic of do into an error: one bad clip must not end the conversions beside it.
func (s *Server) calm(ctx context.Context, do func() (inference.Result, error)) (res inference.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			p := &panicError{v, debug.Stack()}
			s.Log.ErrorContext(ctx, "a conversion panicked", "panic", v, "stack", string(p.stack))
			err = p
		}
	}()
	return do()
}
