package models

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stereospot/stereospot/internal/pause"
)

// lock is what is written down about a model that was fetched, beside it.
type lock struct {
	Name   string `json:"name"`
	Repo   string `json:"repo"`
	Commit string `json:"commit,omitempty"`
	lockedFile
	Weights *lockedFile `json:"weights,omitempty"` // where they are in a file of their own
	License string      `json:"license"`
	Fetched time.Time   `json:"fetched"`
}

// lockedFile is one file of such a model.
type lockedFile struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func (p part) locked() lockedFile { return lockedFile{p.File, p.remote.size, p.remote.sha256} }

// Progress hears how much of a model is here.
type Progress func(have, size int64)

// Pull fetches a model, unless it is here and has the hashes that are known. What an earlier call has fetched of the same
// files is kept. Of several processes that fetch a model into one directory, one does.
func (s *Store) Pull(ctx context.Context, h *Hub, m Model, progress Progress) (path string, err error) {
	if err := os.MkdirAll(s.dirOf(m.Name), 0o755); err != nil {
		return "", fmt.Errorf("can't make the models' directory: %w (choose another with --models-dir)", err)
	}
	claim, err := s.claim(ctx, h, m)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, claim.Close()) }()
	path = s.pathOf(m.Name)
	whole, err := s.whole(m)
	if err != nil {
		return path, err
	}
	if whole {
		size, err := sizeOf(parts(m, path))
		progress(size, size)
		return path, err
	}
	return path, s.fetch(ctx, h, m, progress)
}

// fetch brings every file of a model and moves them to their places when all are here.
func (s *Store) fetch(ctx context.Context, h *Hub, m Model, progress Progress) error {
	parts := parts(m, s.pathOf(m.Name))
	d := delivery{progress: progress}
	for i := range parts {
		p := &parts[i]
		var err error
		if p.remote, err = h.ask(ctx, p.Model); err != nil {
			return err
		}
		if isFile(p.path) {
			sum, err := s.hash(p.path)
			p.here = err == nil && sum == p.remote.sha256
		}
		d.size += p.remote.size
		if p.here {
			d.have += p.remote.size
		}
	}
	progress(d.have, d.size)
	for _, p := range parts {
		if !p.here {
			if err := s.download(ctx, h, p, &d); err != nil {
				return err
			}
		}
	}
	return s.publish(m, parts)
}

// claimName is the file whose lock a process holds while it fetches into a directory.
const claimName = "fetch.lock"

// claim makes this process the one that fetches the model, until the file is closed or the process ends, however it ends.
// Where another one is at it, and the hub is asked without end, it waits for that.
func (s *Store) claim(ctx context.Context, h *Hub, m Model) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.dirOf(m.Name), claimName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || !h.Endless {
			return nil, errors.Join(fmt.Errorf("another stereospot fetches %s: wait for it (%w)", m.Name, err), f.Close())
		}
		if !told && h.Retry != nil {
			h.Retry(fmt.Errorf("another stereospot fetches %s", m.Name), firstPause)
		}
		if err := h.pause(ctx, firstPause); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
}

// ask asks the hub for the file's hash and size, and holds the hash against the one that is known.
func (h *Hub) ask(ctx context.Context, m Model) (r remote, err error) {
	err = h.persist(ctx, func() (bool, error) {
		r, err = h.describe(ctx, m)
		return false, err
	})
	if err == nil && m.SHA256 != "" && r.sha256 != m.SHA256 {
		return r, fmt.Errorf("%s: the hub has SHA-256 %s, this stereospot knows %s: nothing was fetched", m.Name, r.sha256, m.SHA256)
	}
	return r, err
}

// delivery is how much of all files is here.
type delivery struct {
	have, size int64
	progress   Progress
}

// add counts more bytes, or fewer.
func (d *delivery) add(n int64) {
	d.have += n
	d.progress(d.have, d.size)
}

// download fetches a file beside its place and verifies it.
func (s *Store) download(ctx context.Context, h *Hub, p part, all *delivery) (err error) {
	f, err := os.OpenFile(p.partial(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	d := &partialFile{f: f, sum: sha256.New(), size: p.remote.size, all: all}
	if err := d.resume(); err != nil {
		return err
	}
	if err := s.checkRoom(p.Name, all.size-all.have); err != nil {
		return err
	}
	if d.have < d.size {
		if err := h.persist(ctx, func() (bool, error) { return d.fetch(ctx, h, p.Model) }); err != nil {
			return err
		}
	}
	if sum := hex.EncodeToString(d.sum.Sum(nil)); sum != p.remote.sha256 {
		return errors.Join(fmt.Errorf("%s: what came of %s has SHA-256 %s, the hub promised %s: it was thrown away", p.Name, path.Base(p.File), sum, p.remote.sha256),
			os.Remove(p.partial()))
	}
	return f.Sync()
}

// publish moves what was fetched to its places, the network last: with it the model counts as installed.
func (s *Store) publish(m Model, parts []part) error {
	for i, p := range parts {
		if i == len(parts)-1 {
			if err := s.writeLock(m, parts); err != nil {
				return err
			}
		}
		if p.here {
			continue
		}
		if err := os.Rename(p.partial(), p.path); err != nil {
			return err
		}
	}
	return nil
}

// partialFile is a download under way.
type partialFile struct {
	f          *os.File
	sum        hash.Hash // of what is here
	have, size int64
	all        *delivery
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
	had := d.have
	d.have, err = io.Copy(d.sum, d.f)
	d.all.add(d.have - had)
	return err
}

// fetch gets what is missing, and reports whether anything came.
func (d *partialFile) fetch(ctx context.Context, h *Hub, m Model) (came bool, err error) {
	before := d.have
	err = h.fetch(ctx, m, d.size, d.have, io.MultiWriter(d.f, d.sum), func(n int) {
		d.have += int64(n)
		d.all.add(int64(n))
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

// attempts is how often something is tried without a byte of progress, unless there is to be no end. The pauses between double
// from firstPause to longestPause, unless the hub asks for another.
const (
	attempts     = 5
	firstPause   = time.Second
	longestPause = 2 * time.Minute
)

// persist calls try again while it fails for a reason that may pass, as Hub.Retry and Hub.Endless say.
func (h *Hub) persist(ctx context.Context, try func() (came bool, err error)) error {
	wait := firstPause
	for left := attempts; ; {
		came, err := try()
		transient := new(transientError)
		if err == nil || !errors.As(err, &transient) || ctx.Err() != nil {
			return err
		}
		if came {
			left, wait = attempts, firstPause
		}
		if left--; left <= 0 && !h.Endless {
			return err
		}
		next := cmp.Or(transient.after, wait)
		wait = min(2*wait, longestPause)
		if h.Retry != nil {
			h.Retry(err, next)
		}
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

// writeLock writes down what was fetched; parts are as the function of that name returns them.
func (s *Store) writeLock(m Model, parts []part) error {
	network := parts[len(parts)-1]
	l := lock{Name: m.Name, Repo: m.Repo, Commit: network.remote.commit, lockedFile: network.locked(), License: m.License, Fetched: time.Now().UTC()}
	if len(parts) > 1 {
		weights := parts[0].locked()
		l.Weights = &weights
	}
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.dirOf(m.Name), lockName)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
