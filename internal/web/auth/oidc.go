package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDCOptions name an OpenID Connect provider that says who people are.
type OIDCOptions struct {
	Issuer       string // such as https://accounts.example
	ClientID     string
	ClientSecret string // may be empty for a public client
	// PublicURL is this server's address as browsers call it; the provider sends people back to it.
	PublicURL string
	Admins    []string // e-mail addresses, verified by the provider
}

// Set reports whether a provider is named.
func (o OIDCOptions) Set() bool { return o.Issuer != "" }

// Paths of signing in by OIDC.
const (
	OIDCLogin    = "/login/oidc"
	oidcCallback = "/login/oidc/callback"
)

// attemptCookie holds what a sign-in under way must bring back.
const (
	attemptCookie = "stereospot_oidc"
	attemptFor    = 10 * time.Minute
)

// attempt is one sign-in under way.
type attempt struct {
	State, Nonce, Verifier, Next string
}

// provider asks the issuer for its addresses and keys when it is first needed, so that the server starts without it.
type provider struct {
	options  OIDCOptions
	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
	config   *oauth2.Config
}

func (p *provider) get(ctx context.Context) (*oauth2.Config, *oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.config != nil {
		return p.config, p.verifier, nil
	}
	// The keys are fetched again and again, also after this request.
	found, err := oidc.NewProvider(context.WithoutCancel(ctx), p.options.Issuer)
	if err != nil {
		return nil, nil, err
	}
	p.config = &oauth2.Config{
		ClientID: p.options.ClientID, ClientSecret: p.options.ClientSecret, Endpoint: found.Endpoint(),
		RedirectURL: p.options.PublicURL + oidcCallback, Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
	p.verifier = found.Verifier(&oidc.Config{ClientID: p.options.ClientID})
	return p.config, p.verifier, nil
}

// oidcLogin sends the browser to the provider.
func (g *Guard) oidcLogin(w http.ResponseWriter, r *http.Request) {
	config, _, err := g.oidc.get(r.Context())
	if err != nil {
		g.oidcFailed(w, r, err)
		return
	}
	a := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: r.FormValue("next")}
	expires := g.now().Add(attemptFor)
	text, err := sealFirst(r.Context(), g.keys, "oidc", a, expires)
	if err != nil {
		g.oidcFailed(w, r, err)
		return
	}
	g.setCookie(w, attemptCookie, text, OIDCLogin, expires)
	http.Redirect(w, r, config.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), http.StatusSeeOther)
}

// oidcReturn takes the browser back from the provider.
func (g *Guard) oidcReturn(w http.ResponseWriter, r *http.Request) {
	var a attempt
	if c, err := r.Cookie(attemptCookie); err == nil {
		a, _, err = openAny[attempt](r.Context(), g.keys, "oidc", c.Value, g.now())
		if err != nil {
			g.oidcFailed(w, r, err)
			return
		}
	}
	g.setCookie(w, attemptCookie, "", OIDCLogin, time.Unix(1, 0))
	if a.State == "" || subtle.ConstantTimeCompare([]byte(a.State), []byte(r.FormValue("state"))) != 1 {
		g.refuse(w, r, http.StatusBadRequest, "this sign-in was begun elsewhere or too long ago: sign in again")
		return
	}
	p, err := g.redeem(r, a)
	if err != nil {
		g.oidcFailed(w, r, err)
		return
	}
	g.begin(w, r, p, a.Next)
}

// redeem turns the provider's code into who it stands for.
func (g *Guard) redeem(r *http.Request, a attempt) (Principal, error) {
	if refused := r.FormValue("error"); refused != "" {
		return Principal{}, fmt.Errorf("provider answered %.100q", refused)
	}
	config, verifier, err := g.oidc.get(r.Context())
	if err != nil {
		return Principal{}, err
	}
	token, err := config.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return Principal{}, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := verifier.Verify(r.Context(), raw)
	if err != nil {
		return Principal{}, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return Principal{}, errors.New("the token belongs to another sign-in")
	}
	return g.principalOf(id)
}

func (g *Guard) principalOf(id *oidc.IDToken) (Principal, error) {
	var claims struct {
		Name     string `json:"name"`
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil {
		return Principal{}, err
	}
	p := Principal{Owner: "oidc:" + id.Subject, Name: claims.Name}
	if p.Name == "" {
		p.Name = claims.Email
	}
	p.Admin = claims.Verified && slices.Contains(g.OIDC.Admins, claims.Email)
	return p, nil
}

func (g *Guard) oidcFailed(w http.ResponseWriter, r *http.Request, err error) {
	g.log.WarnContext(r.Context(), "sign-in by OpenID Connect failed", "err", err)
	g.refuse(w, r, http.StatusBadGateway, "signing in didn't work: try again, and tell the server's operator if it stays so")
}

func retryAfter(d time.Duration) string { return strconv.Itoa(int(d.Round(time.Second).Seconds())) }
