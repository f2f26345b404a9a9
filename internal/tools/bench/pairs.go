package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cost is what a run took, in seconds.
type cost struct {
	wall float64
	cpu  float64 // of all cores, this process and its children together
}

// ratios are what ours took over what theirs took, pair by pair.
type ratios struct {
	ours, theirs float64 // medians of wall time, seconds
	median       float64 // of the ratios of wall time
	each         []float64
	cpu          float64 // median of the ratios of processor time, which other processes hardly disturb
}

// pairs times ours and theirs in turn.
func (b *bench) pairs(ctx context.Context, ours, theirs func(context.Context) error) (ratios, error) {
	return b.measured(ctx,
		func(ctx context.Context) (cost, error) { return timed(ctx, ours) },
		func(ctx context.Context) (cost, error) { return timed(ctx, theirs) })
}

// measured runs ours and theirs, which return what they took, in turn, after one round that isn't counted.
func (b *bench) measured(ctx context.Context, ours, theirs func(context.Context) (cost, error)) (ratios, error) {
	var r ratios
	var a, z, cpu []float64
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
			a, z, r.each = append(a, x.wall), append(z, y.wall), append(r.each, x.wall/y.wall)
			cpu = append(cpu, x.cpu/y.cpu)
		}
	}
	r.ours, r.theirs, r.median, r.cpu = median(a), median(z), median(r.each), median(cpu)
	return r, nil
}

func timed(ctx context.Context, f func(context.Context) error) (cost, error) {
	begin, used := time.Now(), coreTime(unix.RUSAGE_SELF)+coreTime(unix.RUSAGE_CHILDREN)
	err := f(ctx)
	took := coreTime(unix.RUSAGE_SELF) + coreTime(unix.RUSAGE_CHILDREN) - used
	return cost{wall: time.Since(begin).Seconds(), cpu: took.Seconds()}, err
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
