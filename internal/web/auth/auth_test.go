package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSealedValueComesBackOnlyWithItsKeyUseAndTime(t *testing.T) {
	now := time.Now()
	key := []byte("key")
	text, err := seal(key, "session", Principal{Owner: "ann"}, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := open[Principal](key, "session", text, now); !ok || p.Owner != "ann" {
		t.Errorf("came back as %+v, %v", p, ok)
	}
	for what, ok := range map[string]bool{
		"another key": second(open[Principal]([]byte("other"), "session", text, now)),
		"another use": second(open[Principal](key, "oidc", text, now)),
		"expired":     second(open[Principal](key, "session", text, now.Add(time.Minute))),
		"cut":         second(open[Principal](key, "session", text[:len(text)-1], now)),
		"empty":       second(open[Principal](key, "session", "", now)),
	} {
		if ok {
			t.Errorf("%s: accepted", what)
		}
	}
}

func second[A, B any](_ A, b B) B { return b }

func TestPasswordOpensPlainAndHashed(t *testing.T) {
	hash, err := HashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{"correct horse", "correct horse\n", hash} {
		p, err := ParsePassword(kept)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Opens("correct horse") || p.Opens("correct hors") || p.Opens("") {
			t.Errorf("%q: opens for the wrong word, or not for the right one", kept)
		}
		if p.String() != "(set)" {
			t.Errorf("it prints as %s", p)
		}
	}
	for _, bad := range []string{"short", "$2a$nonsense"} {
		if _, err := ParsePassword(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if p, err := ParsePassword(""); err != nil || p.Set() || p.Opens("") {
		t.Errorf("no password is %v, %v", p, err)
	}
}

func TestServerIsExposedOnlyBehindASignIn(t *testing.T) {
	password, err := ParsePassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	closed, open := Options{Password: password}, Options{}
	for addr, refused := range map[string]bool{
		"127.0.0.1:8080": false, "127.8.8.8:80": false, "localhost:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false,
		":8080": true, "0.0.0.0:80": true, "[::]:80": true, "192.168.1.2:80": true, "films.example:80": true, "localhost.evil.example:80": true,
	} {
		if err := CheckExposure(addr, open); (err != nil) != refused || err != nil && !strings.Contains(err.Error(), "STEREOSPOT_PASSWORD") {
			t.Errorf("%s, open: %v", addr, err)
		}
		if err := CheckExposure(addr, closed); err != nil {
			t.Errorf("%s, with a password: %v", addr, err)
		}
		if err := CheckExposure(addr, Options{OIDC: OIDCOptions{Issuer: "https://id.example"}}); err != nil {
			t.Errorf("%s, with a provider: %v", addr, err)
		}
	}
	if err := CheckExposure("8080", closed); err == nil {
		t.Error("an address without a port is taken")
	}
}

func TestTriesAreCountedByAddressAndInAll(t *testing.T) {
	now := time.Now()
	from := func(addr string) *http.Request {
		r := httptest.NewRequest("POST", "/login", nil)
		r.RemoteAddr = addr
		return r
	}
	l, err := newLimiter()
	if err != nil {
		t.Fatal(err)
	}
	for i := range triesAtOnce {
		if wait := l.allow(from("[2001:db8::"+string(rune('1'+i))+"]:1"), now); wait != 0 {
			t.Fatalf("try %d waits %v", i, wait)
		}
	}
	if l.allow(from("[2001:db8::f]:1"), now) == 0 {
		t.Error("another address of the same network has tries of its own")
	}
	if l.allow(from("[2001:db8:0:1::1]:1"), now) != 0 || l.allow(from("192.0.2.1:1"), now) != 0 {
		t.Error("another network has no tries")
	}
	if l.allow(from("[2001:db8::f]:1"), now.Add(tryEvery)) != 0 {
		t.Error("time brings no new try")
	}
	passed := 0
	for i := range 200 {
		if l.allow(from("198.51.100."+string(rune('0'+i%10))+":"+string(rune('0'+i/10))), now) == 0 {
			passed++
		}
	}
	if passed > allTriesAtOnce {
		t.Errorf("%d tries passed at once", passed)
	}
}

func TestAddressesAreOfHouseholds(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:5": "::ffff:192.0.2.1", "pipe": "pipe",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		if got := addressOf(r); got != want {
			t.Errorf("%s is %s, want %s", remote, got, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	key, now := []byte("key"), time.Unix(1e9, 0)
	good, err := seal(key, "session", Principal{Owner: "ann"}, now.Add(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{good, "", ".", "a.b", good + ".", strings.ToUpper(good)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := open[Principal](key, "session", s, now); ok && (s != good || p.Owner != "ann") {
			t.Errorf("%q was accepted as %+v", s, p)
		}
	})
}

func FuzzHashToken(f *testing.F) {
	token, _ := NewToken()
	for _, s := range []string{token, "", tokenPrefix, token + "=", "Bearer " + token} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if hash, ok := hashToken(s); ok && (len(hash) != 64 || len(s) != len(token) || !strings.HasPrefix(s, tokenPrefix)) {
			t.Errorf("%q has hash %q", s, hash)
		}
	})
}

func FuzzDestination(f *testing.F) {
	for _, s := range []string{"/", "/a?b=c", "//", "//x", `/\x`, "https://x", "/\tx", "javascript:x", "/%2fx", "/a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Destination(s)
		u, err := httptest.NewRequest("GET", "http://here.example/", nil).URL.Parse(got)
		if err != nil || u.Host != "here.example" || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t") {
			t.Errorf("%q leads to %q", s, got)
		}
	})
}
