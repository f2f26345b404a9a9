package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// Sweep removes files that no object and no upload names: what a crash left between writing a file and its row. It
// removes empty directories too.
// Younger files than minAge stay, for they may belong to a write under way. It returns how many it removed. It also
// drops uploads that nobody has continued for platform.UploadIdle.
func (s *Store) Sweep(ctx context.Context, minAge time.Duration) (int, error) {
	if _, err := s.abandon(ctx, platform.UploadIdle); err != nil {
		return 0, err
	}
	removed := 0
	for _, b := range []*Bucket{s.Input(), s.Output()} {
		old, err := b.oldFiles(minAge)
		if err != nil {
			return removed, err
		}
		named, err := b.files(ctx) // after the look, so that what was published meanwhile is in it
		if err != nil {
			return removed, err
		}
		for _, path := range old {
			if named[path] {
				continue
			}
			if err := ignoreAbsent(os.Remove(path)); err != nil {
				return removed, err
			}
			removed++
		}
		if err := b.dropEmpty(minAge); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// dropEmpty removes the directories in which nothing was made or removed for minAge, where they are empty.
func (b *Bucket) dropEmpty(minAge time.Duration) error {
	var old []string
	err := filepath.WalkDir(b.root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == b.root() {
			return ignoreAbsent(err)
		}
		info, err := d.Info()
		if err == nil && b.s.now().Sub(info.ModTime()) >= minAge {
			old = append(old, path)
		}
		return ignoreAbsent(err)
	})
	if err != nil {
		return err
	}
	for _, path := range slices.Backward(old) { // what lies in a directory goes before it
		if err := ignoreAbsent(os.Remove(path)); err != nil && !errors.Is(err, fs.ErrExist) { // ENOTEMPTY
			return err
		}
	}
	return nil
}

// oldFiles returns the bucket's files that nobody has written to for minAge. Writers make new files, and PutFile
// renews the time of the one that it takes, so an old file without a row is nobody's.
func (b *Bucket) oldFiles(minAge time.Duration) ([]string, error) {
	var old []string
	err := filepath.WalkDir(b.root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return ignoreAbsent(err)
		}
		info, err := d.Info()
		if err == nil && b.s.now().Sub(info.ModTime()) >= minAge {
			old = append(old, path)
		}
		return ignoreAbsent(err)
	})
	return old, err
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// files returns the paths that the bucket's objects and uploads name.
func (b *Bucket) files(ctx context.Context) (map[string]bool, error) {
	rows, err := b.s.db.QueryContext(ctx, `SELECT file FROM objects WHERE bucket = ?1 AND linked = 0
		UNION ALL SELECT file FROM uploads WHERE bucket = ?1
		UNION ALL SELECT parts.file FROM parts JOIN uploads ON uploads.id = parts.upload_id WHERE bucket = ?1`, b.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	named := map[string]bool{}
	for rows.Next() {
		var file string
		if err := rows.Scan(&file); err != nil {
			return nil, err
		}
		named[filepath.Join(b.root(), file)] = true
	}
	return named, rows.Err()
}

// abandon aborts the uploads that nothing has arrived for since idle ago, and returns how many.
func (s *Store) abandon(ctx context.Context, idle time.Duration) (int, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT bucket, key, id FROM uploads WHERE touched < ?", s.now().Add(-idle).UnixNano())
	if err != nil {
		return 0, err
	}
	type name struct{ bucket, key, id string }
	var list []name
	for rows.Next() {
		var n name
		if err := rows.Scan(&n.bucket, &n.key, &n.id); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		list = append(list, n)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, err
	}
	for i, n := range list {
		if err := (uploads{&Bucket{s: s, name: n.bucket}}).Abort(ctx, n.key, n.id); err != nil {
			return i, err
		}
	}
	return len(list), nil
}
