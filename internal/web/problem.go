package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
)

// problem turns an error into problem details: this is the one place where errors get an HTTP status. What nobody
// foresaw is logged and kept from the answer.
func (s *Server) problem(ctx context.Context, err error) huma.StatusError {
	var known huma.StatusError
	if errors.As(err, &known) {
		return known
	}
	if refused := new(pipeline.RefusedError); errors.As(err, &refused) {
		return huma.Error409Conflict(refused.Error())
	}
	if unusable := new(media.Error); errors.As(err, &unusable) {
		return huma.Error422UnprocessableEntity(unusable.Reason)
	}
	switch {
	case errors.Is(err, platform.ErrNotFound):
		return huma.Error404NotFound("there is no such thing here: look at the list again, it may have been removed")
	case errors.Is(err, platform.ErrBadToken):
		return huma.Error400BadRequest("the page token is not one of ours: take next from the list's last answer, or start at the first page")
	case errors.Is(err, platform.ErrFull):
		return huma.NewError(http.StatusInsufficientStorage, platform.ErrFull.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return huma.Error503ServiceUnavailable("the request was cut short: try again")
	}
	s.Log.ErrorContext(ctx, "request failed", "err", err, "job_id", jobOf(ctx).ID)
	return huma.Error500InternalServerError("the server failed and has logged why: try again, and tell its operator if it stays so")
}

// writeProblem answers with err where no handler can return it.
func (s *Server) writeProblem(ctx huma.Context, err error) {
	p := s.problem(ctx.Context(), err)
	_ = huma.WriteErr(s.api, ctx, p.GetStatus(), p.Error()) // the other end may be gone
}

// plainProblem says in the detail what is wrong with which field, for people who see nothing else.
func plainProblem(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok || len(e.Errors) == 0 {
		return v, nil
	}
	var parts []string
	for _, d := range e.Errors {
		if d != nil {
			parts = append(parts, strings.TrimSpace(d.Location+": "+d.Message))
		}
	}
	plain := *e
	plain.Detail = "correct this and send it again: " + strings.TrimPrefix(strings.Join(parts, "; "), ": ")
	return &plain, nil
}
