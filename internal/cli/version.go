package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/media"
)

type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run(ctx context.Context, std streams) error {
	fmt.Fprintf(std.out, "stereospot %s, engine %d\n", version(), inference.EngineVersion)
	banner, err := media.ToolVersion(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(std.out, banner)
	return nil
}

// version names this build.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version + ", " + info.GoVersion
	}
	return "(unknown build)"
}
