package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// inferenceService is a service under measurement.
type inferenceService struct {
	cmd *exec.Cmd
	url string
}

// startService starts a service with a place for every client, and returns when it is ready.
func startService(ctx context.Context, b *bench, exchange, models string) (*inferenceService, error) {
	s := &inferenceService{cmd: exec.CommandContext(ctx, b.binary, "inference", "--addr", "127.0.0.1:0", "--jobs", strconv.Itoa(b.clients),
		"--allow-files", exchange, "--models-dir", models, "--ort-lib", b.runtime, "--log-level", "warn")}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the service didn't start: %w", err), s.stop())
	}
	_, s.url, _ = strings.Cut(strings.TrimSpace(line), " is at ")
	begin := time.Now()
	for !s.ready(ctx) {
		if time.Since(begin) > time.Minute {
			return nil, errors.Join(errors.New("the service isn't ready within a minute"), s.stop())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return s, nil
}

// ready asks the service whether it could take a job.
func (s *inferenceService) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/ping", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop ends the service and waits for it.
func (s *inferenceService) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// sample is what the service takes at one moment.
type sample struct {
	at                time.Duration // since the load began
	done              int           // conversions so far
	service, networks int64         // resident bytes of its own process and of the one that holds its networks
	files             int           // that the service has open
}

// watch looks at the service each second until ctx ends.
func (s *inferenceService) watch(ctx context.Context, done func() int) ([]sample, error) {
	var samples []sample
	begin, tick := time.Now(), time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return samples, nil
		case <-tick.C:
		}
		now := sample{at: time.Since(begin), done: done()}
		var err error
		if now.service, err = resident(s.cmd.Process.Pid); err != nil {
			return nil, err
		}
		if pid := networksProcess(s.cmd.Process.Pid); pid != 0 {
			now.networks, _ = resident(pid) // it may have just died
		}
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
		if err != nil {
			return nil, err
		}
		now.files = len(files)
		samples = append(samples, now)
	}
}

// networksProcess finds the child that holds the networks, or 0.
func networksProcess(parent int) int {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", parent)) // none where it has ended
	for _, task := range tasks {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", parent, task.Name()))
		for _, text := range strings.Fields(string(children)) {
			line, _ := os.ReadFile("/proc/" + text + "/cmdline")
			if strings.Contains(string(line), "inference-worker") {
				pid, _ := strconv.Atoi(text) // the kernel's own number
				return pid
			}
		}
	}
	return 0
}

// resident is the resident memory of a process, in bytes (proc(5), statm).
func resident(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0, fmt.Errorf("process %d has no memory: it has ended", pid)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
