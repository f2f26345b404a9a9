package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// start measures how long the inference service takes from its start until /ping says that a job could be taken, with a
// network on the CPU that is in its directory, over Python's ONNX Runtime taking up the same network and running it once.
func (b *bench) start(ctx context.Context) error {
	if missing, err := b.lacksNetwork(); missing || err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "stereospot-start-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	network, err := filepath.Abs(b.model)
	if err != nil {
		return err
	}
	if err := os.Symlink(network, filepath.Join(dir, "start.onnx")); err != nil {
		return err
	}
	n := b.network(0)
	header(fmt.Sprintf("start of the inference service with %s until it is ready, reference: Python's ONNX Runtime until its first map at %d×%d", filepath.Base(n.path), n.w, n.h))
	r, err := b.measured(ctx,
		func(ctx context.Context) (cost, error) { return timed(ctx, b.startOnce(dir)) },
		func(ctx context.Context) (cost, error) { return timed(ctx, b.referenceOnce(n)) })
	if err != nil {
		return err
	}
	row("all threads", r)
	fmt.Println()
	return nil
}

func (b *bench) startOnce(models string) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := startService(ctx, b, models, models)
		if err != nil {
			return err
		}
		return s.stop()
	}
}

// referenceOnce has the reference take up a network and run it once.
func (b *bench) referenceOnce(n network) func(context.Context) error {
	return func(ctx context.Context) error {
		reference, err := b.reference(ctx, n)
		if err != nil {
			return err
		}
		_, err = reference.run(0)
		return errors.Join(err, reference.close())
	}
}
