package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// ratios are wall times of ours over theirs, pair by pair.
type ratios struct {
	ours, theirs float64 // medians, seconds
	median       float64 // of the ratios
	each         []float64
}

// pairs times ours and theirs in turn.
func (b *bench) pairs(ctx context.Context, ours, theirs func(context.Context) error) (ratios, error) {
	return b.measured(ctx,
		func(ctx context.Context) (float64, error) { return timed(ctx, ours) },
		func(ctx context.Context) (float64, error) { return timed(ctx, theirs) })
}

// measured runs ours and theirs, which return seconds, in turn, after one round that isn't counted.
func (b *bench) measured(ctx context.Context, ours, theirs func(context.Context) (float64, error)) (ratios, error) {
	var r ratios
	var a, z []float64
	for round := range b.rounds + 1 {
		x, err := ours(ctx)
		if err != nil {
			return r, err
		}
		y, err := theirs(ctx)
		if err != nil {
			return r, err
		}
		if round > 0 {
			a, z, r.each = append(a, x), append(z, y), append(r.each, x/y)
		}
	}
	r.ours, r.theirs, r.median = median(a), median(z), median(r.each)
	return r, nil
}

func timed(ctx context.Context, f func(context.Context) error) (float64, error) {
	begin := time.Now()
	err := f(ctx)
	return time.Since(begin).Seconds(), err
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// command returns a run of a program; args are separated by spaces.
func command(program, args string) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := exec.CommandContext(ctx, program, strings.Fields(args)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s %s: %w: %s", program, args, err, out)
		}
		return nil
	}
}

func ffmpeg(format string, args ...any) func(context.Context) error {
	return command("ffmpeg", "-nostdin -v error -y "+fmt.Sprintf(format, args...))
}

// once makes a file by the given function unless it is there.
func once(ctx context.Context, path string, build func(context.Context) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return build(ctx)
}
