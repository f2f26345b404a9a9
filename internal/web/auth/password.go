package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Password is what opens the server, as its operator gave it: plain, or hashed by HashPassword. The zero value opens
// nothing.
type Password struct{ text string }

// minPassword is the shortest password that is taken, in bytes.
const minPassword = 8

// ParsePassword reads an operator's password. A text that starts like a bcrypt hash is one. Empty is no password.
func ParsePassword(text string) (Password, error) {
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return Password{}, nil
	}
	if strings.HasPrefix(text, "$2") {
		if _, err := bcrypt.Cost([]byte(text)); err != nil {
			return Password{}, fmt.Errorf("the password looks like a bcrypt hash and isn't one: %w", err)
		}
		return Password{text}, nil
	}
	if len(text) < minPassword {
		return Password{}, fmt.Errorf("the password has %d bytes: use at least %d", len(text), minPassword)
	}
	return Password{text}, nil
}

// HashPassword returns a password's bcrypt hash, for keeping.
func HashPassword(plain string) (string, error) {
	if len(plain) > 72 { // all that bcrypt looks at
		return "", errors.New("the password is longer than 72 bytes: use a shorter one")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(plain), bcrypt.DefaultCost)
	return string(hash), err
}

// Set reports whether there is a password.
func (p Password) Set() bool { return p.text != "" }

// Opens reports whether plain is the password, in a time that doesn't tell how much of it is right.
func (p Password) Opens(plain string) bool {
	if !p.Set() {
		return false
	}
	if strings.HasPrefix(p.text, "$2") {
		return bcrypt.CompareHashAndPassword([]byte(p.text), []byte(plain)) == nil
	}
	want, got := sha256.Sum256([]byte(p.text)), sha256.Sum256([]byte(plain))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// String keeps the password out of logs.
func (p Password) String() string {
	if p.Set() {
		return "(set)"
	}
	return "(none)"
}

// GoString keeps it out of %#v too.
func (p Password) GoString() string { return p.String() }
