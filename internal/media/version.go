package media

import (
	"context"
	"strings"
)

// ToolVersion returns the first line of what ffmpeg says of itself.
func ToolVersion(ctx context.Context) (string, error) {
	out, err := newProcess("ffmpeg", "FFmpeg", []string{"-version"}).output(ctx, 1<<20)
	line, _, _ := strings.Cut(string(out), "\n")
	return line, err
}
