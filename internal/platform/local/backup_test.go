package local

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// filled returns a store with a job, an object of each bucket and an upload under way, and the job.
func filled(t *testing.T) (*Store, job.Job) {
	t.Helper()
	s, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	j := job.Job{ID: job.NewID(time.Now()), Title: "Nosferatu.mkv", Status: job.Completed, CreatedAt: time.Now()}
	if err := s.Jobs().Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for b, key := range map[*Bucket]string{s.Input(): job.SourceKey(j.ID), s.Output(): job.FinalKey(j.ID, job.MP4)} {
		if _, err := b.Put(t.Context(), key, strings.NewReader("content of "+key), platform.PutOptions{ContentType: "video/mp4"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Platform().Uploads.Begin(t.Context(), job.SourceKey(job.NewID(time.Now())), platform.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return s, j
}

// checkCopy wants dir to hold j and its objects, and no upload.
func checkCopy(t *testing.T, dir string, j job.Job) {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := s.Jobs().Get(t.Context(), j.ID); err != nil || got.Title != j.Title || got.Status != j.Status {
		t.Errorf("job %+v, %v", got, err)
	}
	for b, key := range map[*Bucket]string{s.Input(): job.SourceKey(j.ID), s.Output(): job.FinalKey(j.ID, job.MP4)} {
		r, _, err := b.Get(t.Context(), key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(content) != "content of "+key {
			t.Errorf("%s: %q, %v", key, content, err)
		}
	}
	var uploads int
	if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM uploads").Scan(&uploads); err != nil || uploads != 0 {
		t.Errorf("%d uploads, %v", uploads, err)
	}
}

func TestBackupOfAStoreInUseHoldsTheSameJobsAndObjects(t *testing.T) {
	s, j := filled(t)
	out := filepath.Join(t.TempDir(), "backups", "today")
	done, err := s.Backup(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	if done.Jobs != 1 || done.Objects != 2 {
		t.Errorf("%+v", done)
	}
	// What happens to the store afterwards doesn't reach the copy.
	if err := s.Output().Delete(t.Context(), job.FinalKey(j.ID, job.MP4)); err != nil {
		t.Fatal(err)
	}
	if err := s.Jobs().Delete(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	checkCopy(t, out, j)
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may look into it: %v, %v", info.Mode(), err)
	}
}

func TestBackupToAnotherDiskCopiesAndAFullOneLeavesNothing(t *testing.T) {
	s, j := filled(t)
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	}()
	out := filepath.Join(disk, "copy")
	if done, err := s.Backup(t.Context(), out); err != nil || done.Linked {
		t.Fatalf("%+v, %v", done, err)
	}
	checkCopy(t, out, j)
	if _, err := s.Output().Put(t.Context(), "jobs/big", bytes.NewReader(make([]byte, 9<<20)), platform.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(disk, "second")
	if _, err := s.Backup(t.Context(), second); !errors.Is(err, platform.ErrFull) {
		t.Errorf("a full disk is said as %v", err)
	}
	if _, err := os.Stat(second); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a backup is left: %v", err)
	}
}

func TestBackupRefusesADirectoryThatExists(t *testing.T) {
	s, _ := filled(t)
	out := t.TempDir()
	if _, err := s.Backup(t.Context(), out); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}
