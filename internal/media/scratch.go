package media

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Scratch is a directory in the system's temporary one for files under way. The kernel frees its lock when the
// process ends, however it ends: what a killed process left is removed when the next Scratch is made.
type Scratch struct {
	Dir  string
	lock *os.File
}

const (
	scratchName = "stereospot-tmp-"
	// scratchAge is how old a directory without a lock must be before it counts as left behind: a new one is
	// locked a moment after it is made.
	scratchAge = time.Minute
)

// NewScratch makes the directory; Close removes it.
func NewScratch() (*Scratch, error) {
	sweepScratch(time.Now())
	dir, err := os.MkdirTemp("", scratchName)
	if err != nil {
		return nil, diskError(err)
	}
	lock, err := lockScratch(dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &Scratch{Dir: dir, lock: lock}, nil
}

// Close removes the directory with all that is in it.
func (s *Scratch) Close() error { return errors.Join(os.RemoveAll(s.Dir), s.lock.Close()) }

func lockScratch(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweepScratch removes what killed processes left. It is a courtesy: what can't be removed, such as another person's,
// stays.
func sweepScratch(now time.Time) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), scratchName+"*")) // the pattern is valid
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < scratchAge {
			continue
		}
		if lock, err := lockScratch(dir); err == nil {
			_ = errors.Join(os.RemoveAll(dir), lock.Close())
		}
	}
}
