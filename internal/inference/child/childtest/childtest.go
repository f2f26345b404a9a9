// Package childtest has a test's own program be the child that holds networks, and networks that end it in every way.
package childtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference/child"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// The networks. Luma says that what is brighter is nearer; the others end their process, or never end.
const (
	Luma    = "luma"
	Fault   = "fault"
	Killed  = "killed"
	Panic   = "panic"
	Endless = "endless"
	Refuses = "refuses" // an error, and nothing else
	Heavy   = "heavy"   // ends its process when it is opened, as one does that there is no memory for
)

// Deadly are those that take their process with them.
func Deadly() []string { return []string{Fault, Killed, Panic} }

const (
	variable = "STEREOSPOT_TEST_CHILD" // set: be the child
	gate     = "STEREOSPOT_TEST_GATE"  // a file without which no network is opened
)

// Main is the whole of a TestMain.
func Main(m *testing.M) {
	if os.Getenv(variable) == "" {
		os.Exit(m.Run())
	}
	Serve()
}

// Serve is the whole of a process that has the networks.
func Serve() {
	if err := child.Serve(context.Background(), Networks{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Config is that of a Host whose child is this test's program; open is a file without which it opens no network, or "".
func Config(open string, warm ...string) child.Config {
	c := child.Config{
		Program: os.Args[0], Env: append(os.Environ(), variable+"=1", gate+"="+open),
		Pause: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	for _, name := range warm {
		c.Warm = append(c.Warm, Options(name))
	}
	return c
}

// Options choose a network.
func Options(name string) job.DepthOptions { return job.DepthOptions{Model: name, Content: "00"} }

// Networks are the child's models.
type Networks struct{}

var _ child.Models = Networks{}

// Resolve implements child.Models: what is chosen is here.
func (Networks) Resolve(d job.DepthOptions) (job.DepthOptions, error) {
	if d.Model != job.Classic {
		d.Content = "00"
	}
	return d, nil
}

// Open implements child.Models.
func (Networks) Open(ctx context.Context, d job.DepthOptions) (depth.Net, error) {
	for file := os.Getenv(gate); file != ""; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if d.Model == Heavy {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return Network(d.Model), ctx.Err()
}

// Network is a network by its name.
type Network string

// Spec implements depth.Net.
func (Network) Spec() depth.Spec {
	return depth.Spec{Side: 28, Multiple: 14, Std: [3]float32{1, 1, 1}}
}

// Batch implements depth.Net.
func (Network) Batch() int { return 2 }

// Infer implements depth.Net: the first plane of the tensor, which depends on everything that a picture says.
func (n Network) Infer(pictures []depth.Input) ([]depth.Map, error) {
	switch n {
	case Fault:
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	case Killed:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case Panic:
		panic("a network's own fault")
	case Endless:
		select {}
	case Refuses:
		return nil, errors.New("pictures that this network can't see")
	}
	maps := make([]depth.Map, len(pictures))
	for i, p := range pictures {
		tensor := make([]float32, 3*p.W*p.H)
		n.Spec().Tensor(tensor, p)
		maps[i] = depth.Map{W: p.W, H: p.H, D: tensor[:p.W*p.H]}
	}
	return maps, nil
}
