package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web/auth"
	"github.com/stereospot/stereospot/internal/webhook"
)

// jobRoutes adds what can be asked of jobs themselves.
func (s *Server) jobRoutes() {
	op := s.operation
	handle(s, op(anyone, "create-job", http.MethodPost, "/jobs", "Make a job", http.StatusCreated), s.createJob)
	handle(s, op(anyone, "list-jobs", http.MethodGet, "/jobs", "List jobs, newest first", http.StatusOK), s.listJobs)
	handle(s, op(jobsOwner, "show-job", http.MethodGet, "/jobs/{id}", "Show a job", http.StatusOK), s.showJob)
	handle(s, op(jobsOwner, "change-job", http.MethodPatch, "/jobs/{id}", "Change a job before it is started", http.StatusOK), s.changeJob)
	handle(s, op(jobsOwner, "remove-job", http.MethodDelete, "/jobs/{id}", "Remove a job and all its files", http.StatusAccepted), s.removeJob)
	handle(s, op(jobsOwner, "start-job", http.MethodPost, "/jobs/{id}/start", "Start the conversion", http.StatusOK), s.startJob)
	handle(s, op(jobsOwner, "cancel-job", http.MethodPost, "/jobs/{id}/cancel", "Stop a job", http.StatusOK), s.cancelJob)
	handle(s, op(jobsOwner, "retry-job", http.MethodPost, "/jobs/{id}/retry", "Do again what is missing of a failed or cancelled job", http.StatusOK), s.retryJob)
}

// JobPath names a job in a path.
type JobPath struct {
	ID string `path:"id" doc:"The job's id"`
}

// jobAnswer is one job.
type jobAnswer struct{ Body Job }

type createRequest struct {
	Key  string `header:"Idempotency-Key" doc:"A UUIDv7 of the caller's, which becomes the job's id: the same request again, with it, finds the job that the first one made"`
	Body struct {
		Title   string       `json:"title" minLength:"1" doc:"Name of the film's file"`
		Size    int64        `json:"size,omitempty" minimum:"0" doc:"The source's size in bytes, if it is known"`
		Options optionsPatch `json:"options,omitempty" doc:"What is left out has its default"`
		Start   bool         `json:"start,omitempty" doc:"Convert as soon as the source is whole"`
		Webhook string       `json:"webhook,omitempty" maxLength:"2000" doc:"An http(s) URL that is told how the job ended"`
	}
}

func (s *Server) createJob(ctx context.Context, in *createRequest) (*jobAnswer, error) {
	p, _ := auth.From(ctx)
	if in.Key != "" {
		if made, err := s.madeBefore(ctx, p.Owner, in.Key); err != nil || made != nil {
			return made, err
		}
	}
	title, err := s.cleanTitle(in.Body.Title)
	if err != nil {
		return nil, err
	}
	options, err := s.applyOptions(defaultOptions(), in.Body.Options)
	if err != nil {
		return nil, err
	}
	if err := s.checkSize(in.Body.Size); err != nil {
		return nil, err
	}
	if in.Body.Webhook != "" {
		if err := webhook.CheckURL(in.Body.Webhook); err != nil {
			return nil, huma.Error422UnprocessableEntity(err.Error())
		}
	}
	if err := s.checkWaiting(ctx, p.Owner); err != nil {
		return nil, err
	}
	now := s.Now()
	j := job.Job{
		ID: cmp.Or(in.Key, job.NewID(now)), Owner: p.Owner, Title: title, Status: job.Created, Options: options,
		SourceSize: in.Body.Size, Webhook: in.Body.Webhook, CreatedAt: now, UpdatedAt: now,
	}
	if in.Body.Start {
		j.StartedAt = now
	}
	err = s.Platform.Jobs.Create(ctx, j)
	if errors.Is(err, platform.ErrExists) && in.Key != "" { // by the same request, at the same time
		return s.madeBefore(ctx, p.Owner, in.Key)
	}
	if err != nil {
		return nil, err
	}
	s.Log.InfoContext(ctx, "job made", "job_id", j.ID, "owner", j.Owner, "title", j.Title, "format", string(options.Format), "bytes", j.SourceSize)
	return s.answer(ctx, j.ID)
}

// madeBefore returns the job that an owner's earlier request has made by the same key, or nil.
func (s *Server) madeBefore(ctx context.Context, owner, key string) (*jobAnswer, error) {
	if !job.ValidID(key) {
		return nil, huma.Error422UnprocessableEntity("Idempotency-Key is no UUIDv7 in lower case: make a new one for each job, or leave it out")
	}
	j, err := s.Platform.Jobs.Get(ctx, key)
	switch {
	case errors.Is(err, platform.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case j.Owner != owner:
		return nil, huma.Error409Conflict("another job has this Idempotency-Key for its id: make a new one")
	}
	return s.answer(ctx, key)
}

// cleanTitle makes a person's file name one line of printable text.
func (s *Server) cleanTitle(title string) (string, error) {
	title = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(title, " ")))
	if title == "" || len(title) > s.Limits.TitleBytes || !utf8.ValidString(title) {
		return "", huma.Error422UnprocessableEntity(fmt.Sprintf("give a title of 1 to %d bytes", s.Limits.TitleBytes))
	}
	return title, nil
}

func (s *Server) checkSize(size int64) error {
	if size > s.Limits.UploadBytes {
		return huma.Error422UnprocessableEntity(fmt.Sprintf("the film has %d bytes and this server takes up to %d: make it smaller, or ask its operator", size, s.Limits.UploadBytes))
	}
	return nil
}

// checkWaiting refuses an owner who has too many jobs that don't run yet.
func (s *Server) checkWaiting(ctx context.Context, owner string) error {
	list, next, err := s.Platform.Jobs.List(ctx, platform.JobQuery{
		Owner: owner, Statuses: []job.Status{job.Created}, Limit: s.Limits.WaitingJobs,
	})
	if err != nil {
		return err
	}
	if next != "" || len(list) >= s.Limits.WaitingJobs {
		return huma.Error429TooManyRequests(fmt.Sprintf("%d jobs wait already: let some finish or remove some, then try again", len(list)))
	}
	return nil
}

type listRequest struct {
	State  string `query:"state" enum:"live,completed,failed,cancelled,all" default:"all"`
	Search string `query:"search" maxLength:"200" doc:"Part of the title, any case"`
	Token  string `query:"token" maxLength:"500" doc:"The next of the answer before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

type listAnswer struct {
	Body struct {
		Jobs []Job  `json:"jobs"`
		Next string `json:"next,omitempty" doc:"The token of the next page; absent at the end"`
	}
}

// statusesOf returns the statuses of a list's state; none means all.
func statusesOf(state string) []job.Status {
	switch state {
	case "live":
		return []job.Status{job.Created, job.ChunkingInProgress, job.ChunkingComplete, job.Reassembling, job.Deleting}
	case "completed", "failed", "cancelled":
		return []job.Status{job.Status(state)}
	}
	return nil
}

func (s *Server) listJobs(ctx context.Context, in *listRequest) (*listAnswer, error) {
	jobs, next, err := s.jobViews(ctx, platform.JobQuery{Statuses: statusesOf(in.State), Search: in.Search, Token: in.Token, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &listAnswer{}
	out.Body.Jobs, out.Body.Next = jobs, next
	return out, nil
}

// jobViews lists what the asking person may see. q.Owner is set here.
func (s *Server) jobViews(ctx context.Context, q platform.JobQuery) ([]Job, string, error) {
	p, ok := auth.From(ctx)
	if !ok {
		return nil, "", platform.ErrNotFound
	}
	q.Owner = p.Scope()
	list, next, err := s.Platform.Jobs.List(ctx, q)
	if err != nil {
		return nil, "", err
	}
	views := make([]Job, 0, len(list))
	for _, j := range list {
		v, err := s.jobView(ctx, j)
		if err != nil {
			return nil, "", err
		}
		v.Segments = nil
		views = append(views, v)
	}
	return views, next, nil
}

// answer shows a job as it is now.
func (s *Server) answer(ctx context.Context, id string) (*jobAnswer, error) {
	j, err := s.Platform.Jobs.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	v, err := s.jobView(ctx, j)
	return &jobAnswer{Body: v}, err
}

func (s *Server) showJob(ctx context.Context, _ *JobPath) (*jobAnswer, error) {
	v, err := s.jobView(ctx, jobOf(ctx))
	return &jobAnswer{Body: v}, err
}

type changeRequest struct {
	JobPath
	Body struct {
		Title   *string      `json:"title,omitempty"`
		Options optionsPatch `json:"options,omitempty" doc:"Only what is named changes"`
	}
}

func (s *Server) changeJob(ctx context.Context, in *changeRequest) (*jobAnswer, error) {
	return s.change(ctx, in.ID, in.Body.Title, in.Body.Options)
}

// change writes what a person may change while the job isn't started.
func (s *Server) change(ctx context.Context, id string, title *string, options optionsPatch) (*jobAnswer, error) {
	_, err := s.Platform.Jobs.Update(ctx, id, func(j *job.Job) (err error) {
		if j.Status != job.Created || !j.StartedAt.IsZero() {
			return huma.Error409Conflict("the job has been started and can't be changed any more: make a new one")
		}
		if title != nil {
			if j.Title, err = s.cleanTitle(*title); err != nil {
				return err
			}
		}
		j.UpdatedAt = s.Now()
		j.Options, err = s.applyOptions(j.Options, options)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, id)
}

func (s *Server) removeJob(ctx context.Context, in *JobPath) (*struct{}, error) {
	return nil, s.Actions.Remove(ctx, in.ID)
}

type startRequest struct {
	JobPath
	Body *struct {
		Options optionsPatch `json:"options,omitempty" doc:"Only what is named changes"`
	} `required:"false"`
}

func (s *Server) startJob(ctx context.Context, in *startRequest) (*jobAnswer, error) {
	if in.Body != nil && len(in.Body.Options) > 0 {
		if _, err := s.change(ctx, in.ID, nil, in.Body.Options); err != nil {
			return nil, err
		}
	}
	return s.act(ctx, in.ID, s.Actions.Start)
}

func (s *Server) cancelJob(ctx context.Context, in *JobPath) (*jobAnswer, error) {
	return s.act(ctx, in.ID, s.Actions.Cancel)
}

func (s *Server) retryJob(ctx context.Context, in *JobPath) (*jobAnswer, error) {
	return s.act(ctx, in.ID, s.Actions.Retry)
}

func (s *Server) act(ctx context.Context, id string, action func(context.Context, string) error) (*jobAnswer, error) {
	if err := action(ctx, id); err != nil {
		return nil, err
	}
	return s.answer(ctx, id)
}
