package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// resultRoutes adds what leads to a finished job's film.
func (s *Server) resultRoutes() {
	op := s.operation
	handle(s, op(jobsOwner, "get-links", http.MethodGet, "/jobs/{id}/links", "Get links to the film, for any player", http.StatusOK), s.links)
	handle(s, op(jobsOwner, "download", http.MethodGet, "/jobs/{id}/download", "Go to the film's download link", http.StatusSeeOther), s.download)
	playlist := op(jobsOwner, "get-playlist", http.MethodGet, "/jobs/{id}/playlist.m3u", "Get a playlist that opens the film in a player", http.StatusOK)
	handle(s, answering(playlist, "audio/x-mpegurl"), s.playlist)
	thumbnail := op(jobsOwner, "get-thumbnail", http.MethodGet, "/jobs/{id}/thumbnail", "Get a small picture of the result", http.StatusOK)
	huma.Register(s.api, answering(thumbnail, "image/jpeg"), s.thumbnail)
	report := op(jobsOwner, "get-report", http.MethodGet, "/jobs/{id}/report", "Get what is known of the result's depth, comfort and scenes", http.StatusOK)
	huma.Register(s.api, answering(report, "application/json"), s.published(job.ReportKey, "application/json"))
	picture := op(jobsOwner, "get-report-picture", http.MethodGet, "/jobs/{id}/report.png", "See the result's parallax over time", http.StatusOK)
	huma.Register(s.api, answering(picture, "image/png"), s.published(job.ReportPictureKey, "image/png"))
}

// published answers with an object that comes with the film.
func (s *Server) published(key func(id string) string, contentType string) func(context.Context, *JobPath) (*huma.StreamResponse, error) {
	return func(ctx context.Context, _ *JobPath) (*huma.StreamResponse, error) {
		r, o, err := s.Platform.Output.Get(ctx, key(jobOf(ctx).ID), 0, -1)
		if errors.Is(err, platform.ErrNotFound) {
			return nil, huma.Error404NotFound("there is no report: it comes with the finished film")
		}
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return streamed(r, o.Size, contentType), nil
	}
}

// streamed answers with what r holds and closes it.
func streamed(r io.ReadCloser, size int64, contentType string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer r.Close()
		ctx.SetHeader("Content-Type", contentType)
		ctx.SetHeader("Content-Length", fmt.Sprint(size))
		ctx.SetHeader("Cache-Control", "private, max-age=60")
		_, _ = io.Copy(ctx.BodyWriter(), r) // the other end may be gone
	}}
}

// answering describes an operation whose answer isn't JSON.
func answering(op huma.Operation, contentType string) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "OK", Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
	return op
}

// longestLink outlasts a long film with a pause for dinner.
const longestLink = 12 * time.Hour

// linkExpiry returns how long a link that is signed now is good.
func (s *Server) linkExpiry(ctx context.Context) time.Duration {
	if s.LinksLast == nil {
		return longestLink
	}
	return min(longestLink, s.LinksLast(ctx))
}

type linksAnswer struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Play     string    `json:"play" doc:"Plays in place; may be a path on this server"`
		Download string    `json:"download" doc:"Saves it under file_name"`
		FileName string    `json:"file_name"`
		Playlist string    `json:"playlist" doc:"A path of this API"`
		Expires  time.Time `json:"expires" doc:"When play and download end"`
	}
}

// errNoFilm refuses a link to a film that isn't done.
var errNoFilm = huma.Error409Conflict("the film isn't done: wait for the job to complete")

// signFilm returns a link to a completed job's film.
func (s *Server) signFilm(ctx context.Context, j job.Job, inline bool) (string, error) {
	if j.Status != job.Completed || j.FinalKey == "" {
		return "", errNoFilm
	}
	return s.Platform.Links.SignGet(ctx, j.FinalKey, platform.LinkOptions{Expires: s.linkExpiry(ctx), FileName: fileName(j), Inline: inline})
}

func (s *Server) links(ctx context.Context, _ *JobPath) (*linksAnswer, error) {
	j, out := jobOf(ctx), &linksAnswer{CacheControl: "no-store"}
	out.Body.FileName, out.Body.Expires = fileName(j), s.Now().Add(s.linkExpiry(ctx))
	out.Body.Playlist = apiPrefix + "/jobs/" + j.ID + "/playlist.m3u"
	var err error
	if out.Body.Play, err = s.signFilm(ctx, j, true); err != nil {
		return nil, err
	}
	out.Body.Download, err = s.signFilm(ctx, j, false)
	return out, err
}

type redirect struct {
	Location     string `header:"Location"`
	CacheControl string `header:"Cache-Control"`
}

func (s *Server) download(ctx context.Context, _ *JobPath) (*redirect, error) {
	link, err := s.signFilm(ctx, jobOf(ctx), false)
	return &redirect{Location: link, CacheControl: "no-store"}, err
}

type playlistRequest struct {
	JobPath
	base *url.URL // of this server, as its users call it
}

// Resolve implements huma.Resolver.
func (r *playlistRequest) Resolve(ctx huma.Context) []error {
	req, _ := humago.Unwrap(ctx)
	r.base = baseOf(req)
	return nil
}

// baseOf returns the root of the address that a request was sent to.
func baseOf(r *http.Request) *url.URL {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: r.Host, Path: "/"}
}

// absolute makes a link, which may be a path on this server, one that other programs can open. base is how the person
// who asks calls this server; the configured address goes before it.
func (s *Server) absolute(base *url.URL, link string) (string, error) {
	if s.PublicURL != "" {
		public, err := url.Parse(s.PublicURL)
		if err != nil {
			return "", err
		}
		base = public
	}
	u, err := base.Parse(link)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

type playlistAnswer struct {
	ContentType  string `header:"Content-Type"`
	Disposition  string `header:"Content-Disposition"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

// playlist answers with one absolute link, which needs no sign-in: players know nothing of this server. It is named as
// the film's file is, for the ending that players know.
func (s *Server) playlist(ctx context.Context, in *playlistRequest) (*playlistAnswer, error) {
	j := jobOf(ctx)
	link, err := s.signFilm(ctx, j, true)
	if err != nil {
		return nil, err
	}
	absolute, err := s.absolute(in.base, link)
	if err != nil {
		return nil, err
	}
	return &playlistAnswer{
		ContentType: "audio/x-mpegurl", Disposition: `attachment; filename="stereospot.m3u"`, CacheControl: "no-store",
		Body: fmt.Appendf(nil, "#EXTM3U\n#EXTINF:-1,%s\n%s\n", fileName(j), absolute),
	}, nil
}

type thumbnailRequest struct {
	JobPath
	Version string `query:"v" maxLength:"100" doc:"Anything: another value is another address, for browsers that keep pictures"`
}

func (s *Server) thumbnail(ctx context.Context, _ *thumbnailRequest) (*huma.StreamResponse, error) {
	r, o, err := s.Platform.Output.Get(ctx, job.PreviewKey(jobOf(ctx).ID), 0, -1)
	if errors.Is(err, platform.ErrNotFound) {
		return nil, huma.Error404NotFound("there is no picture yet: it comes with the first converted segment")
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return streamed(r, o.Size, "image/jpeg"), nil
}
