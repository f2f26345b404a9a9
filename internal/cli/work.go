package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

// work is one conversion's work directory: an embedded platform that holds one job. It outlives the
// process, so the same command continues where it was.
type work struct {
	req   workRequest
	dir   string
	lock  *os.File
	store *local.Store
	job   job.Job
}

type workRequest struct {
	input, output string // absolute
	dir           string // empty: hidden, beside the output
	options       job.Options
	fresh         bool // forget an earlier run
	jobs          int  // segments at a time, 0 = choose
	report        *reporter
	models        *models.Loader
	opened        func() error // waits until the film's model is open, and says why it can't be
	gpu           *media.GPU
}

// openWork opens or makes the work directory and finds or makes its job. Work for another source or with
// other options is thrown away.
func openWork(ctx context.Context, req workRequest) (_ *work, err error) {
	w := &work{req: req, dir: req.dir}
	if w.dir == "" {
		name := strings.TrimSuffix(filepath.Base(req.output), filepath.Ext(req.output))
		w.dir = filepath.Join(filepath.Dir(req.output), "."+name+".stereospot")
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, fmt.Errorf("can't make the work directory: %w (choose another with --work-dir)", err)
	}
	if w.lock, err = lockDirectory(w.dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(false))
		}
	}()
	// What a killed run had under way; whatever it finished is in the store.
	if err := os.RemoveAll(w.scratch()); err != nil {
		return nil, err
	}
	if err := w.openStore(ctx); err != nil {
		return nil, err
	}
	source, err := fingerprint(req.input)
	if err != nil {
		return nil, err
	}
	if err := w.findJob(ctx, source); err != nil {
		return nil, err
	}
	return w, nil
}

// lockDirectory makes sure that one process works in dir. The kernel frees the lock when the process ends, however it ends.
func lockDirectory(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another stereospot works in %s: wait for it, or choose another --work-dir", dir)
	}
	return f, nil
}

func (w *work) openStore(ctx context.Context) error {
	store, err := local.Open(ctx, w.dir, local.Options{})
	if err != nil {
		return fmt.Errorf("work directory %s: %w", w.dir, err)
	}
	w.store = store
	return nil
}

// findJob continues the job of the same source and options, or starts afresh.
func (w *work) findJob(ctx context.Context, source string) error {
	jobs, _, err := w.store.Jobs().List(ctx, platform.JobQuery{Limit: 2})
	if err != nil {
		return err
	}
	if len(jobs) == 1 && !w.req.fresh && jobs[0].Source == source && jobs[0].Options == w.req.options {
		w.job = jobs[0]
		return nil
	}
	if len(jobs) > 0 {
		if err := w.req.opened(); err != nil { // nothing is thrown away for what can't be done
			return err
		}
		if err := w.startOver(ctx); err != nil {
			return err
		}
	}
	now := time.Now()
	id := job.NewID(now)
	w.job = job.Job{
		ID: id, Title: filepath.Base(w.req.input), Status: job.Created, Options: w.req.options, Source: source,
		CreatedAt: now, UpdatedAt: now,
	}
	// The source first: a job is never without one.
	if err := w.store.Input().Link(ctx, job.SourceKey(id), w.req.input); err != nil {
		return err
	}
	return w.store.Jobs().Create(ctx, w.job)
}

// startOver empties the work directory of an earlier run; only what that run made is removed.
func (w *work) startOver(ctx context.Context) error {
	if err := w.store.Close(); err != nil {
		return err
	}
	w.store = nil
	if err := removeWork(w.dir); err != nil {
		return err
	}
	return w.openStore(ctx)
}

// removeWork removes what a run leaves in its work directory, and nothing that a person may have put there.
func removeWork(dir string) error {
	var errs []error
	for _, name := range []string{"input", "output", "scratch", "tmp", "stereospot.db", "stereospot.db-wal", "stereospot.db-shm"} {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

// convert runs the job to its end and publishes the result.
func (w *work) convert(ctx context.Context, overwrite, anyExtension bool, beside extras) (published, error) {
	if w.job.Status != job.Completed {
		if err := w.pipeline().Run(ctx, w.job.ID, fitJobs(w.req.jobs)); err != nil {
			return published{}, err
		}
	}
	j, err := w.store.Jobs().Get(ctx, w.job.ID)
	if err != nil {
		return published{}, err
	}
	if err := beside.write(ctx, w.store.Output(), j.ID); err != nil {
		return published{}, err
	}
	final, err := w.store.Output().Path(ctx, j.FinalKey)
	if err != nil {
		return published{}, err
	}
	output := w.req.output
	if anyExtension {
		output = strings.TrimSuffix(output, filepath.Ext(output)) + filepath.Ext(j.FinalKey)
	}
	return published{path: output, job: j}, publish(final, output, overwrite)
}

func (w *work) scratch() string { return filepath.Join(w.dir, "scratch") }

// published is a finished conversion.
type published struct {
	path   string
	job    job.Job
	remote string // the job's id, where a server did it
}

func (w *work) pipeline() *pipeline.Pipeline {
	return &pipeline.Pipeline{
		// Run drives the job by itself: no queues.
		Platform: platform.Platform{
			Jobs: w.store.Jobs(), Completions: w.store.Completions(), Leases: w.store.Leases(),
			Input: w.store.Input(), Output: w.store.Output(),
		},
		Converter: &inference.Local{Input: w.store.Input(), Output: w.store.Output(), Scratch: w.scratch(), Models: w.req.models, GPU: w.req.gpu},
		Scratch:   w.scratch(),
		Owner:     "convert", // the directory's lock makes it one process, which may take over its dead predecessor's lease
		Log:       slog.New(slog.DiscardHandler),
		Now:       time.Now,
		Observe:   w.req.report.observe,
	}
}

// fitJobs is how many segments are converted at a time; 0 fits them to the machine. Decoder, engine and encoder of
// one segment keep about four cores busy.
func fitJobs(asked int) int {
	if asked > 0 {
		return asked
	}
	return max(1, runtime.NumCPU()/4)
}

// worthKeeping reports whether a later run would find a converted segment here. When in doubt it would.
func (w *work) worthKeeping(ctx context.Context) bool {
	found, _, err := w.store.Output().List(ctx, "jobs/", "", 1)
	return err != nil || len(found) > 0
}

// close ends the use of the directory, and removes it when the work is done.
func (w *work) close(done bool) error {
	var errs []error
	if w.store != nil {
		errs = append(errs, w.store.Close())
	}
	if done {
		errs = append(errs, removeWork(w.dir), os.Remove(filepath.Join(w.dir, "lock")))
		// A directory of the person's own may hold other things: then it stays.
		if err := os.Remove(w.dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
			errs = append(errs, err)
		}
	} else {
		errs = append(errs, os.RemoveAll(w.scratch()))
	}
	return errors.Join(append(errs, w.lock.Close())...)
}

// fingerprint names a file's content without reading all of it: size, modification time and the hash of
// its first and last mebibyte.
func fingerprint(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	const part = 1 << 20
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", info.Size(), info.ModTime().UnixNano())
	for _, at := range []int64{0, max(0, info.Size()-part)} {
		if _, err := io.Copy(h, io.NewSectionReader(f, at, part)); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
