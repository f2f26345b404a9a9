package auth

import (
	"net/http/httptest"
	"net/netip"
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
	from := func(addr string) string {
		r := httptest.NewRequest("POST", "/login", nil)
		r.RemoteAddr = addr
		return proxies(nil).addressOf(r)
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
		"192.0.2.1:5": "192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:5": "192.0.2.1", "pipe": "pipe",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		if got := proxies(nil).addressOf(r); got != want {
			t.Errorf("%s is %s, want %s", remote, got, want)
		}
	}
}

func TestProxyIsBelievedAboutItsPeerAlone(t *testing.T) {
	behind := proxies{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	for name, c := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"a stranger's own words":           {"192.0.2.9:1", []string{"198.51.100.1"}, "192.0.2.9"},
		"one proxy":                        {"10.0.1.2:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"a client that wrote one before":   {"10.0.1.2:1", []string{"203.0.113.5, 198.51.100.1"}, "198.51.100.1"},
		"a line of its own before":         {"10.0.1.2:1", []string{"203.0.113.5", "198.51.100.1"}, "198.51.100.1"},
		"two proxies":                      {"10.0.1.2:1", []string{"203.0.113.5,198.51.100.1, 10.0.9.9"}, "198.51.100.1"},
		"proxies all the way":              {"10.0.1.2:1", []string{"10.0.3.3"}, "10.0.3.3"},
		"a proxy that says nothing":        {"10.0.1.2:1", nil, "10.0.1.2"},
		"a proxy that says no address":     {"10.0.1.2:1", []string{"198.51.100.1, unknown"}, "10.0.1.2"},
		"a household behind an IPv6 proxy": {"[fd00::1]:1", []string{"2001:db8:1:2:3::4"}, "2001:db8:1:2::/64"},
		"a proxy's address within IPv6":    {"[::ffff:10.0.1.2]:1", []string{"198.51.100.1"}, "198.51.100.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.forwarded
		if got := behind.addressOf(r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
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
