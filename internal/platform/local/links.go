package local

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// objectsPath is where Handler expects to be served.
const objectsPath = "/objects/"

// links signs links to one bucket's objects: paths below objectsPath whose query holds the moment they expire and a
// signature over method, path and query.
type links struct{ b *Bucket }

var _ platform.Links = links{}

// SignGet implements platform.Links.
func (l links) SignGet(ctx context.Context, key string, opts platform.LinkOptions) (string, error) {
	if err := platform.CheckKey(key); err != nil {
		return "", err
	}
	query := url.Values{}
	if opts.FileName != "" {
		query.Set("name", opts.FileName)
	}
	if opts.Inline {
		query.Set("inline", "1")
	}
	return l.b.s.sign(ctx, "GET", l.b.name, key, query, opts.Expires)
}

// signPart signs the URL that one part is PUT to.
func (s *Store) signPart(ctx context.Context, bucket, key, id string, number int, expires time.Duration) (string, error) {
	return s.sign(ctx, "PUT", bucket, key, url.Values{"upload": {id}, "part": {strconv.Itoa(number)}}, expires)
}

// sign returns the signed path and query.
func (s *Store) sign(ctx context.Context, method, bucket, key string, query url.Values, expires time.Duration) (string, error) {
	secret, err := s.linkSecret(ctx)
	if err != nil {
		return "", err
	}
	path := objectsPath + bucket + "/" + key
	query.Set("expires", strconv.FormatInt(s.now().Add(expires).Unix(), 10))
	query.Set("signature", signature(secret, method, path, query))
	u := url.URL{Path: path, RawQuery: query.Encode()}
	return u.String(), nil
}

func (s *Store) linkSecret(ctx context.Context) ([]byte, error) {
	return secrets{s}.Secret(ctx, "links")
}

// signature is the HMAC-SHA256 of what a link allows; query may hold a signature already, which doesn't count. The
// encoded query has no line break, so no two links are the same text.
func signature(secret []byte, method, path string, query url.Values) string {
	rest := url.Values{}
	for name, values := range query {
		if name != "signature" {
			rest[name] = values
		}
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(method + "\n" + path + "\n" + rest.Encode()))
	return hex.EncodeToString(mac.Sum(nil))
}

// allowed reports whether the query is signed for method and path, and not expired.
func (s *Store) allowed(ctx context.Context, method, path string, query url.Values) (bool, error) {
	secret, err := s.linkSecret(ctx)
	if err != nil {
		return false, err
	}
	want := signature(secret, method, path, query)
	signed := hmac.Equal([]byte(want), []byte(query.Get("signature"))) // in constant time
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	return signed && err == nil && s.now().Before(time.Unix(expires, 0)), nil
}
