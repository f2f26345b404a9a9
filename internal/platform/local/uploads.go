package local

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// uploads are written in place: the upload's file is the object's from the start, part n goes to (n-1)·part size
// of it, and Complete has nothing to copy. A part that can't have its place (of another size than its fellows, sent
// again with the first copy already there, or sent while a hung connection still writes there) goes to a file of
// its own, and Complete copies that one part, or, where the places don't add up to one file, all of them into a
// new one.
//
// Who writes at a place holds a lock on those bytes, which the kernel frees with the process; Complete locks the
// whole file. So nobody writes into a published object, however late a connection wakes up.
type uploads struct{ b *Bucket }

var _ platform.Uploads = uploads{}

// upload is a row of the uploads table.
type upload struct {
	id, file string
	partSize int64 // bytes; 0 while unknown
	opts     platform.PutOptions
}

// part is a row of the parts table.
type part struct {
	platform.Part
	file string // empty: at its place in the upload's file
}

// Begin implements platform.Uploads.
func (u uploads) Begin(ctx context.Context, key string, opts platform.PutOptions) (string, error) {
	if err := platform.CheckKey(key); err != nil {
		return "", err
	}
	if opts.PartSize < 0 || opts.PartSize > platform.MaxPartSize {
		return "", fmt.Errorf("%w: parts of %d bytes", platform.ErrCondition, opts.PartSize)
	}
	options, err := json.Marshal(opts)
	if err != nil {
		return "", err
	}
	file, err := u.b.newFile(key)
	if err != nil {
		return "", err
	}
	if _, err := writeFile(ctx, filepath.Join(u.b.root(), file), strings.NewReader("")); err != nil {
		return "", err
	}
	id := rand.Text()
	_, err = u.b.s.execDurably(ctx, "INSERT INTO uploads (id, bucket, key, file, part_size, touched, options) VALUES (?, ?, ?, ?, ?, ?, ?)",
		id, u.b.name, key, file, opts.PartSize, u.b.s.now().UnixNano(), string(options))
	if err != nil {
		return "", errors.Join(err, u.b.discard(record{file: file}))
	}
	return id, nil
}

// find returns the upload; ErrNotFound.
func (u uploads) find(ctx context.Context, from rowReader, key, id string) (upload, error) {
	row := upload{id: id}
	var options string
	err := from.QueryRowContext(ctx, "SELECT file, part_size, options FROM uploads WHERE id = ? AND bucket = ? AND key = ?", id, u.b.name, key).
		Scan(&row.file, &row.partSize, &options)
	if errors.Is(err, sql.ErrNoRows) {
		return row, fmt.Errorf("upload of %s: %w", key, platform.ErrNotFound)
	}
	if err != nil {
		return row, err
	}
	return row, json.Unmarshal([]byte(options), &row.opts)
}

// queryer is a database or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// partsOf returns the parts that have arrived, by number.
func partsOf(ctx context.Context, from queryer, id string) ([]part, error) {
	rows, err := from.QueryContext(ctx, "SELECT number, size, etag, file FROM parts WHERE upload_id = ? ORDER BY number", id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []part
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.Number, &p.Size, &p.ETag, &p.file); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// SignPart implements platform.Uploads.
func (u uploads) SignPart(ctx context.Context, key, id string, number int, expires time.Duration) (string, error) {
	if _, err := u.find(ctx, &u.b.s.db, key, id); err != nil {
		return "", err
	}
	if number < 1 || number > platform.MaxParts {
		return "", fmt.Errorf("%w: part %d of at most %d", platform.ErrCondition, number, platform.MaxParts)
	}
	return u.b.s.signPart(ctx, u.b.name, key, id, number, expires)
}

// Parts implements platform.Uploads.
func (u uploads) Parts(ctx context.Context, key, id string) ([]platform.Part, error) {
	if _, err := u.find(ctx, &u.b.s.db, key, id); err != nil {
		return nil, err
	}
	stored, err := partsOf(ctx, &u.b.s.db, id)
	list := make([]platform.Part, len(stored))
	for i, p := range stored {
		list[i] = p.Part
	}
	return list, err
}

// Abort implements platform.Uploads.
func (u uploads) Abort(ctx context.Context, key, id string) error {
	row, err := u.find(ctx, &u.b.s.db, key, id)
	if errors.Is(err, platform.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var files []part
	err = u.b.s.writeDurably(ctx, func(tx *sql.Tx) (err error) {
		files, err = u.forget(ctx, tx, id)
		return err
	})
	if errors.Is(err, platform.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.removeFiles(append(files, part{file: row.file}))
}

// forget drops the upload's rows and returns its parts; ErrNotFound.
func (u uploads) forget(ctx context.Context, tx *sql.Tx, id string) ([]part, error) {
	list, err := partsOf(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	result, err := tx.ExecContext(ctx, "DELETE FROM uploads WHERE id = ?", id)
	return list, unlessOne(result, err, fmt.Errorf("upload: %w", platform.ErrNotFound))
}

// removeFiles removes the parts' own files.
func (u uploads) removeFiles(list []part) error {
	var errs []error
	for _, p := range list {
		errs = append(errs, u.b.discard(record{file: p.file}))
	}
	return errors.Join(errs...)
}

// Complete implements platform.Uploads.
func (u uploads) Complete(ctx context.Context, key, id string, named []platform.Part) (platform.Object, error) {
	row, err := u.find(ctx, &u.b.s.db, key, id)
	if err != nil {
		return platform.Object{}, err
	}
	whole, err := u.lockWhole(ctx, row)
	if err != nil {
		return platform.Object{}, err
	}
	defer whole.Close()
	// Only now nobody else completes it, or writes into its file.
	if row, err = u.find(ctx, &u.b.s.db, key, id); err != nil {
		return platform.Object{}, err
	}
	stored, err := partsOf(ctx, &u.b.s.db, id)
	if err != nil {
		return platform.Object{}, err
	}
	chosen, err := choose(named, stored)
	if err != nil {
		return platform.Object{}, err
	}
	file, size, err := u.join(ctx, key, row, whole, chosen, stored)
	if err != nil {
		return platform.Object{}, full(err)
	}
	return u.publish(ctx, key, row, record{file: file, Object: platform.Object{Size: size}}, stored)
}

// publish makes the joined file the object and ends the upload, in one transaction, unless a part changed.
func (u uploads) publish(ctx context.Context, key string, row upload, joined record, stored []part) (platform.Object, error) {
	o, err := u.b.publish(ctx, key, joined, row.opts, func(tx *sql.Tx) error {
		now, err := u.forget(ctx, tx, row.id)
		if err == nil && !slices.Equal(now, stored) {
			err = fmt.Errorf("%w: a part was sent again", platform.ErrCondition)
		}
		return err
	})
	if err != nil {
		if joined.file != row.file {
			err = errors.Join(err, u.b.withdraw(context.WithoutCancel(ctx), key, joined))
		}
		return platform.Object{}, err
	}
	left := stored
	if joined.file != row.file {
		left = append(left, part{file: row.file})
	}
	return o, u.removeFiles(left)
}

// choose returns the stored parts that are named, by number; ErrCondition.
func choose(named []platform.Part, stored []part) ([]part, error) {
	if len(named) == 0 {
		return nil, fmt.Errorf("%w: no parts", platform.ErrCondition)
	}
	named = slices.SortedFunc(slices.Values(named), func(a, b platform.Part) int { return a.Number - b.Number })
	var chosen []part
	for i, n := range named {
		at := slices.IndexFunc(stored, func(p part) bool { return p.Number == n.Number })
		switch {
		case i > 0 && named[i-1].Number == n.Number:
			return nil, fmt.Errorf("%w: part %d is named twice", platform.ErrCondition, n.Number)
		case at < 0:
			return nil, fmt.Errorf("%w: part %d has not arrived", platform.ErrCondition, n.Number)
		case strings.Trim(n.ETag, `"`) != stored[at].ETag:
			return nil, fmt.Errorf("%w: part %d has another content", platform.ErrCondition, n.Number)
		case stored[at].Size < platform.MinPartSize && i < len(named)-1:
			return nil, fmt.Errorf("%w: part %d is too small", platform.ErrCondition, n.Number)
		}
		chosen = append(chosen, stored[at])
	}
	return chosen, nil
}

// join makes the parts one durable file and returns its name and size.
func (u uploads) join(ctx context.Context, key string, row upload, whole *wholeFile, chosen, stored []part) (string, int64, error) {
	size := int64(0)
	inPlace := whole.locked && len(chosen) == len(stored) // others' bytes must stay until the object is published
	for _, p := range chosen {
		inPlace = inPlace && size == int64(p.Number-1)*row.partSize && p.Size <= row.partSize
		size += p.Size
	}
	if !inPlace {
		file, err := u.copyAll(ctx, key, row, whole.File, chosen)
		return file, size, err
	}
	for _, p := range chosen {
		if p.file == "" {
			continue
		}
		at := io.NewOffsetWriter(whole, int64(p.Number-1)*row.partSize)
		if err := u.copyPart(ctx, at, row, whole.File, p); err != nil {
			return "", 0, err
		}
	}
	return row.file, size, errors.Join(whole.Truncate(size), whole.Sync())
}

// copyAll writes the parts to a new file and returns its name.
func (u uploads) copyAll(ctx context.Context, key string, row upload, whole *os.File, chosen []part) (string, error) {
	file, err := u.b.newFile(key)
	if err != nil {
		return "", err
	}
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var err error
		for _, p := range chosen {
			if err == nil {
				err = u.copyPart(ctx, w, row, whole, p)
			}
		}
		w.CloseWithError(err)
	}()
	_, err = writeFile(ctx, filepath.Join(u.b.root(), file), r)
	r.Close()
	<-done
	return file, err
}

// copyPart writes one part's bytes to w.
func (u uploads) copyPart(ctx context.Context, w io.Writer, row upload, whole *os.File, p part) error {
	from, offset := whole, int64(p.Number-1)*row.partSize
	if p.file != "" {
		f, err := os.Open(filepath.Join(u.b.root(), p.file))
		if err != nil {
			return err
		}
		defer f.Close()
		from, offset = f, 0
	}
	n, err := io.Copy(w, contextReader{ctx, io.NewSectionReader(from, offset, p.Size)})
	if err == nil && n != p.Size {
		err = fmt.Errorf("part %d: %w", p.Number, io.ErrUnexpectedEOF)
	}
	return err
}
