package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// The buckets and their directories.
const (
	inputBucket  = "input"
	outputBucket = "output"
)

// Bucket stores objects. An object's content is a file of its own that never changes; a row names the file
// that is the key's object now. The row is written after the file is safely on the disk, so a crash leaves
// at worst a file that no row names, which Sweep removes.
type Bucket struct {
	s    *Store
	name string
}

var (
	_ platform.Objects = (*Bucket)(nil)
	_ platform.Files   = (*Bucket)(nil)
)

func (b *Bucket) root() string { return filepath.Join(b.s.dir, b.name) }

// newFile returns a fresh name for the content of key, below the bucket's directory, and makes its folder. The name
// is a readable one, with a random part that keeps every version apart.
func (b *Bucket) newFile(key string) (string, error) {
	var version [6]byte
	_, _ = rand.Read(version[:]) // never fails (crypto/rand)
	ext := filepath.Ext(key)
	file := strings.TrimSuffix(key, ext) + "~" + hex.EncodeToString(version[:]) + ext
	return file, full(os.MkdirAll(filepath.Join(b.root(), filepath.Dir(file)), 0o755))
}

// record is a row of the objects table.
type record struct {
	platform.Object
	file   string
	linked bool
	typ    string // MIME type, may be empty
}

const recordColumns = "key, file, linked, size, modified, type, metadata"

func scanRecord(scan func(...any) error) (record, error) {
	var r record
	var modified int64
	var metadata string
	if err := scan(&r.Key, &r.file, &r.linked, &r.Size, &modified, &r.typ, &metadata); err != nil {
		return r, err
	}
	r.Modified, r.ETag = time.Unix(0, modified), etagOf(r.file)
	return r, json.Unmarshal([]byte(metadata), &r.Metadata)
}

// etagOf names a version's content: every version is a file of its own.
func etagOf(file string) string {
	h := sha256.Sum256([]byte(file))
	return hex.EncodeToString(h[:16])
}

func (b *Bucket) find(ctx context.Context, from rowReader, key string) (record, error) {
	if err := platform.CheckKey(key); err != nil {
		return record{}, err
	}
	r, err := scanRecord(from.QueryRowContext(ctx, "SELECT "+recordColumns+" FROM objects WHERE bucket = ? AND key = ?", b.name, key).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%s: %w", key, platform.ErrNotFound)
	}
	return r, err
}

func (b *Bucket) pathOf(r record) string {
	if r.linked {
		return r.file
	}
	return filepath.Join(b.root(), r.file)
}

// Head implements platform.Objects.
func (b *Bucket) Head(ctx context.Context, key string) (platform.Object, error) {
	r, err := b.find(ctx, &b.s.db, key)
	return r.Object, err
}

// Path implements platform.Files.
func (b *Bucket) Path(ctx context.Context, key string) (string, error) {
	r, err := b.find(ctx, &b.s.db, key)
	if err != nil {
		return "", err
	}
	return b.pathOf(r), nil
}

// Get implements platform.Objects.
func (b *Bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, platform.Object, error) {
	f, r, err := b.open(ctx, key)
	if err != nil {
		return nil, r.Object, err
	}
	body, err := section(f, r.Size, offset, length)
	if err != nil {
		return nil, r.Object, errors.Join(err, f.Close())
	}
	return body, r.Object, nil
}

// open opens the content of what key holds now.
func (b *Bucket) open(ctx context.Context, key string) (*os.File, record, error) {
	const attempts = 5 // the file may be replaced between reading the row and opening it
	for attempt := 1; ; attempt++ {
		r, err := b.find(ctx, &b.s.db, key)
		if err != nil {
			return nil, r, err
		}
		f, err := os.Open(b.pathOf(r))
		if errors.Is(err, fs.ErrNotExist) && attempt < attempts {
			continue
		}
		return f, r, err
	}
}

// section returns length bytes of f from offset.
func section(f *os.File, size, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || offset > size || offset == size && offset > 0 {
		return nil, platform.ErrBadRange
	}
	if length < 0 || length > size-offset {
		length = size - offset
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, length), f}, nil
}

// Put implements platform.Objects.
func (b *Bucket) Put(ctx context.Context, key string, r io.Reader, opts platform.PutOptions) (platform.Object, error) {
	if err := platform.CheckKey(key); err != nil {
		return platform.Object{}, err
	}
	file, err := b.newFile(key)
	if err != nil {
		return platform.Object{}, err
	}
	size, err := writeFile(ctx, filepath.Join(b.root(), file), r)
	if err != nil {
		return platform.Object{}, err
	}
	return b.publishOrDrop(ctx, key, record{file: file, Object: platform.Object{Size: size}}, opts)
}

// writeFile writes r to a new file and makes sure that it is on the disk; after an error there is none.
func writeFile(ctx context.Context, path string, r io.Reader) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	size, err = io.Copy(f, contextReader{ctx, r})
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = syncDirectory(filepath.Dir(path))
	}
	if err != nil {
		return 0, errors.Join(full(err), os.Remove(path))
	}
	return size, nil
}

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// PutFile implements platform.Files.
func (b *Bucket) PutFile(ctx context.Context, key, path string, opts platform.PutOptions) (platform.Object, error) {
	if err := platform.CheckKey(key); err != nil {
		return platform.Object{}, err
	}
	file, err := b.newFile(key)
	if err != nil {
		return platform.Object{}, err
	}
	size, err := moveFile(ctx, path, filepath.Join(b.root(), file))
	if err != nil {
		return platform.Object{}, full(err)
	}
	return b.publishOrDrop(ctx, key, record{file: file, Object: platform.Object{Size: size}}, opts)
}

// moveFile makes path durable and renames it to target, by copying where they are on different file systems.
func moveFile(ctx context.Context, path, target string) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	now := time.Now() // young for Sweep until its row is written
	if err := errors.Join(os.Chtimes(path, now, now), f.Sync()); err != nil {
		return 0, err
	}
	if os.Rename(path, target) == nil {
		return info.Size(), syncDirectory(filepath.Dir(target))
	}
	if size, err = writeFile(ctx, target, f); err != nil {
		return 0, err
	}
	return size, os.Remove(path)
}

// Link makes a person's own file the object, in place: it is read, never written, moved or removed.
func (b *Bucket) Link(ctx context.Context, key, path string) error {
	if err := platform.CheckKey(key); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	_, err = b.publish(ctx, key, record{file: path, linked: true, Object: platform.Object{Size: info.Size()}}, platform.PutOptions{}, nil)
	return err
}

// publishOrDrop publishes r, and removes its file where that failed.
func (b *Bucket) publishOrDrop(ctx context.Context, key string, r record, opts platform.PutOptions) (platform.Object, error) {
	o, err := b.publish(ctx, key, r, opts, nil)
	if err != nil {
		return platform.Object{}, errors.Join(err, b.withdraw(context.WithoutCancel(ctx), key, r))
	}
	return o, nil
}

// withdraw removes the file of a version that wasn't published. In doubt (a commit may fail after it was written)
// it stays, and Sweep decides.
func (b *Bucket) withdraw(ctx context.Context, key string, r record) error {
	now, err := b.find(ctx, &b.s.db, key)
	if err != nil && !errors.Is(err, platform.ErrNotFound) || now.file == r.file {
		return nil
	}
	return b.discard(r)
}

// publish makes r the object of key, sends its events, and removes what was there. The transaction that does it
// begins with first, if there is one.
func (b *Bucket) publish(ctx context.Context, key string, r record, opts platform.PutOptions, first func(*sql.Tx) error) (platform.Object, error) {
	metadata, err := encodeMap(opts.Metadata)
	if err != nil {
		return platform.Object{}, err
	}
	tags, err := encodeMap(opts.Tags)
	if err != nil {
		return platform.Object{}, err
	}
	r.Key, r.ETag, r.Modified, r.Metadata = key, etagOf(r.file), b.s.now(), opts.Metadata
	var old record
	var told []platform.QueueName
	err = b.s.writeDurably(ctx, func(tx *sql.Tx) error {
		if first != nil {
			if err := first(tx); err != nil {
				return err
			}
		}
		if old, err = b.replaceable(ctx, tx, key, opts.IfAbsent); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO objects (bucket, key, file, linked, size, modified, type, metadata, tags)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			b.name, key, r.file, r.linked, r.Size, r.Modified.UnixNano(), opts.ContentType, metadata, tags)
		if err != nil {
			return err
		}
		told, err = b.s.notify(ctx, tx, b.name, r.Object)
		return err
	})
	if err != nil {
		return platform.Object{}, err
	}
	b.s.bells.ring(told...)
	return r.Object, b.discard(old)
}

// replaceable returns the version that a new one would replace, an empty one if there is none. ErrExists.
func (b *Bucket) replaceable(ctx context.Context, tx *sql.Tx, key string, ifAbsent bool) (record, error) {
	old, err := b.find(ctx, tx, key)
	if errors.Is(err, platform.ErrNotFound) {
		return record{}, nil
	}
	if err == nil && ifAbsent {
		return record{}, fmt.Errorf("%s: %w", key, platform.ErrExists)
	}
	return old, err
}

func encodeMap(m map[string]string) (string, error) {
	if m == nil {
		m = map[string]string{}
	}
	b, err := json.Marshal(m)
	return string(b), err
}

// discard removes a version's file. Readers that have it open keep their version.
func (b *Bucket) discard(r record) error {
	if r.file == "" || r.linked {
		return nil
	}
	if err := os.Remove(b.pathOf(r)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Delete implements platform.Objects.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		var old record
		err := b.s.writeDurably(ctx, func(tx *sql.Tx) (err error) {
			if old, err = b.find(ctx, tx, key); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, "DELETE FROM objects WHERE bucket = ? AND key = ?", b.name, key)
			return err
		})
		if errors.Is(err, platform.ErrNotFound) {
			continue
		}
		if err = errors.Join(err, b.discard(old)); err != nil {
			return err
		}
	}
	return nil
}

// List implements platform.Objects.
func (b *Bucket) List(ctx context.Context, prefix, token string, limit int) ([]platform.Object, string, error) {
	after := ""
	if token != "" {
		raw, err := hex.DecodeString(token)
		if err != nil || platform.CheckKey(string(raw)) != nil {
			return nil, "", platform.ErrBadToken
		}
		after = string(raw)
	}
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	rows, err := b.s.db.QueryContext(ctx, "SELECT "+recordColumns+` FROM objects
		WHERE bucket = ? AND key > ? AND substr(key, 1, length(?)) = ? ORDER BY key LIMIT ?`, b.name, after, prefix, prefix, limit+1)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	var list []platform.Object
	for rows.Next() {
		r, err := scanRecord(rows.Scan)
		if err != nil {
			return nil, "", err
		}
		list = append(list, r.Object)
	}
	if err := rows.Err(); err != nil || len(list) <= limit {
		return list, "", err
	}
	return list[:limit], hex.EncodeToString([]byte(list[limit-1].Key)), nil
}
