package auth

import (
	"context"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// keyRing returns the key to seal with, and after it the others that may have sealed what is still good.
type keyRing func(ctx context.Context) ([][]byte, error)

// rotating are Secrets whose keys change while the process runs.
type rotating interface {
	// Keys returns the keys of that name, the one to seal with first. It is asked at every request.
	Keys(ctx context.Context, name string) ([][]byte, error)
}

// newKeyRing returns the keys that sessions are signed with: another password makes other keys of the same secrets.
func newKeyRing(ctx context.Context, secrets platform.Secrets, password Password) (keyRing, error) {
	if r, ok := secrets.(rotating); ok {
		ring := func(ctx context.Context) ([][]byte, error) {
			keys, err := r.Keys(ctx, "session")
			for i, key := range keys {
				keys[i] = signature(key, password.text)
			}
			return keys, err
		}
		_, err := ring(ctx) // so that what is wrong shows at the start
		return ring, err
	}
	secret, err := secrets.Secret(ctx, "session")
	keys := [][]byte{signature(secret, password.text)}
	return func(context.Context) ([][]byte, error) { return keys, nil }, err
}

// sealFirst is seal with the first key.
func sealFirst[T any](ctx context.Context, ring keyRing, use string, value T, expires time.Time) (string, error) {
	keys, err := ring(ctx)
	if err != nil {
		return "", err
	}
	return seal(keys[0], use, value, expires)
}

// openAny is open with whichever key fits.
func openAny[T any](ctx context.Context, ring keyRing, use, text string, now time.Time) (value T, ok bool, err error) {
	keys, err := ring(ctx)
	for _, key := range keys {
		if value, ok = open[T](key, use, text, now); ok {
			break
		}
	}
	return value, ok, err
}
