package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/memory"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// The film of the load is small, and the network's picture half its usual size, so that many conversions pass.
const (
	loadW, loadH  = 640, 360
	loadSide      = 252 // of the network's picture
	loadFrames    = 240
	segmentFrames = 24
)

// load is clients that have an inference service convert without a pause.
type load struct {
	*bench
	exchange inference.Folder
	store    platform.Platform
	segments []inference.Request

	mu      sync.Mutex
	took    []time.Duration // of each conversion
	lasted  time.Duration   // until the last of them
	frames  int
	refused map[string]int // failures by their words
}

// inference measures the service under load: throughput, latency, and whether its memory grows.
func (b *bench) inference(ctx context.Context) error {
	fmt.Printf("### the inference service, %d clients for %v\n\n", b.clients, b.load)
	dir, err := os.MkdirTemp("", "stereospot-load-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l := &load{bench: b, store: memory.New(memory.Options{}).Platform(), refused: map[string]int{}}
	l.exchange = inference.Folder{Dir: filepath.Join(dir, "exchange"), Input: l.store.Input, Output: l.store.Output}
	models := filepath.Join(dir, "models")
	if err := errors.Join(os.Mkdir(l.exchange.Dir, 0o755), os.Mkdir(models, 0o755)); err != nil {
		return err
	}
	network := onnxtest.Bytes(onnxtest.Kind{})
	if err := os.WriteFile(filepath.Join(models, "load.onnx"), network, 0o644); err != nil {
		return err
	}
	sum := sha256.Sum256(network)
	if err := l.film(ctx, job.DepthOptions{Model: "load", Content: hex.EncodeToString(sum[:]), Size: loadSide}); err != nil {
		return err
	}
	s, err := startService(ctx, b, l.exchange.Dir, models)
	if err != nil {
		return err
	}
	samples, err := l.press(ctx, s)
	if err := errors.Join(err, s.stop()); err != nil {
		return err
	}
	l.tell(samples)
	return nil
}

// film puts the segments of a film into the store.
func (l *load) film(ctx context.Context, d job.DepthOptions) error {
	path, err := l.bench.film(ctx, loadW, loadH, 8, loadFrames)
	if err != nil {
		return err
	}
	o := job.DefaultOptions()
	o.SegmentFrames, o.Depth = segmentFrames, d
	plan, err := pipeline.MakePlan(ctx, path, o, false)
	if err != nil {
		return err
	}
	return media.Split(ctx, path, plan, func(s media.Segment, file string) error {
		sum, err := platform.HashFile(file)
		if err != nil {
			return err
		}
		r := inference.Request{
			JobID: "load", Index: s.Index, Input: job.SegmentKey("load", s.Index, len(plan.Segments), o.Format), Window: s.Window(), Content: sum,
			Format: o.Format, Stereo: o.Stereo, Depth: o.Depth, Encode: job.EncodeOptions{Codec: "h264", Encoder: "libx264", Preset: "ultrafast", CRF: 23},
		}
		l.segments = append(l.segments, r)
		_, err = platform.PutFile(ctx, l.store.Input, r.Input, file, platform.PutOptions{})
		return err
	}, l.dir)
}

// press has every client ask for one segment after the other, and looks at the service each second.
func (l *load) press(ctx context.Context, s *inferenceService) ([]sample, error) {
	ending, cancel := context.WithTimeout(ctx, l.load)
	defer cancel()
	client := inference.NewHTTP(s.url, l.exchange, inference.Limits{})
	begin := time.Now()
	var work sync.WaitGroup
	for c := range l.clients {
		work.Go(func() {
			for i := c; ending.Err() == nil; i++ {
				r := l.segments[i%len(l.segments)]
				r.Output = fmt.Sprintf("client-%d.mp4", c)
				res, err := client.Convert(ctx, r, nil) // what has begun by the end of the time is finished
				if l.note(res, err); err != nil {
					time.Sleep(time.Second)
				}
			}
		})
	}
	samples, err := s.watch(ending, l.done)
	work.Wait()
	l.lasted = time.Since(begin)
	return samples, err
}

// note takes down how a conversion came out.
func (l *load) note(res inference.Result, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refused[err.Error()]++
		return
	}
	l.took = append(l.took, time.Duration(res.Seconds*float64(time.Second)))
	l.frames += res.Frames
}

// done is how many conversions have come to a result.
func (l *load) done() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.took)
}

// tell prints what was measured.
func (l *load) tell(samples []sample) {
	slices.Sort(l.took)
	at := func(share float64) time.Duration {
		if len(l.took) == 0 {
			return 0
		}
		return l.took[int(share*float64(len(l.took)-1))].Round(10 * time.Millisecond)
	}
	fmt.Printf("%d segments of %d frames, %.1f frames per second; a segment took %v (median), %v (95th percentile), %v (99th), %v at most\n\n",
		len(l.took), segmentFrames, float64(l.frames)/l.lasted.Seconds(), at(0.5), at(0.95), at(0.99), at(1))
	for text, n := range l.refused {
		fmt.Printf("failed %d times: %s\n", n, text)
	}
	fmt.Printf("| minutes | segments so far | service, MiB | its networks' process, MiB | open files |\n|--:|--:|--:|--:|--:|\n")
	for _, part := range slices.Collect(slices.Chunk(samples, max(1, (len(samples)+9)/10))) {
		last := part[len(part)-1]
		fmt.Printf("| %.1f | %d | %.0f | %.0f | %.0f |\n", last.at.Minutes(), last.done, medianOf(part, func(s sample) float64 { return mebibytes(s.service) }),
			medianOf(part, func(s sample) float64 { return mebibytes(s.networks) }), medianOf(part, func(s sample) float64 { return float64(s.files) }))
	}
	fmt.Println()
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// medianOf is the median of a figure of samples.
func medianOf(samples []sample, figure func(sample) float64) float64 {
	sorted := slices.SortedFunc(slices.Values(samples), func(a, b sample) int { return cmp.Compare(figure(a), figure(b)) })
	return figure(sorted[len(sorted)/2])
}
