package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// runs is a process that runs something as often as it is told, and says what that took.
type runs struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	peak int64 // of its resident memory, in bytes, after the last run
}

func startRuns(ctx context.Context, program string, args ...string) (*runs, error) {
	r := &runs{cmd: exec.CommandContext(ctx, program, args...)}
	r.cmd.Stderr = os.Stderr
	in, err := r.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.in, r.out = in, bufio.NewReader(out)
	return r, r.cmd.Start()
}

// run has the process run n times.
func (r *runs) run(n int) (cost, error) {
	if _, err := fmt.Fprintln(r.in, n); err != nil {
		return cost{}, err
	}
	line, err := r.out.ReadString('\n')
	if err != nil {
		return cost{}, err
	}
	if r.peak, err = highWater(r.cmd.Process.Pid); err != nil {
		return cost{}, err
	}
	var c cost
	_, err = fmt.Sscan(line, &c.wall, &c.cpu)
	return c, err
}

// close ends the process by the end of its input.
func (r *runs) close() error { return errors.Join(r.in.Close(), r.cmd.Wait()) }
