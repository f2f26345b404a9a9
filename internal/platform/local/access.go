package local

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/stereospot/stereospot/internal/platform"
)

type tokens struct{ s *Store }

var _ platform.Tokens = tokens{}

// Add implements platform.Tokens.
func (r tokens) Add(ctx context.Context, t platform.Token) error {
	row, err := json.Marshal(t)
	if err != nil {
		return err
	}
	result, err := r.s.execDurably(ctx, "INSERT INTO tokens (id, hash, owner, created, row) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		t.ID, t.Hash, t.Owner, t.Created.UnixNano(), string(row))
	return unlessOne(result, err, platform.ErrExists)
}

// Find implements platform.Tokens.
func (r tokens) Find(ctx context.Context, hash string) (platform.Token, error) {
	list, err := r.query(ctx, "hash = ?", hash)
	if err != nil || len(list) == 0 {
		return platform.Token{}, errors.Join(err, platform.ErrNotFound)
	}
	return list[0], nil
}

// List implements platform.Tokens.
func (r tokens) List(ctx context.Context, owner string) ([]platform.Token, error) {
	return r.query(ctx, "?1 IN ('', owner)", owner)
}

func (r tokens) query(ctx context.Context, where, arg string) ([]platform.Token, error) {
	rows, err := r.s.db.QueryContext(ctx, "SELECT row FROM tokens WHERE "+where+" ORDER BY created DESC, id DESC", arg)
	if err != nil {
		return nil, err
	}
	return scanRows[platform.Token](rows)
}

// Remove implements platform.Tokens.
func (r tokens) Remove(ctx context.Context, owner, id string) error {
	result, err := r.s.execDurably(ctx, "DELETE FROM tokens WHERE id = ?1 AND ?2 IN ('', owner)", id, owner)
	return unlessOne(result, err, platform.ErrNotFound)
}

type secrets struct{ s *Store }

var _ platform.Secrets = secrets{}

// Secret implements platform.Secrets.
func (r secrets) Secret(ctx context.Context, name string) ([]byte, error) {
	key, err := r.find(ctx, name)
	if !errors.Is(err, sql.ErrNoRows) {
		return key, err
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails (crypto/rand)
	if _, err := r.s.execDurably(ctx, "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", name, fresh); err != nil {
		return nil, err
	}
	return r.find(ctx, name) // another process may have been first
}

func (r secrets) find(ctx context.Context, name string) (key []byte, err error) {
	err = r.s.db.QueryRowContext(ctx, "SELECT value FROM secrets WHERE name = ?", name).Scan(&key)
	return key, err
}
