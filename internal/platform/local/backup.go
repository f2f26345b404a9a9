package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

// Backup is what a backup holds.
type Backup struct {
	Jobs, Objects int
	Bytes         int64 // of the objects
	Linked        bool  // objects are hard links, which take no room
}

// Backup writes a copy of the data directory, as it is at one moment, to the directory out, which must not exist. The
// store may be in use. Objects' files never change, so they are linked where out is on the same file system and copied
// where it isn't. Uploads under way are left out. After an error there is no out.
func (s *Store) Backup(ctx context.Context, out string) (done Backup, err error) {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return done, err
	}
	if err := os.Mkdir(out, 0o700); err != nil { // it holds the secrets by which links are signed
		return done, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(full(err), os.RemoveAll(out))
		}
	}()
	const attempts = 5 // objects may be removed between the rows' copy and theirs; the next attempt's rows know it
	for attempt := 1; ; attempt++ {
		if done, err = s.backup(ctx, out); !errors.Is(err, fs.ErrNotExist) || attempt == attempts {
			return done, err
		}
	}
}

// backup makes one attempt. Files that an earlier one brought are kept.
func (s *Store) backup(ctx context.Context, out string) (done Backup, err error) {
	path := filepath.Join(out, DatabaseFile)
	if err := os.RemoveAll(path); err != nil {
		return done, err
	}
	if _, err := s.db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return done, err
	}
	db, err := openCopy(path)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// Their files change, so a copy would be of no certain moment. Whoever uploads begins again.
	if _, err := db.ExecContext(ctx, "DELETE FROM uploads"); err != nil {
		return done, err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM jobs").Scan(&done.Jobs); err != nil {
		return done, err
	}
	for _, bucket := range []string{inputBucket, outputBucket} {
		if err := s.copyBucket(ctx, db, bucket, out, &done); err != nil {
			return done, err
		}
	}
	return done, errors.Join(syncFile(path), syncDirectory(out))
}

// openCopy opens a database for this process alone.
func openCopy(path string) (*sql.DB, error) {
	u := url.URL{
		Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: url.Values{"_pragma": {"foreign_keys(1)", "journal_mode(DELETE)"}}.Encode(),
	}
	return sql.Open("sqlite", u.String())
}

// copyBucket brings the files that db's objects name. A person's own files, which objects of `convert` are, stay where
// they are.
func (s *Store) copyBucket(ctx context.Context, db *sql.DB, bucket, out string, done *Backup) error {
	if err := os.MkdirAll(filepath.Join(out, bucket), 0o755); err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, "SELECT "+recordColumns+" FROM objects WHERE bucket = ? AND linked = 0", bucket)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRecord(rows.Scan)
		if err != nil {
			return err
		}
		linked, err := copyObject(ctx, filepath.Join(s.dir, bucket, r.file), filepath.Join(out, bucket, r.file), r.Size)
		if err != nil {
			return err
		}
		done.Linked = linked && (done.Linked || done.Objects == 0)
		done.Objects, done.Bytes = done.Objects+1, done.Bytes+r.Size
	}
	return rows.Err()
}

// copyObject links or copies one object's file of size bytes and reports whether it is linked.
func copyObject(ctx context.Context, from, to string, size int64) (linked bool, err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return false, err
	}
	err = os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) { // by an earlier attempt
		return true, nil
	}
	if !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EMLINK) {
		return false, err
	}
	in, err := os.Open(from)
	if err != nil {
		return false, err
	}
	defer in.Close()
	n, err := writeFile(ctx, to, in)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes instead of %d", from, n, size)
	}
	return false, err
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
