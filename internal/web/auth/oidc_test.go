package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/stereospot/stereospot/internal/platform/local"
)

// issuer is an OpenID Connect provider that lets everybody in as its claims say.
type issuer struct {
	*httptest.Server
	t      *testing.T
	key    *rsa.PrivateKey
	claims map[string]any
	asked  url.Values // the last authorisation request
	nonce  string     // answered instead of the one that was asked for, unless empty
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, claims: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.write(w, map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		i.asked = r.URL.Query()
		http.Redirect(w, r, i.asked.Get("redirect_uri")+"?"+url.Values{"state": {i.asked.Get("state")}, "code": {"once"}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("/token", i.token)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		i.t.Error(err)
	}
}

// token redeems the code of whoever proves to have asked for it (RFC 7636).
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if r.PostFormValue("code") != "once" || base64.RawURLEncoding.EncodeToString(sum[:]) != i.asked.Get("code_challenge") || i.asked.Get("code_challenge_method") != "S256" {
		http.Error(w, "bad code", http.StatusBadRequest)
		return
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "1"}}, nil)
	if err != nil {
		i.t.Error(err)
	}
	claims := map[string]any{"iss": i.URL, "sub": "42", "aud": "spot", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": i.asked.Get("nonce")}
	if i.nonce != "" {
		claims["nonce"] = i.nonce
	}
	for k, v := range i.claims {
		claims[k] = v
	}
	id, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Error(err)
	}
	i.write(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": id})
}

// newFront is a server whose root says who asks.
func newFront(t *testing.T, i *issuer) *httptest.Server {
	t.Helper()
	store, err := local.Open(t.Context(), t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	mux := http.NewServeMux()
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	o := Options{OIDC: OIDCOptions{Issuer: i.URL, ClientID: "spot", ClientSecret: "s", PublicURL: front.URL, Admins: []string{"ann@example.org"}}}
	refuse := func(w http.ResponseWriter, _ *http.Request, status int, detail string) { http.Error(w, detail, status) }
	g, err := NewGuard(t.Context(), o, store.Platform(), time.Now, slog.New(slog.DiscardHandler), refuse)
	if err != nil {
		t.Fatal(err)
	}
	g.Routes(mux)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		p, ok, err := g.Identify(r)
		if err != nil || !ok {
			http.Error(w, "nobody", http.StatusUnauthorized)
			return
		}
		i.write(w, p)
	})
	return front
}

// visit signs a new browser in and returns who it is then.
func visit(t *testing.T, front *httptest.Server) (p Principal, status int) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Jar: jar, Transport: transport}).Get(front.URL + OIDCLogin + "?next=/where")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.Request.URL.Path != "/where" {
			t.Fatalf("at %s: %v", resp.Request.URL, err)
		}
	}
	return p, resp.StatusCode
}

func TestProviderSaysWhoPeopleAre(t *testing.T) {
	i := newIssuer(t)
	front := newFront(t, i)
	for _, c := range []struct {
		claims map[string]any
		want   Principal
	}{
		{map[string]any{"name": "Ann", "email": "ann@example.org", "email_verified": true}, Principal{"oidc:42", "Ann", true}},
		{map[string]any{"name": "Ann", "email": "ann@example.org", "email_verified": false}, Principal{"oidc:42", "Ann", false}},
		{map[string]any{"email": "bob@example.org", "email_verified": true, "sub": "43"}, Principal{"oidc:43", "bob@example.org", false}},
	} {
		i.claims = c.claims
		if got, status := visit(t, front); status != 200 || got != c.want {
			t.Errorf("%v is %+v (%d), want %+v", c.claims, got, status, c.want)
		}
	}
}

func TestForgedSignInsAreRefused(t *testing.T) {
	i := newIssuer(t)
	front := newFront(t, i)
	for what, claims := range map[string]map[string]any{
		"another's audience": {"aud": "other"}, "another issuer": {"iss": "https://evil.example"}, "an old token": {"exp": time.Now().Add(-time.Hour).Unix()},
	} {
		i.claims = claims
		if p, status := visit(t, front); status != http.StatusBadGateway {
			t.Errorf("%s got %d as %+v", what, status, p)
		}
	}
	i.claims, i.nonce = nil, "another"
	if p, status := visit(t, front); status != http.StatusBadGateway {
		t.Errorf("another sign-in's token got %d as %+v", status, p)
	}
	// A link that somebody else sends, with a code of their own, finds no attempt in this browser.
	resp, err := front.Client().Get(front.URL + oidcCallback + "?state=x&code=once")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a foreign link got %d", resp.StatusCode)
	}
}

func TestUnreachableProviderIsSaidSo(t *testing.T) {
	i := newIssuer(t)
	front := newFront(t, i)
	i.Close()
	if _, status := visit(t, front); status != http.StatusBadGateway {
		t.Errorf("got %d", status)
	}
}
