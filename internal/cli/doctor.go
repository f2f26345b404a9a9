package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/doctor"
)

// dataFlag names a server's data directory.
type dataFlag struct {
	DataDir string `help:"Data directory of serve. Default: $XDG_DATA_HOME/stereospot." env:"STEREOSPOT_DATA_DIR" type:"path" placeholder:"DIR"`
}

func (f dataFlag) dir() (string, error) {
	if f.DataDir != "" {
		return f.DataDir, nil
	}
	if dir := config.DefaultDataDir(); dir != "" {
		return dir, nil
	}
	return "", usagef("there is no home directory that could hold data: name one with --data-dir")
}

type doctorCommand struct {
	dataFlag
	MinFree config.Size `help:"Room on the disk below which serve takes no work on." env:"STEREOSPOT_MIN_FREE" default:"2GiB" placeholder:"SIZE"`
	config.NeuralFiles
	Addr string `help:"Address that serve listens on." env:"STEREOSPOT_ADDR" default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	JSON bool   `name:"json" help:"Print one JSON object per check: check, state (ok, warn, fail), detail, advice."`
}

// Help implements kong's detailed help.
func (doctorCommand) Help() string {
	return `Examples:
  stereospot doctor
  stereospot doctor --data-dir /var/lib/stereospot --json | jq 'select(.state != "ok")'

Changes nothing. Run it as the user that runs the server.
Exit codes: 0 nothing keeps StereoSpot from working, 1 something does, 2 wrong usage.`
}

// Run implements the command.
func (c *doctorCommand) Run(ctx context.Context, std streams) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	checks := doctor.Examine(ctx, doctor.Patient{Version: version(), DataDir: dir, MinFree: int64(c.MinFree), Addr: c.Addr, Now: time.Now,
		Models: newLoader(config.Models{NeuralFiles: c.NeuralFiles}, false)})
	if c.JSON {
		err = encodeEach(std.out, checks)
	} else {
		err = printChecks(std.out, checks)
	}
	if err == nil && !doctor.Healthy(checks) {
		return fmt.Errorf("what is marked fail keeps StereoSpot from working")
	}
	return err
}

func printChecks(out io.Writer, checks []doctor.Check) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, c := range checks {
		text := c.Detail
		if c.Advice != "" {
			text += ". To do: " + c.Advice
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.State, c.Name, printable(text))
	}
	return w.Flush()
}
