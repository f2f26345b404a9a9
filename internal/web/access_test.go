package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/web/auth"
)

const password = "correct horse battery"

// withPassword closes the server to strangers.
func withPassword(t *testing.T) func(*web.Config) {
	t.Helper()
	p, err := auth.ParsePassword(password)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *web.Config) { c.Auth.Password = p }
}

// token stores a token of owner's and returns it.
func (s *site) token(owner string, admin bool, expires time.Time) string {
	s.t.Helper()
	token, hash := auth.NewToken()
	err := s.platform.Tokens.Add(s.t.Context(), platform.Token{
		ID: job.NewID(time.Now()), Owner: owner, Admin: admin, Name: "test", Hash: hash, Created: time.Now(), Expires: expires,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// answer is what somebody got.
type answer struct {
	status int
	header http.Header
	body   string
}

// as sends a request with a token ("" for none) and any further headers, in pairs. It follows no redirects, and reads
// no more of an event stream than its status.
func (s *site) as(token, method, path, body string, headers ...string) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	client := *s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			s.t.Fatal(err)
		}
		a.body = string(text)
	}
	return a
}

// route is one operation of the API, as its own description tells.
type route struct{ method, path, access string }

// routes reads the OpenAPI document, so that no operation is forgotten.
func (s *site) routes(token string) []route {
	s.t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Access string `json:"x-access"`
		}
	}
	if err := json.Unmarshal([]byte(s.as(token, "GET", "/openapi.json", "").body), &doc); err != nil {
		s.t.Fatal(err)
	}
	var routes []route
	for path, methods := range doc.Paths {
		for method, op := range methods {
			routes = append(routes, route{strings.ToUpper(method), path, op.Access})
		}
	}
	if len(routes) < 25 {
		s.t.Fatalf("only %d operations are described", len(routes))
	}
	return routes
}

// bodies are what operations need to get past validation.
var bodies = map[string]string{
	"POST /api/v1/jobs":                      `{"title":"a.mp4"}`,
	"PATCH /api/v1/jobs/{id}":                `{"title":"b.mp4"}`,
	"POST /api/v1/jobs/{id}/upload":          `{"size":10}`,
	"POST /api/v1/jobs/{id}/upload/complete": `{"parts":[{"number":1,"etag":"x"}]}`,
	"POST /api/v1/tokens":                    `{"name":"mine"}`,
}

func (r route) send(s *site, token, jobID string) answer {
	path := strings.NewReplacer("{id}", jobID, "{number}", "1", "{queue}", "chunking").Replace(r.path)
	return s.as(token, r.method, path, bodies[r.method+" "+r.path])
}

func TestEveryOperationIsOpenToWhomItSaysAndNobodyElse(t *testing.T) {
	s := newSite(t, withPassword(t))
	owner, other, admin := s.token("ann", false, time.Time{}), s.token("bob", false, time.Time{}), s.token("root", true, time.Time{})
	mine := func() string { return s.addJob(job.Created, func(j *job.Job) { j.Owner = "ann" }).ID }
	for _, r := range s.routes(owner) {
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			s.t = t
			// An unknown job is told apart from a known one by what it says.
			unknown := r.send(s, admin, job.NewID(time.Now()))
			for who, token := range map[string]string{"nobody": "", "a liar": "stsp_" + strings.Repeat("A", 43)} {
				if got := r.send(s, token, mine()); got.status != 401 || got.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s got %d: %s", who, got.status, got.body)
				}
			}
			others, owners, admins := r.send(s, other, mine()), r.send(s, owner, mine()), r.send(s, admin, mine())
			switch r.access {
			case "anyone":
				if owners.status == 401 || owners.status == 403 || admins.status == 403 {
					t.Errorf("the owner got %d, an admin %d", owners.status, admins.status)
				}
			case "job owner":
				if unknown.status != 404 || others.status != 404 || others.body != unknown.body {
					t.Errorf("of an unknown job %d: %s; another's owner got %d: %s", unknown.status, unknown.body, others.status, others.body)
				}
				if owners.body == unknown.body && owners.body != "" || owners.status == 403 || owners.status != admins.status {
					t.Errorf("the owner got %d: %s; an admin %d: %s", owners.status, owners.body, admins.status, admins.body)
				}
			case "admin":
				if owners.status != 403 || others.status != 403 || admins.status != 200 {
					t.Errorf("the owner got %d, another %d, an admin %d", owners.status, others.status, admins.status)
				}
			default:
				t.Errorf("it doesn't say who may call it, but %q", r.access)
			}
		})
	}
	s.t = t
}

func TestOwnersListTheirOwnJobsAndTokens(t *testing.T) {
	s := newSite(t, withPassword(t))
	ann, bob, admin := s.token("ann", false, time.Time{}), s.token("bob", false, time.Time{}), s.token("root", true, time.Time{})
	s.as(ann, "POST", "/api/v1/jobs", `{"title":"hers"}`)
	s.as(bob, "POST", "/api/v1/jobs", `{"title":"his"}`)
	for token, want := range map[string][2]bool{ann: {true, false}, bob: {false, true}, admin: {true, true}} {
		list := s.as(token, "GET", "/api/v1/jobs", "").body
		if got := [2]bool{strings.Contains(list, `"hers"`), strings.Contains(list, `"his"`)}; got != want {
			t.Errorf("listed %v, want %v", got, want)
		}
		tokens := s.as(token, "GET", "/api/v1/tokens", "").body
		if got := [2]bool{strings.Contains(tokens, `"owner":"ann"`), strings.Contains(tokens, `"owner":"bob"`)}; got != want {
			t.Errorf("listed tokens of %v, want %v", got, want)
		}
	}
	var hers struct{ Tokens []struct{ ID string } }
	if err := json.Unmarshal([]byte(s.as(ann, "GET", "/api/v1/tokens", "").body), &hers); err != nil || len(hers.Tokens) != 1 {
		t.Fatalf("%+v, %v", hers, err)
	}
	if got := s.as(bob, "DELETE", "/api/v1/tokens/"+hers.Tokens[0].ID, ""); got.status != 404 {
		t.Errorf("another's token was removed: %d", got.status)
	}
}

func TestTokenIsShownOnceAndWorksUntilItEndsOrIsRemoved(t *testing.T) {
	s := newSite(t, withPassword(t))
	ann := s.token("ann", false, time.Time{})
	var made web.Token
	if err := json.Unmarshal([]byte(s.as(ann, "POST", "/api/v1/tokens", `{"name":"script","days":1}`).body), &made); err != nil || made.Secret == "" || made.Admin {
		t.Fatalf("%+v, %v", made, err)
	}
	if list := s.as(ann, "GET", "/api/v1/tokens", "").body; strings.Contains(list, made.Secret) || !strings.Contains(list, made.ID) {
		t.Errorf("the list says %s", list)
	}
	if got := s.as(made.Secret, "GET", "/api/v1/system", ""); got.status != 200 || !strings.Contains(got.body, `"owner":"ann"`) {
		t.Errorf("the token got %d: %s", got.status, got.body)
	}
	s.as(ann, "DELETE", "/api/v1/tokens/"+made.ID, "")
	old := s.token("ann", false, time.Now().Add(-time.Second))
	for what, token := range map[string]string{"removed": made.Secret, "expired": old} {
		if got := s.as(token, "GET", "/api/v1/system", ""); got.status != 401 {
			t.Errorf("a token that is %s got %d", what, got.status)
		}
	}
}

// signIn posts the sign-in form and returns the answer and the session's cookie.
func (s *site) signIn(password, next string) (answer, string) {
	form := url.Values{"password": {password}, "next": {next}}
	a := s.as("", "POST", "/login", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return a, cookie
}

func TestSessionBeginsWithThePasswordAndEndsInTime(t *testing.T) {
	now := time.Now()
	s := newSite(t, withPassword(t), func(c *web.Config) { c.Now = func() time.Time { return now } })
	page := []string{"Accept", "text/html"}
	if got := s.as("", "GET", "/settings?x=1", "", page...); got.status != 303 || got.header.Get("Location") != "/login?next=%2Fsettings%3Fx%3D1" {
		t.Errorf("a stranger got %d to %q", got.status, got.header.Get("Location"))
	}
	if got := s.as("", "GET", "/login", "", page...); got.status != 200 || !strings.Contains(got.body, `type="password"`) {
		t.Errorf("the sign-in page is %d: %.200s", got.status, got.body)
	}
	if got, cookie := s.signIn("wrong", "/"); got.status != 401 || cookie != "" || !strings.Contains(got.body, "That isn&#39;t the password") {
		t.Errorf("a wrong password got %d, %q: %.200s", got.status, cookie, got.body)
	}
	got, cookie := s.signIn(password, "/settings")
	if set := got.header.Get("Set-Cookie"); got.status != 303 || got.header.Get("Location") != "/settings" || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Lax") {
		t.Fatalf("the password got %d to %q: %q", got.status, got.header.Get("Location"), set)
	}
	if got := s.as("", "GET", "/settings", "", "Cookie", cookie); got.status != 200 {
		t.Errorf("the session got %d", got.status)
	}
	if got := s.as("", "GET", "/settings", "", append(page, "Cookie", cookie[:len(cookie)-4]+"AAAA")...); got.status != 303 {
		t.Errorf("a changed cookie got %d", got.status)
	}
	now = now.Add(15 * 24 * time.Hour)
	if got := s.as("", "GET", "/settings", "", append(page, "Cookie", cookie)...); got.status != 303 {
		t.Errorf("an old session got %d", got.status)
	}
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	s := newSite(t, withPassword(t))
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		if got, _ := s.signIn(password, next); got.header.Get("Location") != "/" {
			t.Errorf("%q led to %q (%d)", next, got.header.Get("Location"), got.status)
		}
	}
}

func TestPasswordIsNotTriedForEver(t *testing.T) {
	s := newSite(t, withPassword(t))
	for range 5 {
		if got, _ := s.signIn("wrong", "/"); got.status != 401 {
			t.Fatalf("a wrong password got %d", got.status)
		}
	}
	if got, cookie := s.signIn(password, "/"); got.status != 429 || cookie != "" || got.header.Get("Retry-After") == "" {
		t.Errorf("the sixth try got %d, %q", got.status, cookie)
	}
}

func TestPagesElsewhereChangeNothing(t *testing.T) {
	s := newSite(t)
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		if got := s.as("", "POST", "/api/v1/jobs", `{"title":"a"}`, headers...); got.status != 403 {
			t.Errorf("%v got %d", headers, got.status)
		}
	}
	if got := s.as("", "POST", "/api/v1/jobs", `{"title":"a"}`, "Sec-Fetch-Site", "same-origin"); got.status != 201 {
		t.Errorf("the own page got %d: %s", got.status, got.body)
	}
}

func TestOpenServerAnswersToItsOwnNamesOnly(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.PublicURL = "http://films.example" })
	for host, want := range map[string]int{"evil.example": 421, "evil.example:80": 421, "localhost:1": 200, "[::1]:1": 200, "films.example": 200, "": 200} {
		if got := s.as("", "GET", "/api/v1/system", "", "Host", host); got.status != want {
			t.Errorf("host %q got %d, want %d", host, got.status, want)
		}
	}
}

func TestEveryAnswerHasTheProtectiveHeaders(t *testing.T) {
	s := newSite(t, withPassword(t))
	for _, path := range []string{"/", "/login", "/api/v1/jobs", "/objects/x", "/static/x", "/healthz"} {
		got := s.as("", "GET", path, "")
		policy := got.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
}

func TestLinksForOperatorsAreShownToAdministratorsAlone(t *testing.T) {
	var from, to time.Time
	s := newSite(t, withPassword(t), func(c *web.Config) {
		c.JobLinks = func(id string, f, u time.Time) []web.Link {
			from, to = f, u
			return []web.Link{{Name: "Log lines", URL: "https://console.example/home#of$3D*20" + id}}
		}
	})
	j := s.addJob(job.Failed, func(j *job.Job) { j.Owner = "ann" })
	const href = `href="https://console.example/home#of$3D*20`
	page := "/jobs/" + j.ID
	if got := s.as(s.token("root", true, time.Time{}), "GET", page, "", "Accept", "text/html"); got.status != 200 || !strings.Contains(got.body, href+j.ID+`"`) {
		t.Errorf("an administrator sees %d: %s", got.status, got.body)
	}
	if !from.Before(j.CreatedAt) || !to.After(j.UpdatedAt) || to.Sub(j.UpdatedAt) > time.Hour {
		t.Errorf("the job lived from %v to %v, the link is for %v to %v", j.CreatedAt, j.UpdatedAt, from, to)
	}
	if got := s.as(s.token("ann", false, time.Time{}), "GET", page, "", "Accept", "text/html"); got.status != 200 || strings.Contains(got.body, "console.example") {
		t.Errorf("the owner sees %d, with the link", got.status)
	}
}
