package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

type backupCommand struct {
	dataFlag
	Output string `short:"o" required:"" help:"Directory to make, with the copy." type:"path" placeholder:"DIR"`
}

// Help implements kong's detailed help.
func (backupCommand) Help() string {
	return `Example:
  stereospot backup --data-dir /var/lib/stereospot -o /backup/stereospot-2026-01-31

The server may run. Films are hard links where the copy is on the same disk: then it takes hardly any room, and
protects from mistakes, not from a broken disk. To restore, stop the server and copy the directory back with cp -a.`
}

// Run implements the command.
func (c *backupCommand) Run(ctx context.Context, std streams) (err error) {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.Output); err == nil {
		return fmt.Errorf("%s exists: name a new directory with -o", c.Output)
	}
	if rel, err := filepath.Rel(dir, c.Output); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%s lies in the data directory itself: name another with -o", c.Output)
	}
	store, err := openData(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	done, err := store.Backup(ctx, c.Output)
	if err != nil {
		return err
	}
	how := "copied"
	if done.Linked {
		how = "linked"
	}
	fmt.Fprintf(std.out, "%s: %d jobs; %d objects %s, %.1f MB\n", c.Output, done.Jobs, done.Objects, how, float64(done.Bytes)/1e6)
	return nil
}
