package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// CookieName is the session cookie's.
const CookieName = "stereospot_session"

// sessionFor is how long a session lasts.
const sessionFor = 14 * 24 * time.Hour

// Options say who is let in. Without a password and OIDC everybody is, as an admin.
type Options struct {
	Password Password
	OIDC     OIDCOptions
	Secure   bool // send cookies over HTTPS only
	// Proxies are the networks of the proxies before the server, which say from where a request came.
	Proxies []netip.Prefix
}

// Open reports whether everybody is let in.
func (o Options) Open() bool { return !o.Password.Set() && !o.OIDC.Set() }

// Refusal answers a browser whose sign-in failed; detail says what to do.
type Refusal func(w http.ResponseWriter, r *http.Request, status int, detail string)

// Guard tells who asks, and signs people in and out.
type Guard struct {
	Options
	tokens platform.Tokens
	keys   keyRing // sign sessions
	now    func() time.Time
	log    *slog.Logger
	refuse Refusal
	limit  *limiter
	oidc   *provider
}

// NewGuard returns a Guard. Sessions are signed with a key that all processes on the same data share, and end when the
// password changes.
func NewGuard(ctx context.Context, o Options, p platform.Platform, now func() time.Time, log *slog.Logger, refuse Refusal) (*Guard, error) {
	keys, err := newKeyRing(ctx, p.Secrets, o.Password)
	if err != nil {
		return nil, err
	}
	limit, err := newLimiter()
	if err != nil {
		return nil, err
	}
	g := &Guard{Options: o, tokens: p.Tokens, keys: keys, now: now, log: log, refuse: refuse, limit: limit}
	if o.OIDC.Set() {
		g.oidc = &provider{options: o.OIDC}
	}
	return g, nil
}

// everybody is whoever the server can't tell apart.
var everybody = Principal{Owner: LocalOwner, Name: "Administrator", Admin: true}

// Identify returns who asks; ok is false for somebody unknown. A bearer token that isn't good is nobody's, whatever
// else comes with it.
func (g *Guard) Identify(r *http.Request) (p Principal, ok bool, err error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return g.bearer(r.Context(), header)
	}
	if g.Open() {
		return everybody, true, nil
	}
	if c, err := r.Cookie(CookieName); err == nil {
		p, ok, err = openAny[Principal](r.Context(), g.keys, "session", c.Value, g.now())
		return p, ok && p.Owner != "", err
	}
	return p, false, nil
}

// bearer finds the token in an Authorization header.
func (g *Guard) bearer(ctx context.Context, header string) (Principal, bool, error) {
	scheme, token, _ := strings.Cut(header, " ")
	hash, ok := hashToken(strings.TrimSpace(token))
	if !strings.EqualFold(scheme, "Bearer") || !ok {
		return Principal{}, false, nil
	}
	t, err := g.tokens.Find(ctx, hash)
	if errors.Is(err, platform.ErrNotFound) {
		return Principal{}, false, nil
	}
	if err != nil || !t.Expires.IsZero() && !g.now().Before(t.Expires) {
		return Principal{}, false, err
	}
	return Principal{Owner: t.Owner, Name: t.Name, Admin: t.Admin}, true, nil
}

// Routes adds what signs people in and out.
func (g *Guard) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /login", g.signIn)
	mux.HandleFunc("POST /logout", g.signOut)
	if g.oidc != nil {
		mux.HandleFunc("GET "+OIDCLogin, g.oidcLogin)
		mux.HandleFunc("GET "+oidcCallback, g.oidcReturn)
	}
}

// signIn takes the form fields password and next.
func (g *Guard) signIn(w http.ResponseWriter, r *http.Request) {
	address := proxies(g.Proxies).addressOf(r)
	if wait := g.limit.allow(address, g.now()); wait > 0 {
		w.Header().Set("Retry-After", retryAfter(wait))
		g.refuse(w, r, http.StatusTooManyRequests, "too many tries: wait a minute, then try again")
		return
	}
	if !g.Password.Opens(r.PostFormValue("password")) {
		g.log.WarnContext(r.Context(), "sign-in refused", "address", address)
		g.refuse(w, r, http.StatusUnauthorized, "that isn't the password: try again")
		return
	}
	g.begin(w, r, everybody, r.PostFormValue("next"))
}

// begin starts a session and sends the browser on.
func (g *Guard) begin(w http.ResponseWriter, r *http.Request, p Principal, next string) {
	expires := g.now().Add(sessionFor)
	text, err := sealFirst(r.Context(), g.keys, "session", p, expires)
	if err != nil {
		g.log.ErrorContext(r.Context(), "can't sign a session", "err", err)
		g.refuse(w, r, http.StatusInternalServerError, "the server failed: try again")
		return
	}
	g.setCookie(w, CookieName, text, "/", expires)
	http.Redirect(w, r, Destination(next), http.StatusSeeOther)
}

func (g *Guard) signOut(w http.ResponseWriter, r *http.Request) {
	g.setCookie(w, CookieName, "", "/", time.Unix(1, 0))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (g *Guard) setCookie(w http.ResponseWriter, name, value, path string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, Expires: expires, HttpOnly: true, Secure: g.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// Destination returns next if it is a path on this server, else the root: a link to the sign-in page mustn't lead
// people elsewhere.
func Destination(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
