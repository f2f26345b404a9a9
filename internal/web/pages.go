package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/web/static"
)

// pages adds what a person's browser asks for. Everything that changes something goes through the same functions as
// the JSON API.
func (s *Server) pages(mux *http.ServeMux) {
	mux.Handle("GET "+static.Prefix, s.views.files)
	mux.Handle("GET /{$}", s.page(s.dashboard))
	mux.Handle("GET /jobs/new", s.page(s.newFilm))
	mux.Handle("GET /jobs/{id}", s.page(s.film))
	mux.Handle("GET /jobs/{id}/card", s.page(s.filmCard))
	mux.Handle("GET /jobs/{id}/progress", s.page(s.filmProgress))
	mux.Handle("GET /jobs/{id}/play", s.page(s.play))
	mux.Handle("POST /jobs/{id}/{action}", s.page(s.filmAction))
	mux.Handle("GET /settings", s.page(s.settings))
	mux.Handle("POST /settings/tokens", s.page(s.makeToken))
	mux.Handle("POST /settings/tokens/{id}/remove", s.page(s.revokeToken))
	mux.Handle("POST /settings/queues/{queue}/{action}", s.page(s.deadLetterAction))
	mux.Handle(nowherePattern, s.page(s.nowhere))
}

// nowherePattern is of the addresses that have no page.
const nowherePattern = "GET /"

// pageHandler answers a browser, or returns why it can't.
type pageHandler func(http.ResponseWriter, *http.Request) error

// page shows a handler's error as a page that says what to do.
func (s *Server) page(h pageHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			p := s.problem(aboutJob(r), err)
			s.errorPage(w, r, p.GetStatus(), p.Error())
		}
	})
}

// aboutJob returns the request's context with the job that its path names, for the log.
func aboutJob(r *http.Request) context.Context {
	if !strings.HasPrefix(r.URL.Path, "/jobs/") {
		return r.Context()
	}
	return context.WithValue(r.Context(), jobKey{}, job.Job{ID: r.PathValue("id")})
}

// fragment reports whether htmx asks, for a part of a page.
func fragment(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }
