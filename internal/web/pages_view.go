package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/stereospot/stereospot/internal/web/auth"
	"github.com/stereospot/stereospot/internal/web/static"
)

//go:embed templates/*.html
var templateFiles embed.FS

// views are the pages' templates, each with everything it refers to.
type views struct {
	pages map[string]*template.Template
	files *static.Files
}

// newViews parses the templates. now tells how long ago things were.
func newViews(now func() time.Time) (*views, error) {
	files, err := static.Open()
	if err != nil {
		return nil, err
	}
	base, err := template.New("").Funcs(template.FuncMap{
		"asset":    files.URL,
		"bytes":    byteWords,
		"ago":      func(t time.Time) string { return agoWords(now(), t) },
		"action":   newButton,
		"sentence": sentence,
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/pictures.html", "templates/list.html")
	if err != nil {
		return nil, err
	}
	v := &views{pages: map[string]*template.Template{}, files: files}
	for _, name := range []string{"dashboard", "draft", "job", "play", "login", "settings", "docs", "error"} {
		own, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if v.pages[name], err = own.ParseFS(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// shell is what every page shows around its own content.
type shell struct {
	Title   string
	Nav     string // the part of the site that the page belongs to
	Theme   string // "light", "dark", or empty: as the system
	Who     *auth.Principal
	SignOut bool // whether there is a session to end
	Version string
	Scripts []string // beside app.js
	Body    any
}

// show writes the whole page made of the template called name.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, name string, p shell) error {
	p.Version = s.Version
	if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		p.Theme = c.Value
	}
	if who, ok := auth.From(r.Context()); ok {
		p.Who, p.SignOut = &who, !s.Auth.Open()
	}
	return s.write(w, status, name, "page", p)
}

// write renders one template of a page's set. Nothing is sent unless all of it could be rendered.
func (s *Server) write(w http.ResponseWriter, status int, page, name string, data any) error {
	var text bytes.Buffer
	if err := s.views.pages[page].ExecuteTemplate(&text, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "HX-Request")
	w.WriteHeader(status)
	_, _ = text.WriteTo(w) // the other end may be gone
	return nil
}
