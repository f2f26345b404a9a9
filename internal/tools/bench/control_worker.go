package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
	"github.com/stereospot/stereospot/internal/tools/blank"
	"github.com/stereospot/stereospot/internal/worker"
)

// The roles of a worker under measurement.
const (
	mediaRole = "media-worker"
	videoRole = "video-worker"
)

// workerSetup is what a worker under measurement is told on its command line.
type workerSetup struct {
	Role        string
	Endpoint    string // of AWS
	Resources   platformaws.Resources
	Inference   string // URL of the stand-in
	SegmentSize int64
}

// usage is what a process has used since its start.
type usage struct {
	CPU  time.Duration
	Peak int64 // of resident memory, bytes
}

// wantedResult is a request to the stand-in for inference. The fields that the request's hash covers and JSON leaves out
// of it are beside it.
type wantedResult struct {
	Request       inference.Request
	Output        string
	Index, Frames int
}

func (w wantedResult) request() inference.Request {
	r := w.Request
	r.Output, r.Index, r.Window = w.Output, w.Index, media.Window{Frames: w.Frames}
	return r
}

// remote asks the stand-in.
type remote string

// Convert implements inference.Converter.
func (url remote) Convert(ctx context.Context, r inference.Request, _ func(int)) (res inference.Result, err error) {
	body, err := json.Marshal(wantedResult{Request: r, Output: r.Output, Index: r.Index, Frames: r.Window.Frames})
	if err != nil {
		return res, err
	}
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, string(url), bytes.NewReader(body))
	if err != nil {
		return res, err
	}
	answer, err := http.DefaultClient.Do(asked)
	if err != nil {
		return res, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return res, err
	}
	if answer.StatusCode != http.StatusOK {
		return res, fmt.Errorf("inference: %s", text)
	}
	return res, json.Unmarshal(text, &res)
}

// runWorker is a worker process: it prints its usage when it is ready and at every SIGUSR1 and ends with SIGTERM.
func runWorker(setup string) error {
	var s workerSetup
	if err := json.Unmarshal([]byte(setup), &s); err != nil {
		return err
	}
	asked, stop := make(chan os.Signal, 8), make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	signal.Notify(stop, syscall.SIGTERM)
	p, err := s.pipeline()
	if err != nil {
		return err
	}
	defer os.RemoveAll(p.Scratch)
	soft := make(chan struct{})
	var all sync.WaitGroup
	for name, concurrency := range s.queues() {
		w := worker.New(worker.Config{
			Name: name, Queue: p.Queues[name], Handler: worker.Steps(p, name), Concurrency: concurrency, Visibility: name.Visibility(),
			Poll: 5 * time.Second, Gather: time.Second, Backoff: worker.Backoff{First: time.Second, Limit: time.Minute}, Drain: time.Second, Log: p.Log,
		})
		all.Go(func() { w.Run(context.Background(), soft) })
	}
	if err := printUsage(); err != nil { // it is ready
		return err
	}
	for {
		select {
		case <-asked:
			if err := printUsage(); err != nil {
				return err
			}
		case <-stop:
			close(soft)
			all.Wait()
			return nil
		}
	}
}

func (s workerSetup) queues() map[platform.QueueName]int {
	if s.Role == videoRole {
		return map[platform.QueueName]int{platform.VideoWorkerQueue: 10}
	}
	return map[platform.QueueName]int{platform.ChunkingQueue: 1, platform.SegmentOutputQueue: platform.MaxBatch, platform.ReassemblyQueue: 1}
}

func (s workerSetup) pipeline() (*pipeline.Pipeline, error) {
	cfg, err := awstest.Config(context.Background(), s.Endpoint)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return nil, err
	}
	return &pipeline.Pipeline{
		Platform: platformaws.Connect(cfg, s.Resources), Converter: remote(s.Inference), Films: blank.Films{SegmentSize: s.SegmentSize},
		Scratch: scratch, Owner: fmt.Sprint(s.Role, " ", os.Getpid()), Log: discard(), Now: time.Now, LeaseTime: 2 * time.Minute, Pulse: 30 * time.Second,
	}, nil
}

func printUsage() error {
	peak, err := highWater(os.Getpid())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(usage{CPU: coreTime(unix.RUSAGE_SELF), Peak: peak})
}
