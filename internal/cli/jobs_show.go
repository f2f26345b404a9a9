package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stereospot/stereospot/internal/client"
)

type jobsShowCommand struct {
	Job string `arg:"" help:"The job's id."`
	serverFlags
	JSON bool `name:"json" help:"Print one JSON object (docs/api.md has the schema)."`
}

// Help implements kong's detailed help.
func (jobsShowCommand) Help() string {
	return `Example:
  stereospot jobs show 0193a5b2-7c1d-7abc-8def-0123456789ab --json | jq .segments`
}

// Run implements the command.
func (c *jobsShowCommand) Run(ctx context.Context, std streams) error {
	server, err := c.connect(nil)
	if err != nil {
		return err
	}
	j, err := server.Get(ctx, c.Job)
	if err != nil {
		return fmt.Errorf("job %s: %w", c.Job, err)
	}
	if c.JSON {
		enc := json.NewEncoder(std.out)
		enc.SetIndent("", "  ")
		return enc.Encode(j)
	}
	return printJob(std.out, j)
}

func printJob(out io.Writer, j client.Job) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	row("job", "%s", j.ID)
	row("title", "%s", j.Title)
	row("stage", "%s", j.Stage)
	if j.Reason != "" {
		row("reason", "%s", j.Reason)
	}
	row("progress", "%s", progressOf(j))
	if j.FPS > 0 {
		row("speed", "%.1f fps, %s left", j.FPS, clock(time.Duration(j.SecondsLeft*float64(time.Second))))
	}
	if len(j.Segments) > 0 {
		row("segments", "%s", segmentsOf(j))
	}
	o := j.Options
	convergence := fmt.Sprint(o.Stereo.Convergence)
	if o.Stereo.AutoConvergence {
		convergence = "auto"
	}
	row("format", "%s, divergence %g%%, convergence %s, depth %s", o.Format, o.Stereo.Divergence, convergence, o.Depth.Model)
	row("result", "%s", j.FileName)
	row("created", "%s", j.CreatedAt.Local().Format(time.DateTime))
	if !j.CompletedAt.IsZero() {
		row("completed", "%s", j.CompletedAt.Local().Format(time.DateTime))
	}
	for _, warning := range j.Warnings {
		row("warning", "%s", warning)
	}
	row("can", "%s", strings.Join(j.Actions, ", "))
	return w.Flush()
}

func segmentsOf(j client.Job) string {
	done := 0
	for _, s := range j.Segments {
		if s.State == "done" {
			done++
		}
	}
	return fmt.Sprintf("%d of %d done", done, len(j.Segments))
}
