package platformtest

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

var linkTests = map[string]func(*testing.T, Fixture){
	"LinksServeObjectsWithRanges":       testLinks,
	"LinksExpireAndCantBeChanged":       testRefusedLinks,
	"LinksNameTheFileForAnyone":         testFileNames,
	"LinksToOddKeysAndToNothingBehave":  testOddLinks,
	"ReadersOfALinkNoticeANewerVersion": testChangedObject,
}

func link(t *testing.T, f Fixture, key string, opts platform.LinkOptions) string {
	t.Helper()
	if opts.Expires == 0 {
		opts.Expires = time.Minute
	}
	signed, err := f.Links.SignGet(t.Context(), key, opts)
	must(t, err)
	return f.URL(signed)
}

func testLinks(t *testing.T, f Fixture) {
	o, err := f.Output.Put(t.Context(), "jobs/x/final.mp4", strings.NewReader("0123456789"), platform.PutOptions{ContentType: "video/mp4"})
	must(t, err)
	url := link(t, f, o.Key, platform.LinkOptions{Inline: true})
	for _, c := range []struct {
		method, span string
		status       int
		body         string
	}{
		{"GET", "", 200, "0123456789"}, {"GET", "bytes=2-4", 206, "234"}, {"GET", "bytes=7-", 206, "789"}, {"GET", "bytes=-2", 206, "89"},
		{"GET", "bytes=8-100", 206, "89"}, {"GET", "bytes=10-", 416, ""},
	} {
		header := map[string]string{}
		if c.span != "" {
			header["Range"] = c.span
		}
		answer, body := request(t, c.method, url, nil, 0, header)
		if answer.StatusCode != c.status || c.status < 400 && body != c.body {
			t.Errorf("%s %s: %s %q, want %d %q", c.method, c.span, answer.Status, body, c.status, c.body)
		}
		if c.status == 200 && (answer.Header.Get("Content-Type") != "video/mp4" || answer.Header.Get("Accept-Ranges") != "bytes" || answer.Header.Get("ETag") == "") {
			t.Errorf("headers %v", answer.Header)
		}
	}
}

// tampered returns changed copies of a signed link, by what was changed.
func tampered(t *testing.T, signed string) map[string]string {
	t.Helper()
	all := map[string]string{}
	u, err := url.Parse(signed)
	must(t, err)
	for name, values := range u.Query() {
		without, changed := u.Query(), u.Query()
		without.Del(name)
		value := []byte(values[0])
		value[len(value)-1] ^= 1
		changed.Set(name, string(value))
		for what, query := range map[string]url.Values{"without " + name: without, "with another " + name: changed} {
			c := *u
			c.RawQuery = query.Encode()
			all[what] = c.String()
		}
	}
	c := *u
	c.Path, c.RawPath = strings.Replace(u.Path, "film", "secret", 1), ""
	all["with another key"] = c.String()
	c = *u
	c.RawQuery = ""
	all["without its query"] = c.String()
	return all
}

func testRefusedLinks(t *testing.T, f Fixture) {
	put(t, f.Output, "jobs/film.mp4", "film")
	put(t, f.Output, "jobs/secret.mp4", "secret")
	signed := link(t, f, "jobs/film.mp4", platform.LinkOptions{Expires: 3 * time.Second, FileName: "Film.mp4"})
	if answer, body := request(t, "GET", signed, nil, 0, nil); answer.StatusCode != 200 || body != "film" {
		t.Fatalf("%s %q", answer.Status, body)
	}
	if f.Lenient {
		return
	}
	for what, url := range tampered(t, signed) {
		if answer, body := request(t, "GET", url, nil, 0, nil); answer.StatusCode < 400 || strings.Contains(body, "film") && len(body) == 4 {
			t.Errorf("%s: %s %.20q", what, answer.Status, body)
		}
	}
	for _, method := range []string{"PUT", "POST", "DELETE", "PATCH"} {
		if answer, _ := request(t, method, signed, strings.NewReader("x"), 1, nil); answer.StatusCode < 400 {
			t.Errorf("%s: %s", method, answer.Status)
		}
	}
	f.Advance(4 * time.Second)
	if answer, _ := request(t, "GET", signed, nil, 0, nil); answer.StatusCode != http.StatusForbidden {
		t.Errorf("expired: %s", answer.Status)
	}
	if got := read(t, f.Output, "jobs/film.mp4", 0, -1); got != "film" {
		t.Errorf("the object became %q", got)
	}
}

func testFileNames(t *testing.T, f Fixture) {
	put(t, f.Output, "k.mp4", "x")
	for _, name := range []string{"Film_LRF_Full_SBS.mp4", "Été ½ 電影.mp4", `a "b" \c; d=e.mp4`, "100% + 'x'.mp4", "line\r\nX-Evil: 1.mp4", ""} {
		for _, inline := range []bool{false, true} {
			answer, _ := request(t, "GET", link(t, f, "k.mp4", platform.LinkOptions{FileName: name, Inline: inline}), nil, 0, nil)
			kind, params, err := mime.ParseMediaType(answer.Header.Get("Content-Disposition"))
			if err != nil || (kind == "inline") != inline || answer.Header.Get("X-Evil") != "" {
				t.Errorf("%q: %q, %v", name, answer.Header.Get("Content-Disposition"), err)
			}
			if params["filename"] != name {
				t.Errorf("a browser would save %q as %q", name, params["filename"])
			}
		}
	}
}

func testOddLinks(t *testing.T, f Fixture) {
	for _, key := range oddKeys {
		put(t, f.Output, key, key)
		if answer, body := request(t, "GET", link(t, f, key, platform.LinkOptions{}), nil, 0, nil); body != key {
			t.Errorf("%q: %s %q", key, answer.Status, body)
		}
	}
	answer, _ := request(t, "GET", link(t, f, "none.mp4", platform.LinkOptions{}), nil, 0, nil)
	if answer.StatusCode != http.StatusNotFound && !(f.Lenient && answer.StatusCode == http.StatusForbidden) {
		t.Errorf("nothing: %s", answer.Status)
	}
}

func testChangedObject(t *testing.T, f Fixture) {
	put(t, f.Output, "k.mp4", "old content")
	url := link(t, f, "k.mp4", platform.LinkOptions{})
	first, _ := request(t, "GET", url, nil, 0, nil)
	resume := map[string]string{"Range": "bytes=4-", "If-Range": first.Header.Get("ETag")}
	if answer, body := request(t, "GET", url, nil, 0, resume); answer.StatusCode != 206 || body != "content" {
		t.Errorf("resumed: %s %q", answer.Status, body)
	}
	if answer, _ := request(t, "GET", url, nil, 0, map[string]string{"If-None-Match": first.Header.Get("ETag")}); answer.StatusCode != 304 {
		t.Errorf("unchanged: %s", answer.Status)
	}
	put(t, f.Output, "k.mp4", "new content")
	if second, body := request(t, "GET", url, nil, 0, nil); body != "new content" || second.Header.Get("ETag") == first.Header.Get("ETag") {
		t.Errorf("after a change: %s %q, ETag %s", second.Status, body, second.Header.Get("ETag"))
	}
	if f.Lenient {
		return
	}
	if answer, body := request(t, "GET", url, nil, 0, resume); answer.StatusCode != 200 || body != "new content" {
		t.Errorf("resumed after a change: %s %q", answer.Status, body)
	}
}
