package platform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
)

// Getter is the part of Objects that reads.
type Getter interface {
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Object, error)
}

// Putter is the part of Objects that publishes.
type Putter interface {
	Put(ctx context.Context, key string, r io.Reader, opts PutOptions) (Object, error)
}

// Fetch returns a file that holds the object, for reading only: the store's own where it has one on
// this disk, else a copy in dir.
func Fetch(ctx context.Context, o Getter, key, dir string) (path string, err error) {
	if f, ok := o.(Files); ok {
		return f.Path(ctx, key)
	}
	path, _, err = download(ctx, o, key, dir)
	return path, err
}

// FetchObject is Fetch that also describes the object, in the same request where there is one.
func FetchObject(ctx context.Context, o Objects, key, dir string) (path string, object Object, err error) {
	f, ok := o.(Files)
	if !ok {
		return download(ctx, o, key, dir)
	}
	if object, err = o.Head(ctx, key); err != nil {
		return "", object, err
	}
	path, err = f.Path(ctx, key)
	return path, object, err
}

// download copies an object into a new file in dir.
func download(ctx context.Context, o Getter, key, dir string) (path string, object Object, err error) {
	r, object, err := o.Get(ctx, key, 0, -1)
	if err != nil {
		return "", object, err
	}
	defer r.Close()
	f, err := os.CreateTemp(dir, "object-*")
	if err != nil {
		return "", object, err
	}
	_, err = io.Copy(f, r)
	return f.Name(), object, errors.Join(err, f.Close())
}

// PutFile publishes the file at path as the object and removes the file.
func PutFile(ctx context.Context, o Putter, key, path string, opts PutOptions) (Object, error) {
	if f, ok := o.(Files); ok {
		return f.PutFile(ctx, key, path, opts)
	}
	f, err := os.Open(path)
	if err != nil {
		return Object{}, err
	}
	defer f.Close()
	obj, err := o.Put(ctx, key, f, opts)
	if err != nil {
		return Object{}, err
	}
	return obj, os.Remove(path)
}

// HashFile returns the SHA-256 of the file's bytes, hexadecimal.
func HashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
