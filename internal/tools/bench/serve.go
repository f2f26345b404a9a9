package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/job"
)

// serve measures a job's time in a server, from its start to its completion, over `convert` of the same file. The
// upload is not part of it. One segment is converted at a time on both sides.
func (b *bench) serve(ctx context.Context) error {
	header("serve, 1080p24, 8-bit H.264, full-sbs, classic")
	in, err := b.film(ctx, 1920, 1080, 8, b.frames)
	if err != nil {
		return err
	}
	s, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, segments := range []int{1, 6} {
		o := job.DefaultOptions()
		o.SegmentFrames = (b.frames + segments - 1) / segments
		r, err := b.measured(ctx,
			func(ctx context.Context) (cost, error) {
				wall, err := s.convert(ctx, in, o)
				return cost{wall: wall}, err // what a server that goes on has used isn't known
			},
			func(ctx context.Context) (cost, error) {
				return timed(ctx, command(b.binary, fmt.Sprintf("convert %s -o %s -y -q --jobs 1 --segment-frames %d", in, b.path("theirs.mp4"), o.SegmentFrames)))
			})
		if err != nil {
			return err
		}
		row(fmt.Sprintf("%d frames in %d segments; reference: stereospot convert", b.frames, segments), r)
	}
	fmt.Println()
	return nil
}

// server is a StereoSpot server under measurement.
type server struct {
	*client.Client
	cmd *exec.Cmd
	dir string
}

func (b *bench) startServer(ctx context.Context) (*server, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "serve-*")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, cmd: exec.CommandContext(ctx, b.binary, "serve", "--addr", addr, "--data-dir", dir, "--convert-jobs", "1", "--log-level", "error")}
	s.cmd.Stderr = os.Stderr
	s.Client, err = client.New(client.Config{Server: "http://" + addr, Patience: time.Minute})
	if err != nil {
		return nil, err
	}
	return s, s.cmd.Start()
}

// convert runs one job and returns the seconds from its start to its completion.
func (s *server) convert(ctx context.Context, in string, o job.Options) (float64, error) {
	f, err := os.Open(in)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	j, err := s.Create(ctx, client.NewJob{Title: "film.mp4", Size: info.Size(), Options: o})
	if err != nil {
		return 0, err
	}
	if _, err := s.Upload(ctx, j.ID, f, info.Size(), func(int64) {}); err != nil {
		return 0, err
	}
	if _, err := s.Start(ctx, j.ID); err != nil {
		return 0, err
	}
	for j, err = range s.Watch(ctx, j.ID) {
		if err != nil {
			return 0, err
		}
	}
	if j.Status != job.Completed {
		return 0, fmt.Errorf("the job is %s: %s", j.Status, j.Reason)
	}
	return j.CompletedAt.Sub(j.StartedAt).Seconds(), nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}
