package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// engine measures depth and views alone, without any codec, in seconds of one core: what else the machine does doesn't
// count.
func (b *bench) engine(context.Context) error {
	const w, h, frames = 1920, 1080, 48
	s, err := scene.New(scene.Solids, w, h)
	if err != nil {
		return err
	}
	var film []*yuv.Frame[uint8]
	for i := range frames {
		f := yuv.New[uint8](w, h, 8)
		scene.Render(s, i, 0, f, nil)
		film = append(film, f)
	}
	est, err := depth.New("classic")
	if err != nil {
		return err
	}
	o := job.DefaultOptions()
	r, err := stereo.NewRenderer[uint8](stereo.Config{
		Format: o.Format, Divergence: o.Stereo.Divergence, Convergence: o.Stereo.Convergence,
	}, w, h, 8, 1)
	if err != nil {
		return err
	}
	var reduce, estimate, render time.Duration
	measure := func(sum *time.Duration, f func()) {
		begin := coreTime(unix.RUSAGE_SELF)
		f()
		*sum += coreTime(unix.RUSAGE_SELF) - begin
	}
	reducer := depth.NewReducer[uint8](w, h, est.Sampling(w, h), depth.Coding{})
	var maps []depth.Estimate
	for _, f := range film {
		var p *depth.Picture
		measure(&reduce, func() { p = reducer.Reduce(f, nil) })
		measure(&estimate, func() {
			ready, pushErr := est.Push(p)
			maps, err = append(maps, ready...), pushErr
		})
		if err != nil {
			return err
		}
	}
	measure(&estimate, func() {
		rest, flushErr := est.Flush()
		maps, err = append(maps, rest...), flushErr
	})
	if err != nil {
		return err
	}
	ow, oh := r.OutputSize()
	dst := yuv.New[uint8](ow, oh, 8)
	for i, f := range film {
		measure(&render, func() { err = r.Render(dst, f, &maps[i].Map) })
		if err != nil {
			return err
		}
	}
	total := reduce + estimate + render
	fmt.Printf("### engine alone, 1080p 8-bit, full-sbs, classic, one goroutine, time of a core\n\n| part | ms per frame | share |\n|---|---|---|\n")
	for _, part := range []struct {
		name string
		took time.Duration
	}{{"reduction for the estimator", reduce}, {"depth", estimate}, {"views", render}, {"all", total}} {
		fmt.Printf("| %s | %.1f | %.0f %% |\n", part.name, part.took.Seconds()*1000/frames, 100*part.took.Seconds()/total.Seconds())
	}
	fmt.Printf("\n%.1f frames per second per core.\n\n", frames/total.Seconds())
	return nil
}

// coreTime is how long this process (unix.RUSAGE_SELF: the collector included) or the children that it has waited for
// (unix.RUSAGE_CHILDREN) have been running on any core.
func coreTime(who int) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
