package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// publish moves the finished file to where the person wants it, in one step: it is there whole or not
// at all. Without overwrite an existing file wins, also one that appeared in the meantime.
func publish(final, output string, overwrite bool) error {
	staged, err := stage(final, output)
	if err != nil {
		return fmt.Errorf("can't write %s: %w (the work is kept; run again when that is mended)", output, err)
	}
	if overwrite {
		err = os.Rename(staged, output)
	} else {
		err = renameNew(staged, output)
	}
	if err != nil {
		if staged != final {
			err = errors.Join(err, os.Remove(staged))
		}
		return err
	}
	return syncDirectory(filepath.Dir(output))
}

// stage returns a file with final's content on output's file system: final itself where it is there.
func stage(final, output string) (string, error) {
	dir := filepath.Dir(output)
	if sameDevice(filepath.Dir(final), dir) {
		return final, nil
	}
	in, err := os.Open(final)
	if err != nil {
		return "", err
	}
	defer in.Close()
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(output)+".*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(tmp, in)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return "", errors.Join(err, os.Remove(tmp.Name()))
	}
	return tmp.Name(), nil
}

func sameDevice(a, b string) bool {
	var x, y syscall.Stat_t
	return syscall.Stat(a, &x) == nil && syscall.Stat(b, &y) == nil && x.Dev == y.Dev
}

// renameNew renames without overwriting: a hard link fails where the name is taken. File systems
// without hard links get a check and a rename.
func renameNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if _, statErr := os.Lstat(to); errors.Is(err, fs.ErrExist) || statErr == nil {
		return fmt.Errorf("%s appeared in the meantime: use -y to overwrite it", to)
	}
	return os.Rename(from, to)
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
