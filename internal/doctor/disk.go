package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// directory checks that the data directory, or the place where it will be made, can be written.
func directory(dir string) Check {
	c := Check{Name: "data directory", State: OK, Detail: dir + " can be written"}
	where, exists := nearest(dir)
	if !exists {
		c.Detail = dir + " will be made"
	}
	if err := tryWrite(where); err != nil {
		c.State, c.Detail = Fail, fmt.Sprintf("can't write into %s: %v", where, plain(err))
		c.Advice = fmt.Sprintf("give it to the user that runs StereoSpot (chown -R USER %s), or choose another with --data-dir", where)
		if errors.Is(err, syscall.ENOSPC) {
			c.Advice = "make room on its disk"
		}
		return c
	}
	if exists {
		return contents(dir, c)
	}
	return c
}

// contents checks what a data directory holds at its top.
func contents(dir string, c Check) Check {
	for _, name := range []string{"stereospot.db", "stereospot.db-wal", "input", "output"} {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = openable(path, info)
		}
		if err != nil {
			c.State, c.Detail = Fail, fmt.Sprintf("can't use %s: %v", path, plain(err))
			c.Advice = fmt.Sprintf("everything in it has to belong to the user that runs StereoSpot: chown -R USER %s", dir)
			return c
		}
		if info.Mode().Perm()&0o002 != 0 {
			c.State, c.Detail = Warn, path+" can be changed by every user of this machine"
			c.Advice = "chmod -R o-w " + dir
		}
	}
	return c
}

func openable(path string, info fs.FileInfo) error {
	if info.IsDir() {
		return tryWrite(path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// nearest returns dir, or the closest directory above it that exists.
func nearest(dir string) (where string, exists bool) {
	where = dir
	for {
		if _, err := os.Stat(where); !errors.Is(err, fs.ErrNotExist) {
			return where, where == dir
		}
		up := filepath.Dir(where)
		if up == where {
			return where, false
		}
		where = up
	}
}

// tryWrite makes a file as the stores do: written, on the disk, renamed; and removes it.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 64<<10))
	err = errors.Join(err, f.Sync(), f.Close())
	name := f.Name()
	if err == nil {
		if err = os.Rename(name, name+"~"); err == nil {
			name += "~"
		}
	}
	return errors.Join(err, os.Remove(name))
}

// plain leaves the path, which the sentence around names already, out of an error.
func plain(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Free space, in bytes and files, below which to warn. A film takes about three times its size while it is converted.
const (
	littleSpace = 20 << 30
	fewFiles    = 10_000
)

// space checks the disk that the data directory is on.
func space(p Patient) Check {
	c := Check{Name: "free space"}
	where, _ := nearest(p.DataDir)
	var s syscall.Statfs_t
	if err := syscall.Statfs(where, &s); err != nil {
		c.State, c.Detail, c.Advice = Fail, fmt.Sprintf("%s: %v", where, err), "name a directory of this machine with --data-dir"
		return c
	}
	free := int64(s.Bavail) * int64(s.Bsize)
	c.State, c.Detail = OK, fmt.Sprintf("%.1f GB on the disk of %s", float64(free)/1e9, where)
	const advice = "remove jobs that are no longer needed (stereospot jobs list), shorten the retention, or move to a larger disk"
	switch {
	case free < p.MinFree:
		c.State, c.Advice = Fail, advice
	case free < littleSpace:
		c.State, c.Advice = Warn, advice
	case s.Files > 0 && s.Ffree < fewFiles:
		c.State, c.Detail, c.Advice = Warn, fmt.Sprintf("room for only %d more files on the disk of %s", s.Ffree, where), advice
	}
	return c
}

// temporary checks the system's directory for temporary files, which FFmpeg's own go through.
func temporary() Check {
	dir := os.TempDir()
	c := Check{Name: "temporary files", State: OK, Detail: dir + " can be written"}
	if err := tryWrite(dir); err != nil {
		c.State, c.Detail = Fail, fmt.Sprintf("can't write into %s: %v", dir, plain(err))
		c.Advice = "make room there, or set TMPDIR to another directory"
	}
	return c
}
