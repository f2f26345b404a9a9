package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stereospot/stereospot/internal/pause"
)

// Disk is a gate that closes while a directory's file system has less than MinFree bytes left, or while it has no more
// left than when work last found it full. It opens again by itself. Safe for concurrent use.
type Disk struct {
	dir     string
	minFree int64
	every   time.Duration
	log     *slog.Logger

	mu      sync.Mutex
	full    bool
	refused refusal
}

// refusal is a moment at which the room that there was didn't do.
type refusal struct {
	free int64 // bytes
	at   time.Time
}

// What ends a refusal: more room than there was, or time, for what is full may be a quota, which a file system's free
// bytes don't show.
const (
	moreRoom      = 1 << 20 // bytes
	longestRefuse = 5 * time.Minute
)

// holds reports whether the refusal still stands with so many bytes free.
func (r refusal) holds(free int64) bool {
	return !r.at.IsZero() && free < r.free+moreRoom && time.Since(r.at) < longestRefuse
}

// Refused implements Gate.
func (d *Disk) Refused() {
	s, err := d.Status()
	if err != nil {
		return // what can't be asked holds nobody back
	}
	d.mu.Lock()
	d.refused = refusal{free: s.Free, at: time.Now()}
	d.mu.Unlock()
	d.judge(&s) // says that it is full now
}

var _ Gate = (*Disk)(nil)

// NewDisk returns a gate that looks at dir's file system every so often while it is closed.
func NewDisk(dir string, minFree int64, every time.Duration, log *slog.Logger) *Disk {
	return &Disk{dir: dir, minFree: minFree, every: every, log: log}
}

// DiskStatus is how a file system stands.
type DiskStatus struct {
	Free, Total, MinFree int64 // bytes
	Full                 bool  // no work is taken on
}

// Status looks at the file system.
func (d *Disk) Status() (DiskStatus, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(d.dir, &s); err != nil {
		return DiskStatus{}, err
	}
	status := DiskStatus{Free: int64(s.Bavail) * s.Bsize, Total: int64(s.Blocks) * s.Bsize, MinFree: d.minFree}
	d.judge(&status)
	return status, nil
}

// judge decides whether the disk is full, and logs when it becomes so and when it is no longer.
func (d *Disk) judge(s *DiskStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Full = s.Free < d.minFree || d.refused.holds(s.Free)
	if s.Full == d.full {
		return
	}
	d.full = s.Full
	if s.Full {
		d.log.Error("the disk is full: no work is taken on until there is room", "free_bytes", s.Free, "min_free_bytes", s.MinFree, "dir", d.dir)
		return
	}
	d.log.Info("there is room on the disk again: work goes on", "free_bytes", s.Free, "dir", d.dir)
}

// Wait implements Gate. A file system that can't be asked holds nobody back: what can't be written says so itself.
func (d *Disk) Wait(ctx context.Context) error {
	for {
		status, err := d.Status()
		if err != nil || !status.Full {
			return ctx.Err()
		}
		if pause.For(ctx, d.every) != nil {
			return ctx.Err()
		}
	}
}
