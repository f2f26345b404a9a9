// Package local is the embedded platform: everything in one directory, shared by any number of processes
// on one machine. Rows live in SQLite, contents of objects in files beside it.
package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stereospot/stereospot/internal/platform"
)

// Options are what may differ between uses of a store.
type Options struct {
	Now func() time.Time // the clock; nil is time.Now
	// Notifications are the events to send; platform.Notifications() where workers receive them, none where a
	// single process runs the steps by itself.
	Notifications []platform.Notification
	// Visibility is how long a received message stays invisible unless it is extended; 0 means as long as
	// platform.QueueName.Visibility says. Where workers renew often a short one brings a dead worker's messages back soon.
	Visibility time.Duration
}

// Store is an open data directory.
type Store struct {
	dir           string
	db            pool // for reading
	writer        *writer
	now           func() time.Time
	notifications []platform.Notification
	visibility    time.Duration // 0: as the queue's name says
	bells         bells
	turns         *turns
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
	// Its side files get its rights. It holds the keys by which sessions and links are signed.
	db, err := os.OpenFile(filepath.Join(dir, DatabaseFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, now: opts.Now, notifications: opts.Notifications, visibility: opts.Visibility, turns: newTurns()}
	if err := s.connect(); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
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
`, `
CREATE TABLE messages (
	id       INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, so that old receipts stay stale
	queue    TEXT NOT NULL,
	body     BLOB NOT NULL,
	sent     INTEGER NOT NULL,           -- epoch nanoseconds
	hidden   INTEGER NOT NULL,           -- when visible was set, epoch nanoseconds
	visible  INTEGER NOT NULL,           -- from when on it may be received, epoch nanoseconds
	received INTEGER NOT NULL DEFAULT 0, -- times
	dead     INTEGER NOT NULL DEFAULT 0  -- 1: a dead letter
) STRICT;
CREATE INDEX messages_by_visibility ON messages (queue, visible) WHERE dead = 0;
CREATE INDEX dead_letters ON messages (queue, id) WHERE dead = 1;
ALTER TABLE leases ADD COLUMN taken INTEGER NOT NULL DEFAULT 0; -- when expires was set, epoch nanoseconds
`, `
CREATE TABLE progress (
	job_id        TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
	segment_index INTEGER NOT NULL,
	frames        INTEGER NOT NULL,
	started       INTEGER NOT NULL, -- epoch nanoseconds
	updated       INTEGER NOT NULL, -- epoch nanoseconds
	PRIMARY KEY (job_id, segment_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
	id      TEXT PRIMARY KEY,
	hash    TEXT NOT NULL UNIQUE,
	owner   TEXT NOT NULL,
	created INTEGER NOT NULL, -- epoch nanoseconds
	row     TEXT NOT NULL     -- platform.Token as JSON
) STRICT;
CREATE TABLE secrets (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT;
CREATE TABLE notices (
	id       TEXT PRIMARY KEY,
	row      TEXT NOT NULL,             -- job.Job as JSON
	created  INTEGER NOT NULL,          -- epoch nanoseconds
	hidden   INTEGER NOT NULL,          -- when due was set, epoch nanoseconds
	due      INTEGER NOT NULL,          -- of the next attempt, epoch nanoseconds
	attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
`, `
CREATE TABLE uploads (
	id        TEXT PRIMARY KEY,
	bucket    TEXT NOT NULL,
	key       TEXT NOT NULL,
	file      TEXT NOT NULL,    -- path below the bucket's directory; becomes the object's
	part_size INTEGER NOT NULL, -- the parts' distance in the file, bytes; 0 while unknown
	touched   INTEGER NOT NULL, -- when something arrived last, epoch nanoseconds
	options   TEXT NOT NULL     -- platform.PutOptions as JSON
) STRICT;
CREATE TABLE parts (
	upload_id TEXT NOT NULL REFERENCES uploads ON DELETE CASCADE,
	number    INTEGER NOT NULL,
	size      INTEGER NOT NULL, -- bytes
	etag      TEXT NOT NULL,    -- SHA-256, hexadecimal
	file      TEXT NOT NULL,    -- path below the bucket's directory; empty: at its place in the upload's file
	PRIMARY KEY (upload_id, number)
) STRICT, WITHOUT ROWID;
`}

func (s *Store) migrate(ctx context.Context) error {
	return s.writeDurably(ctx, func(tx *sql.Tx) error {
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

// Queues returns the queues by name.
func (s *Store) Queues() map[platform.QueueName]platform.Queue {
	queues := map[platform.QueueName]platform.Queue{}
	for _, name := range platform.QueueNames() {
		queues[name] = queue{s, name}
	}
	return queues
}

// DeadLetters returns the queues' dead letters by name.
func (s *Store) DeadLetters() map[platform.QueueName]platform.DeadLetters {
	dead := map[platform.QueueName]platform.DeadLetters{}
	for _, name := range platform.QueueNames() {
		dead[name] = deadLetters{queue{s, name}}
	}
	return dead
}

// Platform returns everything that the pipeline and the pages run on.
func (s *Store) Platform() platform.Platform {
	return platform.Platform{
		Jobs: s.Jobs(), Completions: s.Completions(), Leases: s.Leases(), Progress: progress{s},
		Tokens: tokens{s}, Secrets: secrets{s}, Outbox: outbox{s},
		Input: s.Input(), Output: s.Output(), Uploads: uploads{s.Input()}, Links: links{s.Output()},
		Queues: s.Queues(), DeadLetters: s.DeadLetters(),
	}
}

// Free returns how many bytes may still be written below the data directory.
func (s *Store) Free() (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Frsize, nil
}
