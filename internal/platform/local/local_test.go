package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

func open(t *testing.T, dir string, now func() time.Time) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newJob(t *testing.T, s *Store) job.Job {
	t.Helper()
	j := job.Job{ID: job.NewID(time.Now()), Title: "film.mp4", Status: job.Created, CreatedAt: time.Now(), Options: job.DefaultOptions()}
	if err := s.Jobs().Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return j
}

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

func TestObjectsKeepContentMetadataAndRanges(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, dir, nil).Output(), "a/b.mp4", "0123456789", platform.PutOptions{Metadata: map[string]string{"k": "v"}})
	b := open(t, dir, nil).Output() // as another process would see it
	o, err := b.Head(t.Context(), "a/b.mp4")
	if err != nil || o.Size != 10 || o.Metadata["k"] != "v" || o.ETag == "" {
		t.Errorf("Head = %+v, %v", o, err)
	}
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {3, 4, "3456"}, {8, 99, "89"}, {0, 0, ""}} {
		if got := read(t, b, "a/b.mp4", c.offset, c.length); got != c.want {
			t.Errorf("range %d+%d = %q, want %q", c.offset, c.length, got, c.want)
		}
	}
	for _, offset := range []int64{-1, 10, 11} {
		if _, _, err := b.Get(t.Context(), "a/b.mp4", offset, 1); !errors.Is(err, platform.ErrBadRange) {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
}

func TestReaderSeesOneVersionWhileAnotherIsWritten(t *testing.T) {
	b := open(t, t.TempDir(), nil).Output()
	put(t, b, "k", strings.Repeat("old", 1<<16), platform.PutOptions{})
	r, _, err := b.Get(t.Context(), "k", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put(t, b, "k", "new", platform.PutOptions{})
	data, err := io.ReadAll(r)
	if err != nil || string(data) != strings.Repeat("old", 1<<16) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if got := read(t, b, "k", 0, -1); got != "new" {
		t.Errorf("a later reader sees %.10q", got)
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

func TestOneOfManyRacingWritersWinsIfAbsent(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, nil).Output()
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 20 {
		wg.Go(func() {
			_, err := b.Put(context.WithoutCancel(t.Context()), "k", strings.NewReader(fmt.Sprint(i)), platform.PutOptions{IfAbsent: true})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, platform.ErrExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
	checkFiles(t, filepath.Join(dir, outputBucket), 1)
}

func TestHostileKeysAreRefused(t *testing.T) {
	b := open(t, t.TempDir(), nil).Input()
	for _, key := range []string{"", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\x00b", `a\b`, "a\nb", strings.Repeat("x", 2000), "\xff"} {
		if _, err := b.Put(t.Context(), key, strings.NewReader("x"), platform.PutOptions{}); !errors.Is(err, platform.ErrBadKey) {
			t.Errorf("Put(%.20q): %v", key, err)
		}
		if _, err := b.Head(t.Context(), key); !errors.Is(err, platform.ErrBadKey) {
			t.Errorf("Head(%.20q): %v", key, err)
		}
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

func TestListPagesInKeyOrderUnderAPrefix(t *testing.T) {
	b := open(t, t.TempDir(), nil).Output()
	for i := range 25 {
		put(t, b, fmt.Sprintf("jobs/%02d", i), "x", platform.PutOptions{})
	}
	put(t, b, "other/1", "x", platform.PutOptions{})
	var keys []string
	for token, page := "", 0; page == 0 || token != ""; page++ {
		list, next, err := b.List(t.Context(), "jobs/", token, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			keys = append(keys, o.Key)
		}
		token = next
	}
	if len(keys) != 25 || keys[0] != "jobs/00" || keys[24] != "jobs/24" {
		t.Errorf("%d keys: %v", len(keys), keys)
	}
	if _, _, err := b.List(t.Context(), "", "no token", 10); !errors.Is(err, platform.ErrBadToken) {
		t.Errorf("bad token: %v", err)
	}
}

func TestCompletionCountsOnceHoweverOftenItIsRecorded(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	j := newJob(t, s)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			c := platform.Completion{JobID: j.ID, Index: i % 10, Completed: time.Now()}
			if _, err := s.Completions().Record(context.WithoutCancel(t.Context()), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Jobs().Get(t.Context(), j.ID)
	if err != nil || got.CompletedSegments != 10 {
		t.Errorf("counter %d, %v", got.CompletedSegments, err)
	}
	all, err := s.Completions().All(t.Context(), j.ID)
	if err != nil || len(all) != 10 || all[9].Index != 9 {
		t.Errorf("%d rows, %v", len(all), err)
	}
	if _, err := s.Completions().Record(t.Context(), platform.Completion{JobID: "none"}); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("completion of no job: %v", err)
	}
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	j := newJob(t, s)
	other := open(t, dir, nil)
	var wg sync.WaitGroup
	for i := range 30 {
		store := []*Store{s, other}[i%2]
		wg.Go(func() {
			_, err := store.Jobs().Update(context.WithoutCancel(t.Context()), j.ID, func(j *job.Job) error { j.TotalFrames++; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := s.Jobs().Get(t.Context(), j.ID); err != nil || got.TotalFrames != 30 || got.Version != 31 {
		t.Errorf("%d updates, version %d, %v", got.TotalFrames, got.Version, err)
	}
}

func TestRefusedChangeWritesNothing(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	j := newJob(t, s)
	refuse := errors.New("no")
	_, err := s.Jobs().Update(t.Context(), j.ID, func(j *job.Job) error { j.Title = "changed"; return refuse })
	if !errors.Is(err, refuse) {
		t.Errorf("Update: %v", err)
	}
	if got, _ := s.Jobs().Get(t.Context(), j.ID); got.Title != "film.mp4" || got.Version != 1 {
		t.Errorf("row changed: %+v", got)
	}
}

func TestJobsListNewestFirstByPages(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	begin := time.Now()
	for i := range 7 {
		j := job.Job{ID: job.NewID(begin), Title: fmt.Sprintf("Film %d", i), Status: job.Created, CreatedAt: begin.Add(time.Duration(i/2) * time.Second)}
		if i == 3 {
			j.Status = job.Failed
		}
		if err := s.Jobs().Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	var last time.Time
	for token, page := "", 0; page == 0 || token != ""; page++ {
		list, next, err := s.Jobs().List(t.Context(), platform.JobQuery{Token: token, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range list {
			if seen[j.ID] || !last.IsZero() && j.CreatedAt.After(last) {
				t.Errorf("%s comes twice or out of order", j.Title)
			}
			seen[j.ID], last = true, j.CreatedAt
		}
		token = next
	}
	if len(seen) != 7 {
		t.Errorf("%d jobs listed", len(seen))
	}
	failed, _, err := s.Jobs().List(t.Context(), platform.JobQuery{Statuses: []job.Status{job.Failed}, Search: "film"})
	if err != nil || len(failed) != 1 || failed[0].Title != "Film 3" {
		t.Errorf("failed jobs: %v, %v", failed, err)
	}
}

func TestLeaseHasOneHolderUntilItExpires(t *testing.T) {
	now := time.Unix(1000, 0)
	s := open(t, t.TempDir(), func() time.Time { return now })
	l := s.Leases()
	must := func(want, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	must(nil, l.Acquire(t.Context(), "x", "a", time.Minute))
	must(nil, l.Acquire(t.Context(), "x", "a", time.Minute))
	must(platform.ErrLeaseHeld, l.Acquire(t.Context(), "x", "b", time.Minute))
	now = now.Add(59 * time.Second)
	must(nil, l.Renew(t.Context(), "x", "a", time.Minute))
	now = now.Add(61 * time.Second)
	must(nil, l.Acquire(t.Context(), "x", "b", time.Minute))
	must(platform.ErrLeaseLost, l.Renew(t.Context(), "x", "a", time.Minute))
	must(nil, l.Release(t.Context(), "x", "a")) // not the holder: no effect
	must(platform.ErrLeaseHeld, l.Acquire(t.Context(), "x", "c", time.Minute))
	must(nil, l.Release(t.Context(), "x", "b"))
	must(nil, l.Acquire(t.Context(), "x", "c", time.Minute))
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
