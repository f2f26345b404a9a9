package web

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stereospot/stereospot/internal/platform"
)

// errorView is a page that says what went wrong and what to do.
type errorView struct {
	Status          int
	Heading, Detail string
	Again           bool // whether asking again may help
}

// errorPage writes an error page, or its sentence alone where htmx asked.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, status int, detail string) {
	e := errorView{Status: status, Detail: sentence(detail), Again: status >= 500 && r.Method == http.MethodGet}
	switch {
	case status == http.StatusNotFound:
		e.Heading = "There is nothing here"
		e.Detail = "The film may have been removed, or the address has a typing error. Look for it in the list of films."
	case status == http.StatusForbidden:
		e.Heading = "This isn't open to you"
	case status == http.StatusConflict:
		e.Heading = "That isn't possible now"
	case status == http.StatusInsufficientStorage:
		e.Heading = "The disk is full"
	case status >= 500:
		e.Heading = "Something broke here"
	default:
		e.Heading = "That didn't work"
	}
	if err := s.show(w, r, status, "error", shell{Title: e.Heading, Body: e}); err != nil {
		s.Log.ErrorContext(r.Context(), "error page failed", "err", err)
		http.Error(w, e.Detail, status)
	}
}

// sentence gives an error's text a capital and a full stop.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return ended(string(unicode.ToUpper(first)) + text[size:])
}

// ended gives a text a full stop where it has none.
func ended(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?") {
		return text
	}
	return text + "."
}

// nowhere answers every address that nothing else does.
func (s *Server) nowhere(http.ResponseWriter, *http.Request) error { return platform.ErrNotFound }
