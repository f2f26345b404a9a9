// Package local is the embedded platform: everything in one directory, shared by any number of processes
// on one machine. Rows live in SQLite, contents of objects in files beside it.
package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/stereospot/stereospot/internal/platform"
)

// Options are what may differ between uses of a store.
type Options struct {
	Now func() time.Time // the clock; nil is time.Now
}

// Store is an open data directory.
type Store struct {
	dir string
	db  *sql.DB
	now func() time.Time
}

// Open opens the data directory, making it if it is absent. Close it after use.
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	for _, bucket := range []string{inputBucket, outputBucket} {
		if err := os.MkdirAll(filepath.Join(dir, bucket), 0o755); err != nil {
			return nil, err
		}
	}
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, "stereospot.db")))
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, db: db, now: opts.Now}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// dsn sets each connection up. Write transactions take the lock at once (immediate), so that two
// processes wait for each other instead of failing half-way. With WAL and synchronous NORMAL a power cut
// can lose the last commits but never damages the database; the pipeline's steps are simply repeated then.
func dsn(path string) string {
	query := url.Values{
		"_pragma": {"busy_timeout(20000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"},
		"_txlock": {"immediate"},
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	return u.String()
}

// migrations bring the schema from version i to i+1; never change one, add one.
var migrations = []string{`
CREATE TABLE jobs (
	job_id     TEXT PRIMARY KEY,
	owner      TEXT NOT NULL,
	title      TEXT NOT NULL,
	status     TEXT NOT NULL,
	created_at INTEGER NOT NULL, -- epoch nanoseconds
	version    INTEGER NOT NULL,
	row        TEXT NOT NULL     -- job.Job as JSON
) STRICT;
CREATE INDEX jobs_by_age ON jobs (created_at DESC, job_id DESC);
CREATE TABLE completions (
	job_id        TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
	segment_index INTEGER NOT NULL,
	row           TEXT NOT NULL, -- platform.Completion as JSON
	PRIMARY KEY (job_id, segment_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (
	name    TEXT PRIMARY KEY,
	owner   TEXT NOT NULL,
	expires INTEGER NOT NULL -- epoch nanoseconds
) STRICT, WITHOUT ROWID;
CREATE TABLE objects (
	bucket   TEXT NOT NULL,
	key      TEXT NOT NULL,
	file     TEXT NOT NULL,    -- path below the bucket's directory, or absolute for a linked one
	linked   INTEGER NOT NULL, -- 1: a person's own file, never removed
	size     INTEGER NOT NULL, -- bytes
	modified INTEGER NOT NULL, -- epoch nanoseconds
	type     TEXT NOT NULL,
	metadata TEXT NOT NULL,    -- JSON
	tags     TEXT NOT NULL,    -- JSON
	PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;
`}

func (s *Store) migrate(ctx context.Context) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		if version > len(migrations) {
			return fmt.Errorf("the data in %s belongs to a newer StereoSpot (version %d, this one knows %d)", s.dir, version, len(migrations))
		}
		for i := version; i < len(migrations); i++ {
			if _, err := tx.ExecContext(ctx, migrations[i]); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations)))
		return err
	})
}

// write runs change in one transaction: all of it or nothing.
func (s *Store) write(ctx context.Context, change func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return full(err)
	}
	if err := change(tx); err != nil {
		// After some failures, a full disk among them, SQLite has rolled back by itself.
		_ = tx.Rollback()
		return full(err)
	}
	return full(tx.Commit())
}

// exec runs one statement as a transaction of its own.
func (s *Store) exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	result, err := s.db.ExecContext(ctx, statement, args...)
	return result, full(err)
}

// full turns what SQLite and the file system say of a full disk into platform.ErrFull.
func full(err error) error {
	refused := new(sqlite.Error)
	if errors.As(err, &refused) && refused.Code()&0xff == sqlite3.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w (%w)", platform.ErrFull, err)
	}
	return err
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// Jobs returns the job rows.
func (s *Store) Jobs() platform.Jobs { return jobs{s} }

// Completions returns the converted segments' rows.
func (s *Store) Completions() platform.Completions { return completions{s} }

// Leases returns the leases.
func (s *Store) Leases() platform.Leases { return leases{s} }

// Input returns the bucket of uploads, plans and segments.
func (s *Store) Input() *Bucket { return &Bucket{s: s, name: inputBucket} }

// Output returns the bucket of converted segments and final files.
func (s *Store) Output() *Bucket { return &Bucket{s: s, name: outputBucket} }
