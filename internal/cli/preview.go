package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/preview"
)

type previewCommand struct {
	Input  string `arg:"" help:"The 2D video." type:"path"`
	At     string `help:"Moment to show, in seconds or hh:mm:ss.sss." default:"0" placeholder:"TIME"`
	Output string `short:"o" help:"The PNG to write." default:"sheet.png" type:"path"`
	stereoFlags
	sizeFlags
	config.Models
	Yes bool `short:"y" help:"Overwrite the output if it exists."`
}

// Help implements kong's detailed help.
func (previewCommand) Help() string {
	return `Examples:
  stereospot preview film.mkv --at 12.5 -o sheet.png
  stereospot preview film.mkv --at 0:42:10 --divergence 3 --convergence 0.7 -y`
}

// Run implements the command.
func (c *previewCommand) Run(ctx context.Context, std streams) error {
	o := job.DefaultOptions()
	o.Encode.Height = c.Height
	if err := errors.Join(c.apply(&o), o.Validate(), c.Models.Check()); err != nil {
		return usageError{err}
	}
	at, err := parseTime("--at", c.At)
	if err != nil {
		return err
	}
	if strings.ToLower(filepath.Ext(c.Output)) != ".png" {
		return usagef("%s: name the output .png", filepath.Base(c.Output))
	}
	if err := cmp.Or(media.CheckTools(ctx), media.CheckFile(c.Input), checkOutput(c.Output, c.Yes)); err != nil {
		return err
	}
	m, err := c.moment(ctx, std, at, o)
	if err != nil {
		return err
	}
	if err := writePNG(c.Output, m); err != nil {
		return err
	}
	far, near := m.Disparity()
	fmt.Fprintf(std.out, "%s: disparity %+.1f px (far) to %+.1f px (near)\n", c.Output, far, near)
	return nil
}

// moment finds the moment, on the depth source that was asked for.
func (c *previewCommand) moment(ctx context.Context, std streams, at float64, o job.Options) (m *preview.Moment, err error) {
	loader := newLoader(c.Models, true)
	defer func() { err = errors.Join(err, loader.Close()) }()
	if o.Depth, err = settleDepth(loader, o.Depth, func(text string) { fmt.Fprintln(std.err, text) }); err != nil {
		return nil, err
	}
	return preview.At(ctx, c.Input, at, o, loader)
}

// writePNG writes the sheet beside its place first, so that it appears whole.
func writePNG(path string, m *preview.Moment) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(png.Encode(f, m.Sheet()), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
