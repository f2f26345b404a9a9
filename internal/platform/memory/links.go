package memory

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// objectsPath begins every signed link.
const objectsPath = "/objects/"

// SignGet implements platform.Links.
func (b *bucket) SignGet(_ context.Context, key string, opts platform.LinkOptions) (string, error) {
	if err := platform.CheckKey(key); err != nil {
		return "", err
	}
	more := map[string]string{"name": opts.FileName}
	if opts.Inline {
		more["inline"] = "1"
	}
	return b.sign(http.MethodGet, key, opts.Expires, more), nil
}

// sign returns a link to a key that lets one method be used until it expires.
func (b *bucket) sign(method, key string, expires time.Duration, more map[string]string) string {
	u := url.URL{Path: objectsPath + string(b.name) + "/" + key}
	query := url.Values{"expires": {strconv.FormatInt(b.s.Now().Add(expires).UnixMilli(), 10)}}
	for name, value := range more {
		if value != "" {
			query.Set(name, value)
		}
	}
	query.Set("signature", b.s.signature(method, u.Path, query))
	u.RawQuery = query.Encode()
	return u.String()
}

// signature signs all of a link but the signature itself.
func (s *Store) signature(method, path string, query url.Values) string {
	mac := hmac.New(sha256.New, s.secret)
	_, _ = io.WriteString(mac, method+"\n"+path+"\n"+query.Encode()) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// allowed reports whether a link was signed here and hasn't expired.
func (s *Store) allowed(method, path string, query url.Values) bool {
	given := query.Get("signature")
	query.Del("signature")
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	return err == nil && s.Now().UnixMilli() < expires && hmac.Equal([]byte(given), []byte(s.signature(method, path, query)))
}

// Handler serves the links that SignGet and SignPart return.
func (s *Store) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || !s.allowed(r.Method, r.URL.Path, query) {
			http.Error(w, "this link has expired or is damaged", http.StatusForbidden)
			return
		}
		name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, objectsPath), "/") // signed, so the form is ours
		b := &bucket{s, platform.BucketName(name)}
		if r.Method == http.MethodPut {
			b.servePart(w, r, key, query)
			return
		}
		b.serve(w, r, key, query)
	})
}

func (b *bucket) serve(w http.ResponseWriter, r *http.Request, key string, query url.Values) {
	o, err := b.find(key)
	if err != nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", strconv.Quote(o.ETag))
	w.Header().Set("Content-Disposition", platform.Disposition(query.Get("name"), query.Get("inline") != ""))
	w.Header().Set("Content-Type", "application/octet-stream")
	if o.kind != "" {
		w.Header().Set("Content-Type", o.kind)
	}
	http.ServeContent(w, r, "", o.Modified, bytes.NewReader(o.content))
}

func (b *bucket) servePart(w http.ResponseWriter, r *http.Request, key string, query url.Values) {
	content, err := io.ReadAll(r.Body)
	if err != nil || int64(len(content)) != r.ContentLength {
		http.Error(w, "the part arrived incomplete", http.StatusBadRequest)
		return
	}
	number, _ := strconv.Atoi(query.Get("part")) // signed, so it is one
	p, err := uploads{b}.put(key, query.Get("upload"), number, content)
	if err != nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", strconv.Quote(p.ETag))
}
