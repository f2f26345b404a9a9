package web

import (
	"context"
	"time"

	"github.com/stereospot/stereospot/internal/web/auth"
)

// Link leads out of the pages.
type Link struct{ Name, URL string }

// operatorLinks are what an administrator is shown of a job beside the rest.
func (s *Server) operatorLinks(ctx context.Context, j Job) []Link {
	who, ok := auth.From(ctx)
	if s.JobLinks == nil || !ok || !who.Admin {
		return nil
	}
	from, to := j.span(s.Now())
	return s.JobLinks(j.ID, from, to)
}

// span returns when something may have been said of a job: while it was live, and for a little while around that.
func (j Job) span(now time.Time) (from, to time.Time) {
	if !j.Status.Live() {
		now = j.UpdatedAt
	}
	return j.CreatedAt.Add(-time.Minute), now.Add(5 * time.Minute)
}
