package platform

import (
	"context"
	"time"
)

// Token is an API token's row. The token itself isn't kept: only its hash.
type Token struct {
	ID      string    `json:"id"`    // UUIDv7; names the token to its owner, opens nothing
	Owner   string    `json:"owner"` // whose jobs it reaches
	Admin   bool      `json:"admin"` // made by an admin: sees all
	Name    string    `json:"name"`  // a person's word for where it is used
	Hash    string    `json:"hash"`  // SHA-256 of the token, hexadecimal; unique
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// Tokens stores API tokens. Safe for concurrent use by many processes.
type Tokens interface {
	// Add stores t; ErrExists when its id or hash is taken.
	Add(ctx context.Context, t Token) error
	// Find returns the token with the hash, expired or not; ErrNotFound.
	Find(ctx context.Context, hash string) (Token, error)
	// List returns owner's tokens, newest first; those of everybody when owner is empty.
	List(ctx context.Context, owner string) ([]Token, error)
	// Remove drops the token with the id if it is owner's (anybody's when owner is empty); ErrNotFound.
	Remove(ctx context.Context, owner, id string) error
}

// Secrets keeps the keys that every process on the same data must share.
type Secrets interface {
	// Secret returns the 32 random bytes of that name, made when they are asked for the first time: whoever asks
	// gets the same ones, also when two ask at once.
	Secret(ctx context.Context, name string) ([]byte, error)
}
