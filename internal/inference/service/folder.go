package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/platform"
)

// folder is a directory that the operator opened to invocations. Nothing outside of it is reached, whatever links and
// dots say: every access goes through its root. Files carry no metadata, so nothing there ever counts as an answer that
// exists already.
type folder struct {
	dir  string // absolute
	root *os.Root
}

var _ Store = (*folder)(nil)

func openFolder(dir string) (*folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("--allow-files %s: %w", dir, err)
	}
	return &folder{dir: dir, root: root}, nil
}

// key returns an absolute, clean path relative to the folder, if it lies below it.
func (f *folder) key(path string) (string, bool) {
	key, ok := strings.CutPrefix(path, strings.TrimSuffix(f.dir, "/")+"/")
	return key, ok && key != ""
}

// open opens a plain file: a pipe or a device would block or do worse.
func (f *folder) open(key string) (*os.File, os.FileInfo, error) {
	file, err := f.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, f.explain(key, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = f.notPlain(key)
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

func (f *folder) notPlain(key string) error {
	return &inference.RefusedError{Reason: fmt.Sprintf("%s is no plain file", filepath.Join(f.dir, key))}
}

// explain turns an error of the root into one for the caller of the service: what is absent, leads outside or is
// forbidden is the request's fault, everything else the service's own trouble.
func (f *folder) explain(key string, err error) error {
	path := filepath.Join(f.dir, key)
	var system syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", path, platform.ErrNotFound)
	case !errors.As(err, &system): // the root's own refusal
		return &inference.RefusedError{Reason: fmt.Sprintf("%s lies outside of %s", path, f.dir)}
	case errors.Is(err, fs.ErrPermission), system == syscall.ELOOP, system == syscall.ENOTDIR, system == syscall.EISDIR, system == syscall.ENXIO:
		return &inference.RefusedError{Reason: fmt.Sprintf("%s can't be used: %v", path, system)}
	}
	return err
}

// Head implements Store. A place that no file can take is refused, so that nothing is converted for it.
func (f *folder) Head(_ context.Context, key string) (platform.Object, error) {
	info, err := f.root.Stat(key)
	if errors.Is(err, fs.ErrNotExist) {
		if _, above := f.root.Stat(filepath.Dir(key)); errors.Is(above, fs.ErrNotExist) {
			err = &inference.RefusedError{Reason: fmt.Sprintf("there is no directory %s", filepath.Join(f.dir, filepath.Dir(key)))}
			return platform.Object{}, err
		}
	}
	if err != nil {
		return platform.Object{}, f.explain(key, err)
	}
	if !info.Mode().IsRegular() {
		return platform.Object{}, f.notPlain(key)
	}
	return platform.Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Get implements Store.
func (f *folder) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, platform.Object, error) {
	file, info, err := f.open(key)
	if err != nil {
		return nil, platform.Object{}, err
	}
	if length < 0 {
		length = info.Size() - offset
	}
	if offset < 0 || length < 0 || offset+length > info.Size() {
		return nil, platform.Object{}, errors.Join(platform.ErrBadRange, file.Close())
	}
	body := struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, offset, length), file}
	return body, platform.Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Put implements Store: a file beside the target, synced and then renamed, in a directory that is there already. Options
// have no place in a file; the service's answer tells what they would say.
func (f *folder) Put(ctx context.Context, key string, r io.Reader, _ platform.PutOptions) (platform.Object, error) {
	temp := filepath.Join(filepath.Dir(key), ".stereospot-"+rand.Text())
	file, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return platform.Object{}, f.explain(key, err)
	}
	size, err := io.Copy(file, r)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close(), context.Cause(ctx))
	if err == nil {
		if err = f.root.Rename(temp, key); err != nil {
			err = f.explain(key, err)
		}
	}
	if err != nil {
		return platform.Object{}, errors.Join(err, f.root.Remove(temp))
	}
	return platform.Object{Key: key, Size: size}, nil
}
