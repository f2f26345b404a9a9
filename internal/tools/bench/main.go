// Command bench measures StereoSpot against plain FFmpeg doing the comparable work, as ratios taken in
// one run, alternating, so that a noisy machine disturbs both alike. It prints Markdown tables for
// docs/benchmarks.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of the program.
type bench struct {
	dir    string // for sources and outputs; sources are kept between runs
	binary string
	rounds int
	frames int // of the source for conversions
	only   string
	// Of neural depth.
	model   string // path
	side    int    // shorter, of the network's pictures, in pixels
	runtime string // path of ONNX Runtime's library

	clients int           // of the inference service
	load    time.Duration // how long they ask
}

func run(ctx context.Context, args []string) error {
	b := bench{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&b.dir, "dir", "work/bench", "directory for sources and outputs")
	flags.StringVar(&b.binary, "stereospot", "bin/stereospot", "the program to measure")
	flags.IntVar(&b.rounds, "rounds", 3, "pairs of runs")
	flags.IntVar(&b.frames, "frames", 240, "frames of the film-like source")
	flags.StringVar(&b.only, "only", "", "measure one part: convert, 10bit, 4k, chunk, reassemble, serve, memory, engine, queue, upload, web, control, onnx, start, inference")
	flags.StringVar(&b.model, "model", "work/models/random-small.onnx", "the network of onnx, beside which Python's venv is")
	flags.IntVar(&b.side, "depth-size", 518, "the shorter side of that network's pictures")
	flags.StringVar(&b.runtime, "ort-lib", "work/onnxruntime/libonnxruntime.so", "ONNX Runtime's library")
	flags.IntVar(&b.clients, "clients", 8, "clients of the inference service at a time")
	flags.DurationVar(&b.load, "load", time.Minute, "how long they ask")
	setup := flags.String("worker", "", "be a worker under measurement, which control starts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *setup != "" {
		return runWorker(*setup)
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	fmt.Printf("%d cores, %s/%s, %s\n\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"convert", b.convert8}, {"10bit", b.convert10}, {"4k", b.convert4K},
		{"chunk", b.chunk}, {"reassemble", b.reassemble}, {"serve", b.serve}, {"memory", b.memory}, {"engine", b.engine},
		{"queue", b.queue}, {"upload", b.upload}, {"web", b.web}, {"control", b.control}, {"onnx", b.neural}, {"start", b.start}, {"inference", b.inference},
	} {
		if b.only != "" && b.only != part.name {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// header starts a table of pairs.
func header(title string) {
	fmt.Printf("### %s\n\n| what | StereoSpot, s | reference, s | ratio (median) | all ratios | ratio of processor time |\n|---|---|---|---|---|---|\n", title)
}

func row(what string, r ratios) {
	var all []string
	for _, x := range r.each {
		all = append(all, fmt.Sprintf("%.2f", x))
	}
	cpu := "" // not known
	if r.cpu > 0 {
		cpu = fmt.Sprintf("%.2f", r.cpu)
	}
	fmt.Printf("| %s | %.2f | %.2f | **%.2f** | %s | %s |\n", what, r.ours, r.theirs, r.median, strings.Join(all, " "), cpu)
}
