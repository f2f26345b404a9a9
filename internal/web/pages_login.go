package web

import (
	"net/http"
	"net/url"

	"github.com/stereospot/stereospot/internal/web/auth"
)

// loginView is the sign-in page.
type loginView struct {
	Problem  string
	Password bool   // whether there is a password to ask for
	OIDC     string // where signing in elsewhere begins; empty without
	Next     string
}

// login shows the sign-in page to strangers.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	next := auth.Destination(r.FormValue("next"))
	if _, known := auth.From(r.Context()); known {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	s.loginPage(w, r, http.StatusOK, "")
}

// loginPage shows the sign-in page, with what went wrong before.
func (s *Server) loginPage(w http.ResponseWriter, r *http.Request, status int, problem string) {
	v := loginView{Problem: sentence(problem), Password: s.Auth.Password.Set(), Next: auth.Destination(r.FormValue("next"))}
	if s.Auth.OIDC.Set() {
		v.OIDC = auth.OIDCLogin + "?" + url.Values{"next": {v.Next}}.Encode()
	}
	if err := s.show(w, r, status, "login", shell{Title: "Sign in", Body: v}); err != nil {
		s.Log.ErrorContext(r.Context(), "sign-in page failed", "err", err)
		http.Error(w, problem, status)
	}
}
