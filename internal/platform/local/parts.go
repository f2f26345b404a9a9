package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stereospot/stereospot/internal/platform"
)

// slot is where one part's bytes are written while they arrive.
type slot struct {
	*os.File
	offset int64
	file   string      // the part's own file, below the bucket's directory; empty: at its place in the upload's file
	turn   *sync.Mutex // held while writing
}

// putPart stores size bytes of r as the upload's part. A part counts once it is whole and on the disk; until then, and
// after an error, an earlier copy of it stays. ErrNotFound, io.ErrUnexpectedEOF.
func (u uploads) putPart(ctx context.Context, key, id string, number int, size int64, r io.Reader) (platform.Part, error) {
	row, err := u.find(ctx, &u.b.s.db, key, id)
	if err != nil {
		return platform.Part{}, err
	}
	if row.partSize, err = u.settlePartSize(ctx, row, size); err != nil {
		return platform.Part{}, err
	}
	to, err := u.openSlot(ctx, key, row, number, size)
	if err != nil {
		return platform.Part{}, err
	}
	p := part{Part: platform.Part{Number: number, Size: size}, file: to.file}
	superfluous := []part{p}
	if p.ETag, err = to.receive(ctx, size, r); err == nil {
		superfluous, err = u.keepPart(ctx, id, p)
	}
	if err = errors.Join(full(err), u.removeFiles(superfluous), to.Close()); err != nil {
		return platform.Part{}, err
	}
	return p.Part, nil
}

// settlePartSize returns the parts' distance in the upload's file, which the first part of a full size decides
// where nobody said it before. 0: still unknown.
func (u uploads) settlePartSize(ctx context.Context, row upload, size int64) (int64, error) {
	if row.partSize > 0 || size < platform.MinPartSize {
		return row.partSize, nil
	}
	if _, err := u.b.s.exec(ctx, "UPDATE uploads SET part_size = ? WHERE id = ? AND part_size = 0", size, row.id); err != nil {
		return 0, err
	}
	err := u.b.s.db.QueryRowContext(ctx, "SELECT part_size FROM uploads WHERE id = ?", row.id).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		err = platform.ErrNotFound
	}
	return size, err
}

// openSlot opens the part's place in the upload's file, or a file of its own where that is taken.
func (u uploads) openSlot(ctx context.Context, key string, row upload, number int, size int64) (*slot, error) {
	if size <= row.partSize {
		if s, err := u.openPlace(ctx, row, number); s != nil || err != nil {
			return s, err
		}
	}
	file, err := u.b.newFile(fmt.Sprintf("%s.part%d", key, number))
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(u.b.root(), file), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, full(err)
	}
	return &slot{File: f, file: file, turn: u.b.s.turns.of(file)}, nil
}

// openPlace locks and opens the part's place in the upload's file; nil when somebody writes there or the part has
// already arrived there.
func (u uploads) openPlace(ctx context.Context, row upload, number int) (*slot, error) {
	f, err := os.OpenFile(filepath.Join(u.b.root(), row.file), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("upload: %w", platform.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	offset := int64(number-1) * row.partSize
	free, err := lock(f, offset, row.partSize)
	if err == nil && free {
		// Completed or aborted, it is no upload any more, and the file may be an object.
		free, err = u.vacant(ctx, row.id, number)
	}
	if err != nil || !free {
		return nil, errors.Join(err, f.Close())
	}
	return &slot{File: f, offset: offset, turn: u.b.s.turns.of(row.file)}, nil
}

// vacant reports whether the part's place in the upload's file holds nothing of worth; ErrNotFound without an upload.
func (u uploads) vacant(ctx context.Context, id string, number int) (bool, error) {
	var open, taken bool
	err := u.b.s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM uploads WHERE id = ?1),
		EXISTS (SELECT 1 FROM parts WHERE upload_id = ?1 AND number = ?2 AND file = '')`, id, number).Scan(&open, &taken)
	if err == nil && !open {
		err = fmt.Errorf("upload: %w", platform.ErrNotFound)
	}
	return !taken, err
}

// receive writes exactly size bytes of r, waits until they are on the disk, and returns their hash. It writes a
// whole buffer at a time: what a socket gives at once is far smaller, and parts that arrive side by side would keep
// each other from the file. The disk begins with each buffer at once, so that little is left to wait for at the end.
// A part that doesn't fit on the disk fails before it has arrived.
func (s *slot) receive(ctx context.Context, size int64, r io.Reader) (etag string, err error) {
	if err := s.allocate(size); err != nil {
		return "", err
	}
	var hash platform.PartHash
	chunk := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(chunk)) {
		chunk = chunk[:min(int64(len(chunk)), size-at)]
		if _, err := io.ReadFull(contextReader{ctx, r}, chunk); errors.Is(err, io.EOF) {
			return "", io.ErrUnexpectedEOF
		} else if err != nil {
			return "", err
		}
		_, _ = hash.Write(chunk) // never fails
		if err := s.write(chunk, s.offset+at); err != nil {
			return "", err
		}
	}
	return hash.Name(), unix.Fdatasync(int(s.Fd()))
}

// write writes the bytes at offset and has the disk begin with them.
func (s *slot) write(p []byte, offset int64) error {
	s.turn.Lock()
	_, err := s.WriteAt(p, offset)
	s.turn.Unlock()
	if err != nil {
		return err
	}
	err = unix.SyncFileRange(int(s.Fd()), offset, int64(len(p)), unix.SYNC_FILE_RANGE_WRITE)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ESPIPE) || errors.Is(err, unix.EINVAL) {
		return nil // only a hint; Fdatasync decides
	}
	return err
}

// allocate reserves the part's room, where the file system can.
func (s *slot) allocate(size int64) error {
	if size == 0 {
		return nil
	}
	err := unix.Fallocate(int(s.Fd()), 0, s.offset, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// keepPart writes the part's row and returns what isn't needed any more: an earlier copy, or this one where the same
// content is there already. After an error it is this one.
func (u uploads) keepPart(ctx context.Context, id string, p part) (superfluous []part, err error) {
	err = u.b.s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE uploads SET touched = ? WHERE id = ?", u.b.s.now().UnixNano(), id)
		if err = unlessOne(result, err, fmt.Errorf("upload: %w", platform.ErrNotFound)); err != nil {
			return err
		}
		list, err := partsOf(ctx, tx, id)
		if err != nil {
			return err
		}
		superfluous = nil
		if at := slices.IndexFunc(list, func(old part) bool { return old.Number == p.Number }); at >= 0 {
			superfluous = list[at : at+1]
		}
		if len(superfluous) > 0 && superfluous[0].Part == p.Part {
			superfluous = []part{p}
			return nil
		}
		_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO parts (upload_id, number, size, etag, file) VALUES (?, ?, ?, ?, ?)",
			id, p.Number, p.Size, p.ETag, p.file)
		return err
	})
	if err != nil {
		return []part{p}, err
	}
	return superfluous, nil
}

// lock takes length bytes of f from offset (0: to the end, however far) for writing, if nobody has a part of them.
// The lock belongs to the open file: it ends with it, or with the process.
func lock(f *os.File, offset, length int64) (bool, error) {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: offset, Len: length})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// wholeFile is an upload's file in the hands of Complete.
type wholeFile struct {
	*os.File
	locked bool // nobody else writes to it
}

// lockWhole opens the upload's file and locks all of it. It waits a while for parts that are still arriving:
// copies, sent again by someone who gave up on the first connection.
func (u uploads) lockWhole(ctx context.Context, row upload) (*wholeFile, error) {
	const patience, pause = 2 * time.Second, 20 * time.Millisecond
	f, err := os.OpenFile(filepath.Join(u.b.root(), row.file), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("upload: %w", platform.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	whole := &wholeFile{File: f}
	for begin := time.Now(); !whole.locked && time.Since(begin) < patience && err == nil; {
		if whole.locked, err = lock(f, 0, 0); err == nil && !whole.locked {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return whole, nil
}
