package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stereospot/stereospot/internal/web/auth"
)

// gate puts what every request passes before a handler sees it, outermost last.
func (s *Server) gate(inner http.Handler) (http.Handler, error) {
	h := s.identify(s.bound(inner))
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "a page elsewhere may not change anything here: use this server's own page, or an API token without a browser")
	}))
	if s.PublicURL != "" {
		if err := cross.AddTrustedOrigin(s.PublicURL); err != nil {
			return nil, err
		}
	}
	h = cross.Handler(h)
	if s.Auth.Open() {
		h = auth.CheckHost(h, s.hostNames())
	}
	return s.headers(h), nil
}

// hostNames returns the names under which an open server may be asked, beside this machine's own.
func (s *Server) hostNames() []string {
	if u, err := url.Parse(s.PublicURL); err == nil && u.Hostname() != "" {
		return []string{u.Hostname()}
	}
	return nil
}

// contentPolicy lets pages load what this server serves, and films from and to where they are kept; nothing inline.
func (s *Server) contentPolicy() string {
	elsewhere := strings.Join(append([]string{""}, s.ObjectOrigins...), " ")
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:" + elsewhere + "; " +
		"font-src 'self'; connect-src 'self'" + elsewhere + "; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// headers are the same on every answer.
func (s *Server) headers(next http.Handler) http.Handler {
	policy := s.contentPolicy()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), xr-spatial-tracking=(self)")
		if s.Auth.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// bound limits what a request's body may hold. Parts of uploads have a bound in their signature.
func (s *Server) bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, objectsPath) {
			r.Body = http.MaxBytesReader(w, r.Body, s.Limits.BodyBytes)
		}
		next.ServeHTTP(w, r)
	})
}

// identify finds out who asks, and turns strangers away from all but what they need to sign in.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok, err := s.guard.Identify(r)
		switch {
		case err != nil:
			refused := s.problem(r.Context(), err)
			refuse(w, refused.GetStatus(), refused.Error())
		case ok:
			next.ServeHTTP(w, r.WithContext(auth.With(r.Context(), p)))
		case isPublic(r.URL.Path):
			next.ServeHTTP(w, r)
		default:
			turnAway(w, r)
		}
	})
}

// objectsPath is where signed links lead.
const objectsPath = "/objects/"

// isPublic reports whether a path is open to strangers: it gives nothing away, or carries a signature of its own.
func isPublic(path string) bool {
	switch path {
	case "/healthz", "/readyz", "/login", "/logout", auth.OIDCLogin, "/favicon.ico":
		return true
	}
	return strings.HasPrefix(path, objectsPath) || strings.HasPrefix(path, "/static/") || strings.HasPrefix(path, auth.OIDCLogin+"/")
}

// turnAway sends a browser to the sign-in page and tells a program to bring a token.
func turnAway(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, apiPrefix) {
		http.Redirect(w, r, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="StereoSpot"`)
	refuse(w, http.StatusUnauthorized, "sign in, or send an API token as a bearer token")
}

// refuse answers with problem details outside of the API's handlers.
func refuse(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(&huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
	if err != nil {
		http.Error(w, detail, status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the other end may be gone
}
