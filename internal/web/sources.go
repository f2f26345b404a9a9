package web

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// How long a film may take to come from its store, and how long whoever asks for a preview waits for it: then they are
// told to ask again, before a proxy between gives up.
const (
	fetchFor  = 30 * time.Minute
	fetchWait = 20 * time.Second
)

var (
	// errFetching says that a film is on its way.
	errFetching = errors.New("the film is being fetched")
	// errTooLarge refuses a film that the copies' room doesn't hold.
	errTooLarge = errors.New("the film is too large to be fetched")
)

// sources are the films that previews are drawn from, as files: the store's own where it is on this disk, else copies,
// the last used of which stay.
type sources struct {
	input platform.Objects
	dir   string
	room  int64 // bytes, of all copies

	mu     sync.Mutex
	copies map[sourceKey]*filmCopy
}

// sourceKey names one version of a film.
type sourceKey struct{ jobID, etag string }

// filmCopy is a film on this disk, or on its way.
type filmCopy struct {
	size    int64
	arrived chan struct{} // closed when path and err are settled
	path    string
	err     error
	users   int       // who read it now
	used    time.Time // when it was asked for last
}

func newSources(input platform.Objects, dir string, room int64) *sources {
	return &sources{input: input, dir: dir, room: room, copies: map[sourceKey]*filmCopy{}}
}

// open returns a file that holds the film of size bytes, for reading only, until close is called. Who stops waiting
// leaves the film on its way, for the next who asks. errFetching, errTooLarge, errBusy.
func (s *sources) open(ctx context.Context, key sourceKey, size int64) (path string, release func(), err error) {
	if files, ok := s.input.(platform.Files); ok {
		path, err = files.Path(ctx, job.SourceKey(key.jobID))
		return path, func() {}, err
	}
	c, err := s.use(ctx, key, size)
	if err != nil {
		return "", nil, err
	}
	release = func() { s.release(c) }
	wait := time.NewTimer(fetchWait)
	defer wait.Stop()
	select {
	case <-c.arrived:
		err = c.err
	case <-wait.C:
		err = errFetching
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		release()
		return "", nil, err
	}
	return c.path, release, nil
}

// use returns the copy, which stays until it is released. A new one is set on its way.
func (s *sources) use(ctx context.Context, key sourceKey, size int64) (*filmCopy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.copies[key]
	if c == nil {
		if err := s.makeRoom(size); err != nil {
			return nil, err
		}
		c = &filmCopy{size: size, arrived: make(chan struct{})}
		s.copies[key] = c
		go s.fetch(context.WithoutCancel(ctx), key, c)
	}
	c.users++
	c.used = time.Now()
	return c, nil
}

func (s *sources) release(c *filmCopy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.users--
}

// makeRoom drops the copies that nobody uses and that were asked for longest ago, until size bytes more fit.
func (s *sources) makeRoom(size int64) error {
	if size > s.room {
		return errTooLarge
	}
	for {
		used := size
		var oldest sourceKey
		for key, c := range s.copies {
			used += c.size
			if o := s.copies[oldest]; c.idle() && (o == nil || c.used.Before(o.used)) {
				oldest = key
			}
		}
		if used <= s.room {
			return nil
		}
		c := s.copies[oldest]
		if c == nil {
			return errBusy
		}
		delete(s.copies, oldest)
		if err := os.Remove(c.path); err != nil {
			return err
		}
	}
}

// idle reports whether the film has come and nobody reads it.
func (c *filmCopy) idle() bool {
	select {
	case <-c.arrived:
		return c.users == 0
	default:
		return false
	}
}

// fetch brings a film. One that doesn't come is forgotten, so that the next who asks has it fetched again.
func (s *sources) fetch(ctx context.Context, key sourceKey, c *filmCopy) {
	ctx, cancel := context.WithTimeout(ctx, fetchFor)
	defer cancel()
	path, err := s.download(ctx, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.path, c.err = path, err; err != nil {
		delete(s.copies, key)
	}
	close(c.arrived)
}

func (s *sources) download(ctx context.Context, key sourceKey) (string, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", err
	}
	path, o, err := platform.FetchObject(ctx, s.input, job.SourceKey(key.jobID), s.dir)
	if err == nil && o.ETag != key.etag {
		err = fmt.Errorf("%s: %w: it was replaced meanwhile", o.Key, platform.ErrCondition)
	}
	if err != nil && path != "" {
		err = errors.Join(err, os.Remove(path))
	}
	return path, err
}
