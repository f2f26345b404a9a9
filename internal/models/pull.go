package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stereospot/stereospot/internal/pause"
)

// lock is what is written down about a model that was fetched, beside it.
type lock struct {
	Name    string    `json:"name"`
	Repo    string    `json:"repo"`
	Commit  string    `json:"commit,omitempty"`
	File    string    `json:"file"`
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	License string    `json:"license"`
	Fetched time.Time `json:"fetched"`
}

// Progress hears how much of a file is here.
type Progress func(have, size int64)

// attempts is how often a download is tried without a byte of progress.
const attempts = 5

// Pull fetches a model, unless it is here and whole. What an earlier call has fetched of the same file is kept.
func (s *Store) Pull(ctx context.Context, h *Hub, m Model, progress Progress) (path string, err error) {
	if err := os.MkdirAll(s.dirOf(m.Name), 0o755); err != nil {
		return "", fmt.Errorf("can't make the models' directory: %w (choose another with --models-dir)", err)
	}
	var r remote
	err = h.persist(ctx, func() (bool, error) {
		r, err = h.describe(ctx, m)
		return false, err
	})
	if err != nil {
		return "", err
	}
	if m.SHA256 != "" && r.sha256 != m.SHA256 {
		return "", fmt.Errorf("%s: the hub has SHA-256 %s, this stereospot knows %s: nothing was fetched", m.Name, r.sha256, m.SHA256)
	}
	path = s.pathOf(m.Name)
	if sum, err := s.hash(path); err == nil && sum == r.sha256 {
		progress(r.size, r.size)
		return path, s.writeLock(m, r)
	}
	if err := s.download(ctx, h, m, r, progress); err != nil {
		return "", err
	}
	return path, nil
}

// download fetches the file beside its place, verifies it, and moves it there.
func (s *Store) download(ctx context.Context, h *Hub, m Model, r remote, progress Progress) (err error) {
	partial := fmt.Sprintf("%s.%s.part", s.pathOf(m.Name), r.sha256[:12])
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// Two processes would write over each other.
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another stereospot fetches %s: wait for it", m.Name)
	}
	d := &partialFile{f: f, sum: sha256.New(), size: r.size, progress: progress}
	if err := d.resume(); err != nil {
		return err
	}
	if err := s.checkRoom(m.Name, r.size-d.have); err != nil {
		return err
	}
	if err := h.persist(ctx, func() (bool, error) { return d.fetch(ctx, h, m) }); err != nil {
		return err
	}
	if sum := hex.EncodeToString(d.sum.Sum(nil)); sum != r.sha256 {
		return errors.Join(fmt.Errorf("%s: what came has SHA-256 %s, the hub promised %s: it was thrown away", m.Name, sum, r.sha256), os.Remove(partial))
	}
	if err := errors.Join(f.Sync(), s.writeLock(m, r)); err != nil {
		return err
	}
	return os.Rename(partial, s.pathOf(m.Name))
}

// partialFile is a download under way.
type partialFile struct {
	f          *os.File
	sum        hash.Hash // of what is here
	have, size int64
	progress   Progress
}

// resume takes in what is here already.
func (d *partialFile) resume() error {
	info, err := d.f.Stat()
	if err == nil && info.Size() > d.size {
		err = d.f.Truncate(0)
	}
	if err != nil {
		return err
	}
	d.sum.Reset()
	if _, err := d.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d.have, err = io.Copy(d.sum, d.f)
	d.progress(d.have, d.size)
	return err
}

// fetch gets what is missing, and reports whether anything came.
func (d *partialFile) fetch(ctx context.Context, h *Hub, m Model) (came bool, err error) {
	before := d.have
	err = h.fetch(ctx, m, d.size, d.have, io.MultiWriter(d.f, d.sum), func(n int) {
		d.have += int64(n)
		d.progress(d.have, d.size)
	})
	came = d.have > before
	if !errors.Is(err, errRange) || before == 0 {
		return came, err
	}
	// A hub without ranges: from the start.
	if err := errors.Join(d.f.Truncate(0), d.resume()); err != nil {
		return false, err
	}
	return false, &transientError{err: errRange, after: time.Nanosecond}
}

// persist calls try again while it fails for a reason that may pass: five times without progress at most.
func (h *Hub) persist(ctx context.Context, try func() (came bool, err error)) error {
	wait := time.Second
	for left := attempts; ; {
		came, err := try()
		transient := new(transientError)
		if err == nil || !errors.As(err, &transient) || ctx.Err() != nil {
			return err
		}
		if came {
			left, wait = attempts, time.Second
		}
		if left--; left == 0 {
			return err
		}
		next := wait
		if transient.after > 0 {
			next = transient.after
		}
		wait *= 2
		if err := h.pause(ctx, next); err != nil {
			return err
		}
	}
}

func (h *Hub) pause(ctx context.Context, d time.Duration) error {
	if h.Wait != nil {
		return h.Wait(ctx, d)
	}
	return pause.For(ctx, d)
}

// checkRoom fails where the disk hasn't room for need more bytes.
func (s *Store) checkRoom(name string, need int64) error {
	free, err := s.free()
	if err != nil || free >= need {
		return err
	}
	return fmt.Errorf("%s needs %.1f MB, and the disk of %s has room for %.1f MB: make room or choose another --models-dir",
		name, float64(need)/1e6, s.Dir, float64(max(free, 0))/1e6)
}

func (s *Store) free() (int64, error) {
	if s.Free != nil {
		return s.Free()
	}
	var disk syscall.Statfs_t
	err := syscall.Statfs(s.Dir, &disk)
	return int64(disk.Bavail) * int64(disk.Bsize), err
}

func (s *Store) writeLock(m Model, r remote) error {
	text, err := json.MarshalIndent(lock{
		Name: m.Name, Repo: m.Repo, Commit: r.commit, File: m.File, Size: r.size, SHA256: r.sha256, License: m.License, Fetched: time.Now().UTC(),
	}, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.dirOf(m.Name), lockName)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
