package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
)

type submitCommand struct {
	Files []string `arg:"" help:"The 2D videos, a job each." type:"path"`
	serverFlags
	Wait   bool   `help:"Wait until the films are done; exit 0 only if all are."`
	Output string `short:"o" help:"Fetch the film when it is done: the file to write, or a directory. Implies --wait." type:"path"`
	Yes    bool   `short:"y" help:"Overwrite the output if it exists."`
	optionFlags
	Webhook string `help:"An http(s) address that the server tells how the job ended." placeholder:"URL"`
	JSON    bool   `name:"json" help:"Print one JSON object per event (docs/convert.md has the schema)."`
	Quiet   bool   `short:"q" help:"Print errors only."`
}

// Help implements kong's detailed help.
func (submitCommand) Help() string {
	return `Examples:
  stereospot submit film.mkv                                  upload, then leave the server to it
  stereospot submit film.mkv --format half-sbs -o film3d.mp4  wait and fetch the result
  stereospot submit *.mkv -o done/ --server https://films.example --token "$TOKEN"

A broken upload continues with the same command: parts that have arrived are compared and not sent again.
Ctrl-C while waiting leaves the job running.
Exit codes: 0 submitted (with --wait: done), 1 failed (one line says why), 2 wrong usage.`
}

// film is a file to submit.
type film struct {
	path string
	size int64 // bytes
}

// Run implements the command.
func (c *submitCommand) Run(ctx context.Context, std streams) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	if c.JSON && c.Quiet {
		return usagef("--json and --quiet exclude each other")
	}
	films, err := c.films(&o)
	if err != nil {
		return err
	}
	report := newRemoteReporter(std, c.JSON, c.Quiet)
	server, err := c.connect(report.retrying)
	if err != nil {
		return err
	}
	f := &follower{serverFlags: c.serverFlags, client: server, report: report, output: c.Output, yes: c.Yes}
	return f.run(func() ([]fetched, error) { return c.submit(ctx, f, films, o) })
}

// films checks the files and the places of their results before anything is sent. A single output's extension decides
// the container that o leaves open.
func (c *submitCommand) films(o *job.Options) ([]film, error) {
	var films []film
	for _, path := range c.Files {
		if err := media.CheckFile(path); err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		films = append(films, film{path, info.Size()})
	}
	return films, c.checkResults(o)
}

func (c *submitCommand) checkResults(o *job.Options) (err error) {
	info, statErr := os.Stat(c.Output)
	directory := statErr == nil && info.IsDir()
	switch {
	case c.Output == "":
		return nil
	case !directory && len(c.Files) > 1:
		return usagef("-o is %s: name a directory that exists, for there are several films", c.Output)
	case !directory:
		if o.Encode.Container, err = containerOf(o.Encode.Container, c.Output); err != nil {
			return err
		}
		return checkOutput(c.Output, c.Yes)
	}
	for _, file := range c.Files {
		if err := checkOutput(filepath.Join(c.Output, resultName(file, *o)), c.Yes); err != nil {
			return err
		}
	}
	return nil
}

// submit uploads all films, so that the server is busy, and then waits for them in turn. A film that fails doesn't
// keep the others.
func (c *submitCommand) submit(ctx context.Context, f *follower, films []film, o job.Options) (done []fetched, err error) {
	begin := time.Now()
	var sent []client.Job
	for _, film := range films {
		j, err := c.upload(ctx, f, film, o)
		if errors.Is(err, context.Canceled) && len(sent) > 0 { // all of them again would make those jobs twice
			return nil, fmt.Errorf("stopped; %d of %d films are submitted: repeat the command with the others", len(sent), len(films))
		}
		if err != nil {
			return nil, continuing(err)
		}
		f.report.submitted(j, f.page(j.ID))
		sent = append(sent, j)
	}
	if !c.Wait && c.Output == "" {
		return nil, nil
	}
	var errs []error
	for _, j := range sent {
		p, err := f.follow(ctx, j.ID)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		done = append(done, fetched{p, time.Since(begin)})
	}
	return done, errors.Join(errs...)
}

// upload makes the film's job, or finds the one that an earlier try left, and sends what is missing.
func (c *submitCommand) upload(ctx context.Context, f *follower, film film, o job.Options) (client.Job, error) {
	file, err := os.Open(film.path)
	if err != nil {
		return client.Job{}, err
	}
	defer file.Close()
	wanted := client.NewJob{Title: filepath.Base(film.path), Size: film.size, Options: o, Start: true, Webhook: c.Webhook}
	j, found, err := f.client.FindUpload(ctx, wanted)
	if err == nil && !found {
		j, err = f.client.Create(ctx, wanted)
	}
	if err != nil {
		return client.Job{}, err
	}
	f.report.begin()
	return f.client.Upload(ctx, j.ID, file, film.size, func(done int64) { f.report.transfer(uploading, done, film.size) })
}
