package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web/auth"
)

const apiPrefix = "/api/v1"

// access says who may call an operation.
type access string

// The kinds of access. The OpenAPI document tells each operation's in accessExtension.
const (
	anyone     access = "anyone"    // who is known to the server; they see their own things
	jobsOwner  access = "job owner" // of the job in the path, or an admin; for others the job doesn't exist
	adminsOnly access = "admin"
)

const accessExtension = "x-access"

// newAPI returns the JSON API, which answers on mux.
func (s *Server) newAPI(mux *http.ServeMux) huma.API {
	c := huma.DefaultConfig("StereoSpot", s.Version)
	c.Info.Description = "Turns 2D video into stereoscopic 3D. Errors are problem details (RFC 9457) whose detail says what to do."
	c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", nil // the built-in pages load scripts from elsewhere
	c.RejectUnknownQueryParameters = true
	c.Transformers = []huma.Transformer{plainProblem}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token, made on the page or by POST /tokens."},
		"session": {Type: "apiKey", In: "cookie", Name: "stereospot_session", Description: "Set by signing in on the page."},
	}
	c.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	return humago.New(mux, c)
}

// operation describes an operation below the API's prefix. A path that names a job as {id} is its owner's alone.
func (s *Server) operation(who access, id, method, path, summary string, status int) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: apiPrefix + path, Summary: summary, DefaultStatus: status,
		MaxBodyBytes: s.Limits.BodyBytes,
		Extensions:   map[string]any{accessExtension: string(who)},
		Errors:       []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}
	if who == jobsOwner {
		op.Middlewares = huma.Middlewares{s.requireJob}
	}
	if who == adminsOnly {
		op.Middlewares = huma.Middlewares{s.requireAdmin}
	}
	return op
}

// handle registers an operation. Errors become problem details in one place.
func handle[I, O any](s *Server, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		if op.Method != http.MethodGet {
			s.hub.Poke() // those who watch see it at once
		}
		return out, nil
	})
}

type jobKey struct{}

// requireJob finds the job that the path names and refuses those who may not know of it.
func (s *Server) requireJob(ctx huma.Context, next func(huma.Context)) {
	j, err := s.visibleJob(ctx.Context(), ctx.Param("id"))
	if err != nil {
		s.writeProblem(ctx, err)
		return
	}
	next(huma.WithValue(ctx, jobKey{}, j))
}

// visibleJob returns a job that the asking person may see; platform.ErrNotFound otherwise.
func (s *Server) visibleJob(ctx context.Context, id string) (job.Job, error) {
	p, ok := auth.From(ctx)
	if !ok || !job.ValidID(id) {
		return job.Job{}, platform.ErrNotFound
	}
	j, err := s.Platform.Jobs.Get(ctx, id)
	if err == nil && !p.Sees(j.Owner) {
		return job.Job{}, platform.ErrNotFound
	}
	return j, err
}

// jobOf returns the job that requireJob found.
func jobOf(ctx context.Context) job.Job {
	j, _ := ctx.Value(jobKey{}).(job.Job)
	return j
}

// requireAdmin refuses everybody else.
func (s *Server) requireAdmin(ctx huma.Context, next func(huma.Context)) {
	if p, ok := auth.From(ctx.Context()); !ok || !p.Admin {
		s.writeProblem(ctx, huma.Error403Forbidden("only an administrator may do this: sign in as one"))
		return
	}
	next(ctx)
}
