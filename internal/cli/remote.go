package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/infra"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/pipeline"
)

// serverFlags say which server to talk to.
type serverFlags struct {
	Server string `help:"Address of the StereoSpot server." env:"STEREOSPOT_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL"`
	Token  string `help:"API token, where the server asks for one." env:"STEREOSPOT_TOKEN" placeholder:"TOKEN"`
}

func (f serverFlags) connect(retrying func(error, time.Duration)) (*client.Client, error) {
	c, err := client.New(client.Config{Server: f.Server, Token: f.Token, Retrying: retrying})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// flags writes the flags that differ from what a person's environment says already, for a command to repeat.
func (f serverFlags) flags() string {
	if f.Server == client.DefaultServer || f.Server == os.Getenv("STEREOSPOT_SERVER") {
		return ""
	}
	return " --server " + f.Server
}

// remoteReporter feeds a view from a server's jobs and from transfers.
type remoteReporter struct {
	mu    sync.Mutex
	view  view
	now   func() time.Time
	shown time.Time
	stage pipeline.Stage
	moved int64 // bytes last shown
	speed speed // of the transfer under way
	said  map[string]bool
	tried time.Time // when a repeated attempt was last told of
}

func newRemoteReporter(std streams, asJSON, quiet bool) *remoteReporter {
	return &remoteReporter{view: newView(std, asJSON, quiet), now: time.Now, said: map[string]bool{}}
}

// Stages beside the pipeline's.
const (
	uploading   pipeline.Stage = "uploading"
	downloading pipeline.Stage = "downloading"
)

// begin forgets the transfer before.
func (r *remoteReporter) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stage, r.speed = "", speed{}
}

// submitted tells of a film that the server has.
func (r *remoteReporter) submitted(j client.Job, page string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view.submitted(j.Title, j.ID, page)
}

// transfer tells of bytes moved. It is called for every few kilobytes, from several goroutines.
func (r *remoteReporter) transfer(stage pipeline.Stage, done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if stage != r.stage {
		r.speed = speed{}
	} else if done == r.moved || done < total && now.Sub(r.shown) < r.view.interval() {
		return
	}
	r.moved = done
	s := snapshot{stage: stage, measure: inBytes, frames: int(done), total: int(max(total, 0))}
	if perSecond, known := r.speed.at(now, int(done)); known {
		s.fps, s.left = perSecond, timeLeft(s.total-s.frames, perSecond)
	}
	r.show(s, now)
}

// job tells of a job's state.
func (r *remoteReporter) job(j client.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range j.Warnings {
		if !r.said[j.ID+w] {
			r.said[j.ID+w] = true
			r.view.warning(w)
		}
	}
	now, stage := r.now(), pipeline.Stage(j.Stage)
	if stage == r.stage && now.Sub(r.shown) < r.view.interval() {
		return
	}
	r.show(snapshot{
		stage: stage, frames: j.Frames, total: j.TotalFrames, segments: len(j.Segments), fps: j.FPS,
		left: time.Duration(j.SecondsLeft * float64(time.Second)),
	}, now)
}

func (r *remoteReporter) show(s snapshot, now time.Time) {
	r.stage, r.shown = s.stage, now
	r.view.progress(s)
}

// retrying says now and then that the server can't be reached; it is the client's observer.
func (r *remoteReporter) retrying(err error, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now.Sub(r.tried) >= 10*time.Second {
		r.tried = now
		r.view.warning(oneLine(err) + "; trying again")
	}
}

func (r *remoteReporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view.close()
}

// follower waits for jobs and fetches results, telling a reporter.
type follower struct {
	serverFlags
	client *client.Client
	report *remoteReporter
	output string // where results go: a file, a directory, or empty for nowhere
	yes    bool   // overwrite
}

// fetched is a job that was waited for.
type fetched struct {
	published
	took time.Duration
}

// run does the work and shows how it ended.
func (f *follower) run(work func() ([]fetched, error)) error {
	done, err := work()
	f.report.close()
	for _, r := range done {
		f.report.view.done(r.published, r.took)
	}
	if err != nil {
		f.report.view.failed(oneLine(err))
	}
	return err
}

// follow waits until a job has ended and fetches its result, if that is wanted.
func (f *follower) follow(ctx context.Context, id string) (published, error) {
	last, err := f.wait(ctx, id)
	if err == nil && f.output != "" {
		var path string
		if path, err = f.fetch(ctx, last); err == nil {
			return f.published(last, path), nil
		}
	}
	if ctx.Err() != nil {
		return published{}, f.detached(id)
	}
	return f.published(last, f.page(id)), err
}

// detached says how to come back to a job that goes on without this process.
func (f *follower) detached(id string) error {
	again := "stereospot jobs watch " + id + f.flags()
	if f.output != "" {
		again += " -o " + infra.Quote(f.output)
	}
	return fmt.Errorf("stopped watching; the job goes on at the server: %s", again)
}

// page is where a person looks at a job.
func (f *follower) page(id string) string { return f.client.Server() + "/jobs/" + id }

func (f *follower) published(j client.Job, path string) published {
	return published{path: path, remote: j.ID, job: job.Job{
		Title: j.Title, TotalFrames: j.TotalFrames, TotalSegments: len(j.Segments), Options: j.Options,
	}}
}

// wait returns the job when it is completed. Another end is an error.
func (f *follower) wait(ctx context.Context, id string) (last client.Job, err error) {
	for j, err := range f.client.Watch(ctx, id) {
		if err != nil {
			return last, err
		}
		f.report.job(j)
		last = j
	}
	return last, f.endOf(last)
}

// endOf returns nil for a completed job, else what became of it.
func (f *follower) endOf(j client.Job) error {
	switch j.Status {
	case job.Completed:
		return nil
	case job.Failed:
		return fmt.Errorf("%s failed: %s", j.Title, j.Reason)
	case job.Cancelled:
		return fmt.Errorf("%s was cancelled: stereospot jobs retry %s%s starts it again", j.Title, j.ID, f.flags())
	}
	return fmt.Errorf("%s is %s", j.Title, j.Status)
}

// fetch downloads a completed job's result and returns where it is.
func (f *follower) fetch(ctx context.Context, j client.Job) (string, error) {
	target, err := resultPath(f.output, j.FileName)
	if err != nil {
		return "", err
	}
	if err := checkOutput(target, f.yes); err != nil {
		return "", err
	}
	part, err := f.client.Download(ctx, j.ID, target, func(done, total int64) { f.report.transfer(downloading, done, total) })
	if err != nil {
		return "", err
	}
	return target, publish(part, target, f.yes)
}

// resultPath returns the file that a result goes to. output names it, or the directory that it gets its own name in.
func resultPath(output, name string) (string, error) {
	if info, err := os.Stat(output); err != nil || !info.IsDir() {
		return output, checkExtension(output, name)
	}
	name = filepath.Base(filepath.Clean("/" + name)) // from the server: never a path
	if name == "/" || name == "." {
		return "", errors.New("the server names no file for the result: name one with -o")
	}
	return filepath.Join(output, name), nil
}

// checkExtension refuses to give a Matroska file an MP4's name, and the other way round.
func checkExtension(output, name string) error {
	want, got := strings.ToLower(filepath.Ext(name)), strings.ToLower(filepath.Ext(output))
	if want == "" || got == want || got == ".m4v" && want == ".mp4" {
		return nil
	}
	return fmt.Errorf("the film is %s: name %s %s", name, filepath.Base(output), strings.TrimSuffix(filepath.Base(output), filepath.Ext(output))+want)
}
