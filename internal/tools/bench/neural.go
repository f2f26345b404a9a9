package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx"
)

// network is a depth network under measurement.
type network struct {
	path    string
	spec    depth.Spec
	w, h    int // of its pictures
	threads int
}

func (b *bench) network(threads int) network {
	n := network{path: b.model, threads: threads, spec: depth.Spec{Side: b.side, Multiple: 14, Std: [3]float32{1, 1, 1}}}
	n.w, n.h = n.spec.Size(1920, 1080)
	return n
}

// neural measures depth by a network, on the CPU, over plain ONNX Runtime as Python has it.
func (b *bench) neural(ctx context.Context) error {
	if missing, err := b.lacksNetwork(); missing || err != nil {
		return err
	}
	if err := b.inferences(ctx, b.network(1)); err != nil {
		return err
	}
	return b.neuralConvert(ctx, b.network(1))
}

// lacksNetwork reports that the network that `make models-check` makes isn't there: an error where it was asked for.
func (b *bench) lacksNetwork() (bool, error) {
	for _, path := range []string{b.model, b.python()} {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && b.only == "" {
			fmt.Printf("Neural depth is not measured: %s is not there; `make models-check` makes it.\n\n", path)
			return true, nil
		} else if err != nil {
			return true, fmt.Errorf("%w: run make models-check", err)
		}
	}
	return false, nil
}

func (b *bench) python() string { return filepath.Join(filepath.Dir(b.model), "venv/bin/python") }

func (b *bench) reference(ctx context.Context, n network) (*runs, error) {
	return startRuns(ctx, b.python(), "scripts/models/time.py", n.path, fmt.Sprint(n.threads), fmt.Sprint(n.w), fmt.Sprint(n.h))
}

// apart lets the threads of one runtime come to rest before the other one's turn.
const apart = 50 * time.Millisecond

// inferences compares single frames, ours and the reference's in turn: making the tensor, the run, and reading the map, over the
// bare run.
func (b *bench) inferences(ctx context.Context, n network) error {
	reference, err := b.reference(ctx, n)
	if err != nil {
		return err
	}
	net, err := onnx.Open(n.path, n.spec, onnx.Config{Library: b.runtime, Provider: onnx.CPU, Threads: n.threads})
	if err != nil {
		return errors.Join(err, reference.close())
	}
	defer net.Close()
	picture := []depth.Input{{Picture: grey(n.w, n.h)}}
	rounds := *b
	rounds.rounds = 10 * b.rounds
	r, err := rounds.measured(ctx,
		func(ctx context.Context) (cost, error) {
			time.Sleep(apart)
			return timed(ctx, func(context.Context) error { _, err := net.Infer(picture); return err })
		},
		func(context.Context) (cost, error) {
			time.Sleep(apart)
			return reference.run(1)
		})
	if err = errors.Join(err, reference.close()); err != nil {
		return err
	}
	header(fmt.Sprintf("one frame on %s at %d×%d, reference: Python's ONNX Runtime", filepath.Base(n.path), n.w, n.h))
	row(fmt.Sprintf("%d threads", n.threads), r)
	fmt.Printf("\nspeed over the reference's: %.3f; peak memory of the reference %d MiB\n\n", 1/r.median, reference.peak>>20)
	return nil
}

// grey is a picture with a little texture.
func grey(w, h int) *depth.Picture {
	p := &depth.Picture{W: w, H: h, Weights: depth.Weights{R: 0.2126, B: 0.0722}}
	p.Y, p.Cb, p.Cr = make([]float32, w*h), make([]float32, w*h), make([]float32, w*h)
	for i := range p.Y {
		p.Y[i], p.Cb[i], p.Cr[i] = 0.3+0.01*float32(i%29), 0.5, 0.5
	}
	return p
}

// neuralConvert compares a whole conversion with as many bare runs of the network as the film has frames: enough of them
// that what the encoder holds back to the end counts little.
func (b *bench) neuralConvert(ctx context.Context, n network) error {
	args := func(frames int) (string, error) {
		film, err := b.film(ctx, 1920, 1080, 8, frames)
		return fmt.Sprintf("convert %s -o %s -y -q --codec h264 --crf 18 --encoder-preset medium --depth %s --depth-size %d --depth-threads %d --depth-provider cpu --ort-lib %s",
			film, b.path("ours.mp4"), n.path, b.side, n.threads, b.runtime), err
	}
	whole, err := args(b.frames)
	if err != nil {
		return err
	}
	reference, err := b.reference(ctx, n)
	if err != nil {
		return err
	}
	r, err := b.measured(ctx,
		func(ctx context.Context) (cost, error) { return timed(ctx, command(b.binary, whole)) },
		func(context.Context) (cost, error) { return reference.run(b.frames) })
	if err = errors.Join(err, reference.close()); err != nil {
		return err
	}
	header(fmt.Sprintf("convert, 1080p24, 8-bit H.264, full-sbs, %s at %d×%d; reference: its bare runs", filepath.Base(n.path), n.w, n.h))
	row(fmt.Sprintf("%d frames, %d threads", b.frames, n.threads), r)
	// Memory doesn't grow with the film.
	some, err := args(max(b.frames/8, 1))
	if err != nil {
		return err
	}
	peak, err := b.peak(ctx, strings.Fields(some)...)
	if err != nil {
		return err
	}
	fmt.Printf("\nspeed over bare runs': %.3f; peak memory of StereoSpot's own process %d MiB, of the reference %d MiB\n\n",
		1/r.median, peak>>20, reference.peak>>20)
	return nil
}
