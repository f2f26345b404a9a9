package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// DatabaseFile is the name of the database in a data directory.
const DatabaseFile = "stereospot.db"

// Inspection is what can be seen of a data directory's database without changing it.
type Inspection struct {
	Schema, KnownSchema int       // the data's version, and the newest that this program knows
	Problems            []string  // what SQLite finds damaged; empty where all is well
	Newest              time.Time // the latest moment that the data speaks of; zero where there is none
}

// maxProblems bounds what is said of a damaged database.
const maxProblems = 5

// Inspect looks at the database in dir, which may be in use. Damage that keeps it from being read at all is an error.
func Inspect(ctx context.Context, dir string) (found Inspection, err error) {
	u := url.URL{
		Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(dir, DatabaseFile)}).EscapedPath(),
		RawQuery: url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(20000)"}}.Encode(),
	}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found.KnownSchema = len(migrations)
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found.Schema); err != nil {
		return found, err
	}
	if found.Problems, err = quickCheck(ctx, db); err != nil || len(found.Problems) > 0 || found.Schema == 0 {
		return found, err
	}
	var newest int64
	err = db.QueryRowContext(ctx, `SELECT max(
		coalesce((SELECT max(created_at) FROM jobs), 0), coalesce((SELECT max(modified) FROM objects), 0))`).Scan(&newest)
	if newest > 0 {
		found.Newest = time.Unix(0, newest)
	}
	return found, err
}

// quickCheck reads every page; it skips only the comparison of indexes with their tables.
func quickCheck(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("PRAGMA quick_check(%d)", maxProblems))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var problems []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		if line != "ok" {
			problems = append(problems, line)
		}
	}
	return problems, rows.Err()
}
