package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// tinyDisk mounts a file system of the given size in bytes.
func tinyDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("can't mount a small disk here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves about free bytes on the disk of dir and returns how to make room again.
func fill(t *testing.T, s *Store, free int64) (empty func()) {
	t.Helper()
	path := filepath.Join(s.dir, "ballast")
	room, err := s.Free()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, max(0, room-free))); err != nil && !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDiskFailsWritesWholeAndTheyWorkAgainAfterwards(t *testing.T) {
	s, err := Open(t.Context(), tinyDisk(t, 8<<20), Options{Notifications: platform.Notifications()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	failed := map[string]int{}
	for round, free := range []int64{0, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10} {
		w := newWrites(t, s, round)
		empty := fill(t, s, free)
		for _, what := range w.order {
			if err := w.run(t, what); err != nil {
				failed[what]++
				if !errors.Is(err, platform.ErrFull) {
					t.Errorf("%d bytes free, %s: %v", free, what, err)
				}
			}
		}
		empty()
		for _, what := range w.order {
			if w.done[what] {
				continue
			}
			if err := w.run(t, what); err != nil {
				t.Errorf("with room again, %s: %v", what, err)
			}
		}
		w.check(t)
	}
	for _, what := range []string{"put", "move", "part", "send", "job"} {
		if failed[what] == 0 {
			t.Errorf("%s never met a full disk", what)
		}
	}
	var verdict string
	if err := s.db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the database says %q, %v", verdict, err)
	}
}

// writes are one of each, which may be tried again until it is done.
type writes struct {
	s        *Store
	id       string
	round    int
	film     []byte
	moved    string // a file on another disk
	uploadID string
	parts    []platform.Part
	order    []string
	done     map[string]bool
}

func newWrites(t *testing.T, s *Store, round int) *writes {
	w := &writes{
		s: s, id: job.NewID(time.Now()), round: round, film: bytes.Repeat([]byte{byte(round)}, 150_000), done: map[string]bool{},
		moved: filepath.Join(t.TempDir(), "moved"), order: []string{"put", "move", "send", "job", "part", "complete", "record", "progress", "lease"},
	}
	if err := os.WriteFile(w.moved, w.film, 0o644); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *writes) key(name string) string { return fmt.Sprintf("input/%d/%s.mp4", w.round, name) }

func (w *writes) run(t *testing.T, what string) error {
	t.Helper()
	ctx, p := t.Context(), w.s.Platform()
	var err error
	switch what {
	case "put":
		_, err = p.Input.Put(ctx, w.key(what), bytes.NewReader(w.film), platform.PutOptions{})
	case "move":
		_, err = platform.PutFile(ctx, p.Input, w.key(what), w.moved, platform.PutOptions{})
	case "send":
		err = p.Queues[platform.ReassemblyQueue].Send(ctx, 0, w.film[:50_000])
	case "job":
		err = p.Jobs.Create(ctx, job.Job{ID: w.id, Title: string(bytes.Repeat([]byte("t"), 50_000)), CreatedAt: time.Now()})
	case "part":
		err = w.sendPart(ctx)
	case "complete":
		if !w.done["part"] {
			return nil
		}
		_, err = p.Uploads.Complete(ctx, w.key("upload"), w.uploadID, w.parts)
	case "record":
		if !w.done["job"] {
			return nil
		}
		_, err = p.Completions.Record(ctx, platform.Completion{JobID: w.id})
	case "progress":
		err = p.Progress.Report(ctx, w.id, platform.SegmentProgress{})
	case "lease":
		err = p.Leases.Acquire(ctx, fmt.Sprint(w.round), "a", time.Minute)
	}
	w.done[what] = err == nil
	return err
}

func (w *writes) sendPart(ctx context.Context) (err error) {
	u := uploads{w.s.Input()}
	if w.uploadID == "" {
		if w.uploadID, err = u.Begin(ctx, w.key("upload"), platform.PutOptions{PartSize: 1 << 20}); err != nil {
			w.uploadID = ""
			return err
		}
	}
	p, err := u.putPart(ctx, w.key("upload"), w.uploadID, 1, int64(len(w.film)), bytes.NewReader(w.film))
	w.parts = []platform.Part{p}
	return err
}

// check compares what was written with what there is, and empties the disk for the next round.
func (w *writes) check(t *testing.T) {
	t.Helper()
	in := w.s.Input()
	for _, name := range []string{"put", "move", "upload"} {
		if got := read(t, in, w.key(name), 0, -1); got != string(w.film) {
			t.Errorf("round %d: %s holds %d bytes", w.round, name, len(got))
		}
	}
	checkFiles(t, in.root(), 3)
	for _, q := range []struct {
		name platform.QueueName
		want int
	}{{platform.ChunkingQueue, 3}, {platform.ReassemblyQueue, 1}} {
		list, err := w.s.Queues()[q.name].Receive(t.Context(), 10, 0)
		if err != nil || len(list) != q.want {
			t.Errorf("round %d: %d messages in %s, %v", w.round, len(list), q.name, err)
		}
		for _, m := range list {
			if err := w.s.Queues()[q.name].Delete(t.Context(), m.Handle); err != nil {
				t.Error(err)
			}
		}
	}
	if j, err := w.s.Jobs().Get(t.Context(), w.id); err != nil || j.CompletedSegments != 1 {
		t.Errorf("round %d: %+v, %v", w.round, j.CompletedSegments, err)
	}
	if err := in.Delete(t.Context(), w.key("put"), w.key("move"), w.key("upload")); err != nil {
		t.Error(err)
	}
}
