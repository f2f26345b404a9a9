package local

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

func read(t *testing.T, b *Bucket, key string, offset, length int64) string {
	t.Helper()
	r, _, err := b.Get(t.Context(), key, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func put(t *testing.T, b *Bucket, key, content string, opts platform.PutOptions) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, strings.NewReader(content), opts); err != nil {
		t.Fatal(err)
	}
}

// brokenReader fails after some bytes.
type brokenReader struct{ left int }

var errBroken = errors.New("broken")

func (r *brokenReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, errBroken
	}
	n := min(len(p), r.left)
	r.left -= n
	return n, nil
}

func TestBrokenWritePublishesNothingAndLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, nil).Output()
	if _, err := b.Put(t.Context(), "x/y", &brokenReader{100_000}, platform.PutOptions{}); !errors.Is(err, errBroken) {
		t.Fatalf("Put: %v", err)
	}
	if _, err := b.Head(t.Context(), "x/y"); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("Head: %v", err)
	}
	checkFiles(t, filepath.Join(dir, outputBucket), 0)
}

func checkFiles(t *testing.T, dir string, want int) {
	t.Helper()
	n := 0
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return err
	})
	if n != want {
		t.Errorf("%d files in %s, want %d", n, dir, want)
	}
}

func TestLinkedFileIsUsedInPlaceAndNeverRemoved(t *testing.T) {
	dir := t.TempDir()
	film := filepath.Join(t.TempDir(), "film.mp4")
	if err := os.WriteFile(film, []byte("film"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir, nil).Input()
	if err := b.Link(t.Context(), "input/x/source.mp4", film); err != nil {
		t.Fatal(err)
	}
	if path, err := b.Path(t.Context(), "input/x/source.mp4"); err != nil || path != film {
		t.Errorf("Path = %q, %v", path, err)
	}
	if err := b.Delete(t.Context(), "input/x/source.mp4"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(film); err != nil {
		t.Error("the person's own file is gone")
	}
}

func TestSweepRemovesOnlyFilesThatNoObjectNames(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	s := open(t, dir, func() time.Time { return now })
	put(t, s.Output(), "jobs/kept.mp4", "x", platform.PutOptions{})
	orphan := filepath.Join(dir, outputBucket, "jobs", "orphan~1.mp4")
	if err := os.WriteFile(orphan, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("young files: %d removed, %v", n, err)
	}
	now = now.Add(2 * time.Hour)
	if n, err := s.Sweep(t.Context(), time.Hour); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	if got := read(t, s.Output(), "jobs/kept.mp4", 0, -1); got != "x" {
		t.Error("an object lost its file")
	}
}

func TestDataOfANewerVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	if _, err := s.db.ExecContext(t.Context(), "PRAGMA user_version = 999"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer StereoSpot") {
		t.Errorf("Open: %v", err)
	}
}

func TestOtherUsersCannotReadTheKeysInTheDatabase(t *testing.T) {
	dir := t.TempDir()
	store, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, name := range []string{DatabaseFile, DatabaseFile + "-wal", DatabaseFile + "-shm"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has rights %v", name, info.Mode())
		}
	}
}

func TestSweepRemovesTheDirectoriesOfRemovedJobs(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	s := open(t, dir, func() time.Time { return now })
	put(t, s.Output(), "jobs/gone/segments/00000.mp4", "x", platform.PutOptions{})
	put(t, s.Output(), "jobs/kept/final.mp4", "x", platform.PutOptions{})
	if err := s.Output().Delete(t.Context(), "jobs/gone/segments/00000.mp4"); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(dir, outputBucket, "jobs", "gone")
	if _, err := s.Sweep(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(gone); err != nil {
		t.Errorf("a young directory is gone: %v", err)
	}
	now = now.Add(2 * time.Hour)
	if _, err := s.Sweep(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of a removed job stays: %v", err)
	}
	if got := read(t, s.Output(), "jobs/kept/final.mp4", 0, -1); got != "x" {
		t.Errorf("the kept film is %q", got)
	}
	put(t, s.Output(), "jobs/gone/segments/00000.mp4", "again", platform.PutOptions{})
	if got := read(t, s.Output(), "jobs/gone/segments/00000.mp4", 0, -1); got != "again" {
		t.Errorf("written again it is %q", got)
	}
}
