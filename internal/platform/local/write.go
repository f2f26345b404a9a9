package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/stereospot/stereospot/internal/platform"
)

// writer is this process's right to write: one transaction at a time, in the order in which they came. Processes
// among each other wait in SQLite's busy handler, which sleeps and isn't fair, so no process stands there twice.
//
// The database is in WAL mode. Commits reach the disk in order, so a power cut takes away the last ones, never
// one from the middle: an acknowledged message comes back together with the loss of nothing but what came after.
// Two connections differ in when they wait for the disk. With synchronous NORMAL a commit survives the end of the
// process, and of the machine once a later commit has waited; with FULL it waits itself.
type writer struct {
	turn    chan struct{} // holds a token while somebody writes
	soon    pool          // synchronous NORMAL
	durable pool          // synchronous FULL
}

// pool is a set of connections with the statements that were prepared on them: parsing takes SQLite longer than
// running one.
type pool struct {
	*sql.DB
	mu       sync.Mutex
	prepared map[string]*sql.Stmt
}

// statement prepares the text at its first use. Texts are constants, so they are few.
func (p *pool) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.prepared[text]; s != nil {
		return s, nil
	}
	s, err := p.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if p.prepared == nil {
		p.prepared = map[string]*sql.Stmt{}
	}
	p.prepared[text] = s
	return s, nil
}

// connect opens the database for readers and for the writer.
func (s *Store) connect() (err error) {
	s.writer = &writer{turn: make(chan struct{}, 1)}
	for _, c := range []struct {
		pool        *pool
		synchronous string
		connections int // 0: as many as are needed
	}{{&s.db, "NORMAL", 0}, {&s.writer.soon, "NORMAL", 1}, {&s.writer.durable, "FULL", 1}} {
		if c.pool.DB, err = sql.Open("sqlite", dsn(filepath.Join(s.dir, DatabaseFile), c.synchronous)); err != nil {
			return err // of the driver's name: nothing is open yet
		}
		c.pool.SetMaxOpenConns(c.connections)
	}
	return nil
}

// Close closes the store.
func (s *Store) Close() error {
	return errors.Join(s.db.Close(), s.writer.soon.Close(), s.writer.durable.Close())
}

// dsn sets each connection up. Write transactions take the lock at once (immediate), so that two processes wait
// for each other instead of failing half-way. The WAL file is cut back to 64 MiB after a long reader let it grow.
func dsn(path, synchronous string) string {
	query := url.Values{
		"_pragma": {"busy_timeout(20000)", "journal_mode(WAL)", "synchronous(" + synchronous + ")", "foreign_keys(1)", "journal_size_limit(67108864)"},
		"_txlock": {"immediate"},
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	return u.String()
}

// write runs change in one transaction, all of it or nothing; a power cut within the next seconds may take it back.
func (s *Store) write(ctx context.Context, change func(*sql.Tx) error) error {
	return s.writer.transact(ctx, &s.writer.soon, change)
}

// writeDurably is write that returns when the change is on the disk: before a file is removed or somebody outside
// is told.
func (s *Store) writeDurably(ctx context.Context, change func(*sql.Tx) error) error {
	return s.writer.transact(ctx, &s.writer.durable, change)
}

// exec runs one statement as a transaction of its own, as write does.
func (s *Store) exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	return s.writer.exec(ctx, &s.writer.soon, statement, args...)
}

// execDurably runs one statement as a transaction of its own, as writeDurably does.
func (s *Store) execDurably(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	return s.writer.exec(ctx, &s.writer.durable, statement, args...)
}

func (w *writer) exec(ctx context.Context, p *pool, text string, args ...any) (result sql.Result, err error) {
	err = w.take(ctx, func() error {
		statement, err := p.statement(ctx, text)
		if err == nil {
			result, err = statement.ExecContext(ctx, args...)
		}
		return err
	})
	return result, err
}

// queryWrite runs one statement that changes rows and returns some, as a transaction of its own. read must read to
// the end: the change is written then.
func (s *Store) queryWrite(ctx context.Context, read func(*sql.Rows) error, text string, args ...any) error {
	return s.writer.take(ctx, func() error {
		statement, err := s.writer.soon.statement(ctx, text)
		if err != nil {
			return err
		}
		rows, err := statement.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		return read(rows)
	})
}

func (w *writer) transact(ctx context.Context, p *pool, change func(*sql.Tx) error) error {
	return w.take(ctx, func() error {
		tx, err := p.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := change(tx); err != nil {
			// After some failures, a full disk among them, SQLite has rolled back by itself.
			_ = tx.Rollback()
			return err
		}
		return tx.Commit()
	})
}

// take runs write when it is this caller's turn, and again as long as another process keeps the database busy
// beyond the busy timeout: that is a wait, not a failure.
func (w *writer) take(ctx context.Context, write func() error) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	for {
		err := write()
		if !refusedWith(err, sqlite3.SQLITE_BUSY) || ctx.Err() != nil {
			return full(err)
		}
	}
}

func refusedWith(err error, code int) bool {
	refused := new(sqlite.Error)
	return errors.As(err, &refused) && refused.Code()&0xff == code
}

// full turns what SQLite and the file system say of a full disk into platform.ErrFull.
func full(err error) error {
	if refusedWith(err, sqlite3.SQLITE_FULL) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w (%w)", platform.ErrFull, err)
	}
	return err
}
