package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// memory measures the peak resident memory of StereoSpot's own process (FFmpeg's are not in it) while it
// converts films of different lengths. The long ones have small pictures: what grows with a film's length is the tables
// of its packets, whatever their size.
func (b *bench) memory(ctx context.Context) error {
	fmt.Printf("### peak memory of StereoSpot's own process\n\n| film | MiB |\n|---|---|\n")
	for _, film := range []struct{ width, height, minutes int }{{1920, 1080, 1}, {64, 36, 1}, {64, 36, 10}, {64, 36, 60}} {
		in, err := b.film(ctx, film.width, film.height, 8, b.frames)
		if err != nil {
			return err
		}
		path := b.path(fmt.Sprintf("memory_%d_%d.mp4", film.width, film.minutes))
		times := film.minutes*60*24/b.frames - 1
		if err := once(ctx, path, ffmpeg("-stream_loop %d -i %s -c copy %s", times, in, path)); err != nil {
			return err
		}
		peak, err := b.peak(ctx, "convert", path, "-o", b.path("memory_out.mp4"), "-y", "-q", "--encoder-preset", "ultrafast")
		if err != nil {
			return err
		}
		fmt.Printf("| %d×%d, %d min | %.0f |\n", film.width, film.height, film.minutes, float64(peak)/(1<<20))
	}
	fmt.Println()
	return nil
}

// peak runs StereoSpot and returns the high-water mark of the process's resident set, in bytes.
func (b *bench) peak(ctx context.Context, args ...string) (int64, error) {
	cmd := exec.CommandContext(ctx, b.binary, args...)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var peak int64
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return peak, err
		case <-tick.C:
			n, err := highWater(cmd.Process.Pid)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return 0, err
			}
			peak = max(peak, n)
		}
	}
}

// highWater reads VmHWM (proc(5)).
func highWater(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, nil // a process that has ended has no memory
}
