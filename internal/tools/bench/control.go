package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
	"github.com/stereospot/stereospot/internal/tools/blank"
)

// controlSegments is how many segments the measured film has.
const controlSegments = 60

// control measures what media-worker and video-worker cost besides films: requests to S3, SQS and DynamoDB, processor
// time and memory per segment, on an emulator. Each worker is a process of its own whose requests go through a counter;
// FFmpeg is taken out by blank films, and inference by a service in this process that publishes blank results.
func (b *bench) control(ctx context.Context) error {
	c, err := openControl(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	workers, err := c.workers(ctx, 0)
	if err != nil {
		return err
	}
	fmt.Printf("### control plane, %d segments on the emulator\n\n", controlSegments)
	for round := range b.rounds {
		before := readings(workers)
		if err := c.film(ctx, controlSegments); err != nil {
			return err
		}
		if round == 0 {
			printRequests(workers)
		}
		if err := printRound(round, before, readings(workers)); err != nil {
			return err
		}
	}
	if err := stopAll(workers); err != nil {
		return err
	}
	return c.memory(ctx)
}

// controlled is one emulated deployment under measurement.
type controlled struct {
	emulator  *awstest.Emulator
	resources platformaws.Resources
	direct    platform.Platform // past the counters
	inference *httptest.Server
	bytes     int64 // of a blank result
}

func openControl(ctx context.Context) (c *controlled, err error) {
	c = &controlled{}
	if c.emulator, err = awstest.Start(); err != nil {
		return nil, err
	}
	cfg, err := awstest.Config(ctx, c.emulator.URL)
	if err != nil {
		return nil, err
	}
	if c.resources, err = awstest.Provision(ctx, cfg, fmt.Sprint("bench-", time.Now().Unix()), 0); err != nil {
		return nil, err
	}
	c.direct = platformaws.Connect(cfg, c.resources)
	c.inference = httptest.NewServer(http.HandlerFunc(c.infer))
	return c, nil
}

// infer publishes the blank result of a request.
func (c *controlled) infer(w http.ResponseWriter, r *http.Request) {
	var wanted wantedResult
	err := json.NewDecoder(r.Body).Decode(&wanted)
	var res inference.Result
	if err == nil {
		res, err = blank.Publish(r.Context(), c.direct.Output, wanted.request(), c.bytes)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(res) // to a client that may have gone
}

func (c *controlled) close() {
	c.inference.Close()
	c.emulator.Close()
}

// film takes one job through the workers.
func (c *controlled) film(ctx context.Context, segments int) error {
	now := time.Now()
	o := job.DefaultOptions()
	o.SegmentFrames = blank.SegmentFrames
	j := job.Job{
		ID: job.NewID(now), Title: "film.mp4", Status: job.Created, Options: o, Uploaded: true, CreatedAt: now, UpdatedAt: now, StartedAt: now,
	}
	if err := c.direct.Jobs.Create(ctx, j); err != nil {
		return err
	}
	if _, err := c.direct.Input.Put(ctx, job.SourceKey(j.ID), strings.NewReader(blank.Source(segments)), platform.PutOptions{}); err != nil {
		return err
	}
	for j.Status != job.Completed {
		var err error
		if j, err = c.direct.Jobs.Get(ctx, j.ID); err != nil {
			return err
		}
		if j.Status == job.Failed || time.Since(now) > 5*time.Minute {
			return fmt.Errorf("the job is %s: %s", j.Status, j.Reason)
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(2 * time.Second) // for the last acknowledgements, and the event of the final file
	return nil
}

// workerProcess is one worker under measurement.
type workerProcess struct {
	role    string
	cmd     *exec.Cmd
	said    *bufio.Scanner
	counter *counter
}

// workers starts both workers. Segments' files have size bytes.
func (c *controlled) workers(ctx context.Context, size int64) (list []*workerProcess, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for _, role := range []string{mediaRole, videoRole} {
		w := &workerProcess{role: role, counter: newCounter(c.emulator.URL)}
		text, err := json.Marshal(workerSetup{
			Role: role, Endpoint: w.counter.URL, Resources: c.resources, Inference: c.inference.URL, SegmentSize: size,
		})
		if err != nil {
			return nil, err
		}
		w.cmd = exec.CommandContext(ctx, program, "-worker", string(text))
		w.cmd.Stderr = os.Stderr
		w.cmd.Cancel = func() error { return w.cmd.Process.Signal(syscall.SIGTERM) }
		out, err := w.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := w.cmd.Start(); err != nil {
			return nil, err
		}
		w.said = bufio.NewScanner(out)
		list = append(list, w)
		if _, err := w.read(); err != nil { // it is ready
			return list, err
		}
	}
	return list, nil
}

// usage asks the worker what it has used so far.
func (w *workerProcess) usage() (u usage, err error) {
	if err := w.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return u, err
	}
	return w.read()
}

// read reads what the worker says of itself next.
func (w *workerProcess) read() (u usage, err error) {
	if !w.said.Scan() {
		return u, fmt.Errorf("%s said nothing: %w", w.role, errors.Join(w.said.Err(), w.cmd.Wait()))
	}
	return u, json.Unmarshal(w.said.Bytes(), &u)
}

func stopAll(workers []*workerProcess) error {
	var errs []error
	for _, w := range workers {
		errs = append(errs, w.cmd.Process.Signal(syscall.SIGTERM), w.cmd.Wait())
		w.counter.Close()
	}
	return errors.Join(errs...)
}

// reading is what a worker has cost up to some moment.
type reading struct {
	usage
	requests int
	err      error
}

func readings(workers []*workerProcess) map[string]reading {
	all := map[string]reading{}
	for _, w := range workers {
		u, err := w.usage()
		all[w.role] = reading{u, w.counter.total(), err}
	}
	return all
}

func printRequests(workers []*workerProcess) {
	fmt.Printf("| worker | request | per segment |\n|---|---|--:|\n")
	for _, w := range workers {
		for _, name := range slices.Sorted(maps.Keys(w.counter.counts())) {
			fmt.Printf("| %s | %s | %.2f |\n", w.role, name, float64(w.counter.counts()[name])/controlSegments)
		}
	}
	fmt.Printf("\n| film | worker | requests per segment | processor time per segment, ms | peak memory, MiB |\n|--:|---|--:|--:|--:|\n")
}

func printRound(round int, before, after map[string]reading) error {
	var requests, cpu float64
	for _, role := range slices.Sorted(maps.Keys(after)) {
		b, a := before[role], after[role]
		if err := errors.Join(b.err, a.err); err != nil {
			return err
		}
		n, ms := float64(a.requests-b.requests)/controlSegments, (a.CPU-b.CPU).Seconds()*1000/controlSegments
		requests, cpu = requests+n, cpu+ms
		fmt.Printf("| %d | %s | %.2f | %.2f | %.0f |\n", round+1, role, n, ms, float64(a.Peak)/(1<<20))
	}
	fmt.Printf("| %d | both | **%.2f** | **%.2f** | |\n", round+1, requests, cpu)
	return nil
}

// memory measures the peak memory of workers that move large objects.
func (c *controlled) memory(ctx context.Context) error {
	const segments, size = 6, 64 << 20
	c.bytes = size
	workers, err := c.workers(ctx, size)
	if err != nil {
		return err
	}
	if err := c.film(ctx, segments); err != nil {
		return err
	}
	fmt.Printf("\n| worker | peak memory with segments of %d MiB and a final file of %d, MiB |\n|---|--:|\n", size>>20, segments*size>>20)
	for _, role := range []string{mediaRole, videoRole} {
		r := readings(workers)[role]
		if r.err != nil {
			return r.err
		}
		fmt.Printf("| %s | %.0f |\n", role, float64(r.Peak)/(1<<20))
	}
	fmt.Println()
	return stopAll(workers)
}

// discard is the log of what is measured.
func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
