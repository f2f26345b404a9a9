package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/job"
)

type jobsListCommand struct {
	serverFlags
	State  string `help:"Which jobs: ${enum}." enum:"all,live,completed,failed,cancelled" default:"all"`
	Search string `help:"Part of the title, any case." placeholder:"TEXT"`
	Limit  int    `help:"Show at most so many jobs." default:"50" placeholder:"N"`
	JSON   bool   `name:"json" help:"Print one JSON object per job (docs/api.md has the schema)."`
}

// Help implements kong's detailed help.
func (jobsListCommand) Help() string {
	return `Examples:
  stereospot jobs list --state live
  stereospot jobs list --search nosferatu --json | jq -r .id`
}

// Run implements the command.
func (c *jobsListCommand) Run(ctx context.Context, std streams) error {
	if c.Limit < 1 {
		return usagef("--limit is %d: use 1 or more", c.Limit)
	}
	server, err := c.connect(nil)
	if err != nil {
		return err
	}
	var jobs []client.Job
	query := client.Query{State: c.State, Search: c.Search}
	for more := true; more && len(jobs) < c.Limit; more = query.Token != "" {
		query.Limit = min(c.Limit-len(jobs), 1000)
		page, next, err := server.List(ctx, query)
		if err != nil {
			return err
		}
		jobs, query.Token = append(jobs, page...), next
	}
	if c.JSON {
		return encodeEach(std.out, jobs)
	}
	if len(jobs) == 0 && (c.State != "all" || c.Search != "") {
		_, err := fmt.Fprintln(std.out, "no such jobs")
		return err
	}
	return printJobs(std.out, jobs, time.Now())
}

func encodeEach[V any](out io.Writer, values []V) error {
	enc := json.NewEncoder(out)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

func printJobs(out io.Writer, jobs []client.Job, now time.Time) error {
	if len(jobs) == 0 {
		_, err := fmt.Fprintln(out, "no jobs; stereospot submit FILE makes one")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tSTAGE\tPROGRESS\tAGE\tTITLE")
	for _, j := range jobs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", j.ID, j.Stage, progressOf(j), clock(now.Sub(j.CreatedAt)), printable(j.Title))
	}
	return w.Flush()
}

// progressOf writes how far a job is, in a few characters.
func progressOf(j client.Job) string {
	switch {
	case j.Status == job.Completed:
		return fmt.Sprintf("%d frames", j.TotalFrames)
	case !j.Uploaded && j.Upload != nil && j.Upload.Size > 0:
		return fmt.Sprintf("%d%%", 100*j.Upload.Received/j.Upload.Size)
	case j.TotalFrames > 0:
		return fmt.Sprintf("%d%%", 100*j.Frames/j.TotalFrames)
	}
	return "-"
}

// printable keeps what others named from moving a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
