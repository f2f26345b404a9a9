package media

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Tool is a program that StereoSpot runs, as it is on this machine.
type Tool struct {
	Name    string
	Version string // the first line of what it says of itself; empty where it can't be run
	Err     error  // an *Error where it is missing or too old
}

// Tools looks at ffmpeg and ffprobe.
func Tools(ctx context.Context) []Tool {
	tools := []Tool{{Name: "ffmpeg"}, {Name: "ffprobe"}}
	var asked sync.WaitGroup
	for i := range tools {
		asked.Go(func() { tools[i].ask(ctx) })
	}
	asked.Wait()
	return tools
}

// ask has the tool say what it is.
func (t *Tool) ask(ctx context.Context) {
	out, err := newProcess(t.Name, "FFmpeg", []string{"-version"}).output(ctx, 1<<20)
	if err != nil {
		t.Err = err
		return
	}
	t.Version, _, _ = strings.Cut(string(out), "\n")
	t.Err = checkVersion(t.Version)
}

// needed are the parts of FFmpeg that conversions use, by the option that lists them.
func needed() map[string][]string {
	return map[string][]string{
		"-encoders": {"libx264", "libx265", "ffv1"},
		"-filters":  {"scale", "format", "trim", "transpose", "hflip", "vflip", "setsar", "settb", "setpts"},
		"-muxers":   {"mp4", "matroska", "rawvideo", "framecrc"},
	}
}

// MissingParts returns the names of encoders, filters and muxers that conversions use and this FFmpeg lacks, sorted.
func MissingParts(ctx context.Context) ([]string, error) {
	var missing []string
	for option, names := range needed() {
		out, err := ffmpegCommand("FFmpeg", option).output(ctx, 1<<20)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if !lists(string(out), name) {
				missing = append(missing, name)
			}
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// lists reports whether one of FFmpeg's tables, with flags in the first column, has a line for name.
func lists(table, name string) bool {
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 1 && slices.Contains(strings.Split(fields[1], ","), name) {
			return true
		}
	}
	return false
}
