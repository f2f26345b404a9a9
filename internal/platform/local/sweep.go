package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Sweep removes files that no object names: what a crash left between writing a file and its row. Younger
// files than minAge stay, for they may belong to a write under way. It returns how many it removed.
func (s *Store) Sweep(ctx context.Context, minAge time.Duration) (int, error) {
	removed := 0
	for _, b := range []*Bucket{s.Input(), s.Output()} {
		named, err := b.files(ctx)
		if err != nil {
			return removed, err
		}
		err = filepath.WalkDir(b.root(), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || named[path] {
				return err
			}
			info, err := d.Info()
			if err != nil || s.now().Sub(info.ModTime()) < minAge {
				return ignoreAbsent(err)
			}
			removed++
			return ignoreAbsent(os.Remove(path))
		})
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// files returns the paths that the bucket's objects name.
func (b *Bucket) files(ctx context.Context) (map[string]bool, error) {
	rows, err := b.s.db.QueryContext(ctx, "SELECT "+recordColumns+" FROM objects WHERE bucket = ?", b.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	named := map[string]bool{}
	for rows.Next() {
		r, err := scanRecord(rows.Scan)
		if err != nil {
			return nil, err
		}
		named[b.pathOf(r)] = true
	}
	return named, rows.Err()
}
