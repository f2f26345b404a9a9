package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// tokenPrefix makes tokens easy to find where they don't belong, such as in a repository.
const tokenPrefix = "stsp_"

// tokenBytes is how many random bytes a token has: nobody guesses it, so a plain hash is enough to keep it by.
const tokenBytes = 32

// NewToken returns an API token, to be shown once, and the hash to keep.
func NewToken() (token, hash string) {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	hash, _ = hashToken(token)
	return token, hash
}

// hashToken returns the hash by which a token is kept; ok is false for what NewToken can't have made.
func hashToken(token string) (hash string, ok bool) {
	text, found := strings.CutPrefix(token, tokenPrefix)
	random, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !found || err != nil || len(random) != tokenBytes || strings.ContainsAny(text, "\r\n") {
		return "", false
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:]), true
}
