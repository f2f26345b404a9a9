package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stereospot/stereospot/internal/client"
)

// jobsCommand groups what can be asked of a server's jobs.
type jobsCommand struct {
	List   jobsListCommand   `cmd:"" help:"List jobs, newest first."`
	Show   jobsShowCommand   `cmd:"" help:"Show one job."`
	Watch  jobsWatchCommand  `cmd:"" help:"Watch a job until it has ended, and fetch its film."`
	Retry  jobsRetryCommand  `cmd:"" help:"Start a failed or cancelled job again; only what is missing is redone."`
	Cancel jobsCancelCommand `cmd:"" help:"Stop jobs."`
	Remove jobsRemoveCommand `cmd:"" help:"Remove jobs with all their files."`
}

type jobsWatchCommand struct {
	Job string `arg:"" help:"The job's id."`
	serverFlags
	Output string `short:"o" help:"Fetch the film when it is done: the file to write, or a directory." type:"path"`
	Yes    bool   `short:"y" help:"Overwrite the output if it exists."`
	JSON   bool   `name:"json" help:"Print one JSON object per event (docs/convert.md has the schema)."`
	Quiet  bool   `short:"q" help:"Print errors only."`
}

// Help implements kong's detailed help.
func (jobsWatchCommand) Help() string {
	return `Examples:
  stereospot jobs watch 0193a5b2-7c1d-7abc-8def-0123456789ab
  stereospot jobs watch 0193a5b2-7c1d-7abc-8def-0123456789ab -o films/

Ctrl-C ends the watching, not the job. A broken download continues with the same command.
Exit codes: 0 the film is done (and fetched), 1 it failed or was cancelled, 2 wrong usage.`
}

// Run implements the command.
func (c *jobsWatchCommand) Run(ctx context.Context, std streams) error {
	if c.JSON && c.Quiet {
		return usagef("--json and --quiet exclude each other")
	}
	report := newRemoteReporter(std, c.JSON, c.Quiet)
	server, err := c.connect(report.retrying)
	if err != nil {
		return err
	}
	f := &follower{serverFlags: c.serverFlags, client: server, report: report, output: c.Output, yes: c.Yes}
	begin := time.Now()
	return f.run(func() ([]fetched, error) {
		p, err := f.follow(ctx, c.Job)
		if err != nil {
			return nil, err
		}
		return []fetched{{p, time.Since(begin)}}, nil
	})
}

// jobIDs are the arguments of commands that work on several jobs.
type jobIDs struct {
	Jobs []string `arg:"" name:"job" help:"The jobs' ids."`
	serverFlags
}

// each does one thing to every job and prints what came of it for each that it worked on.
func (c *jobIDs) each(std streams, do func(s *client.Client, id string) (done string, err error)) error {
	server, err := c.connect(nil)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range c.Jobs {
		done, err := do(server, id)
		if err != nil {
			errs = append(errs, fmt.Errorf("job %s: %w", id, err))
			continue
		}
		fmt.Fprintf(std.out, "%s: %s\n", id, done)
	}
	return errors.Join(errs...)
}

type jobsRetryCommand struct{ jobIDs }

// Help implements kong's detailed help.
func (jobsRetryCommand) Help() string {
	return `Examples:

  stereospot jobs retry 0193a5b2-7c1d-7abc-8def-0123456789ab
  stereospot jobs list --state failed --json | jq -r .id | xargs stereospot jobs retry`
}

// Run implements the command.
func (c *jobsRetryCommand) Run(ctx context.Context, std streams) error {
	return c.each(std, func(s *client.Client, id string) (string, error) {
		j, err := s.Retry(ctx, id)
		return again(j), err
	})
}

// again says what a job that was retried does now, or waits for.
func again(j client.Job) string {
	switch {
	case !j.Uploaded:
		return fmt.Sprintf("waits for its film, which never arrived whole: submit %s again with the job's options, or remove the job", j.Title)
	case j.StartedAt.IsZero():
		return "waits to be started"
	}
	return "started again"
}

type jobsCancelCommand struct{ jobIDs }

// Help implements kong's detailed help.
func (jobsCancelCommand) Help() string {
	return `Examples:

  stereospot jobs cancel 0193a5b2-7c1d-7abc-8def-0123456789ab
  stereospot jobs list --state live --json | jq -r .id | xargs stereospot jobs cancel

What is converted already is kept: stereospot jobs retry goes on from there.`
}

// Run implements the command.
func (c *jobsCancelCommand) Run(ctx context.Context, std streams) error {
	return c.each(std, func(s *client.Client, id string) (string, error) {
		_, err := s.Cancel(ctx, id)
		return "cancelled", err
	})
}

type jobsRemoveCommand struct{ jobIDs }

// Help implements kong's detailed help.
func (jobsRemoveCommand) Help() string {
	return `Examples:

  stereospot jobs remove 0193a5b2-7c1d-7abc-8def-0123456789ab
  stereospot jobs list --state cancelled --json | jq -r .id | xargs stereospot jobs remove`
}

// Run implements the command.
func (c *jobsRemoveCommand) Run(ctx context.Context, std streams) error {
	return c.each(std, func(s *client.Client, id string) (string, error) { return "removed", s.Remove(ctx, id) })
}
