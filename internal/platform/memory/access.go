package memory

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/stereospot/stereospot/internal/platform"
)

type tokens struct{ s *Store }

var _ platform.Tokens = tokens{}

// Add implements platform.Tokens.
func (r tokens) Add(_ context.Context, t platform.Token) error {
	r.s.Saw(Call{Method: "Tokens.Add", On: t.ID})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	if slices.ContainsFunc(r.s.rows.tokens, func(o platform.Token) bool { return o.ID == t.ID || o.Hash == t.Hash }) {
		return fmt.Errorf("token %s: %w", t.ID, platform.ErrExists)
	}
	r.s.rows.tokens = append(r.s.rows.tokens, t)
	return nil
}

// Find implements platform.Tokens.
func (r tokens) Find(_ context.Context, hash string) (platform.Token, error) {
	r.s.Saw(Call{Method: "Tokens.Find"})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	at := slices.IndexFunc(r.s.rows.tokens, func(t platform.Token) bool { return t.Hash == hash })
	if at < 0 {
		return platform.Token{}, fmt.Errorf("token: %w", platform.ErrNotFound)
	}
	return r.s.rows.tokens[at], nil
}

// List implements platform.Tokens.
func (r tokens) List(_ context.Context, owner string) ([]platform.Token, error) {
	r.s.Saw(Call{Method: "Tokens.List"})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	var list []platform.Token
	for _, t := range r.s.rows.tokens {
		if owner == "" || owner == t.Owner {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b platform.Token) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// Remove implements platform.Tokens.
func (r tokens) Remove(_ context.Context, owner, id string) error {
	r.s.Saw(Call{Method: "Tokens.Remove", On: id})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	at := slices.IndexFunc(r.s.rows.tokens, func(t platform.Token) bool { return t.ID == id && (owner == "" || owner == t.Owner) })
	if at < 0 {
		return fmt.Errorf("token %s: %w", id, platform.ErrNotFound)
	}
	r.s.rows.tokens = slices.Delete(r.s.rows.tokens, at, at+1)
	return nil
}

type secrets struct{ s *Store }

var _ platform.Secrets = secrets{}

// Secret implements platform.Secrets.
func (r secrets) Secret(_ context.Context, name string) ([]byte, error) {
	r.s.Saw(Call{Method: "Secrets.Secret", On: name})
	r.s.rows.mu.Lock()
	defer r.s.rows.mu.Unlock()
	if r.s.rows.secrets[name] == nil {
		made := make([]byte, 32)
		_, _ = rand.Read(made) // never fails (crypto/rand)
		r.s.rows.secrets[name] = made
	}
	return slices.Clone(r.s.rows.secrets[name]), nil
}
