package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// sealed is a value that leaves the server and must come back unchanged, in time, and for the same use.
type sealed[T any] struct {
	Use     string    `json:"u"`
	Expires time.Time `json:"e"`
	Value   T         `json:"v"`
}

// seal signs value with HMAC-SHA256. The text is fit for a cookie; anybody can read it.
func seal[T any](key []byte, use string, value T, expires time.Time) (string, error) {
	body, err := json.Marshal(sealed[T]{use, expires.UTC(), value})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature(key, text)), nil
}

// open is the inverse of seal; ok is false for anything that seal didn't write with this key for this use, and after
// it has expired.
func open[T any](key []byte, use, text string, now time.Time) (value T, ok bool) {
	body, mac, found := strings.Cut(text, ".")
	sent, err := base64.RawURLEncoding.DecodeString(mac)
	if !found || err != nil || !hmac.Equal(sent, signature(key, body)) {
		return value, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return value, false
	}
	var s sealed[T]
	if err := json.Unmarshal(raw, &s); err != nil || s.Use != use || !now.Before(s.Expires) {
		return value, false
	}
	return s.Value, true
}

func signature(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
