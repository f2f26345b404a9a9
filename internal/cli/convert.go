package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stereospot/stereospot/internal/config"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
)

// optionFlags are the options of a job; convert and submit share them.
type optionFlags struct {
	Format string `help:"Arrangement of the views: ${enum}." enum:"full-sbs,half-sbs,full-tb,half-tb,cross-eyed,anaglyph,vr180,depth,rgbd" default:"full-sbs"`
	stereoFlags
	Codec   string `help:"Video codec: h264 or hevc. Default: hevc for 10-bit sources, else h264." enum:",h264,hevc" default:""`
	CRF     int    `name:"crf" help:"Constant quality, 0 (lossless) to 51. Default: 18 for h264, 20 for hevc." default:"-1" placeholder:"N"`
	Speed   string `name:"encoder-preset" help:"The encoder's own speed preset, such as veryfast, medium, slow." placeholder:"NAME"`
	Encoder string `help:"FFmpeg encoder: auto (software), gpu (NVENC where it works, else software), libx264, libx265, h264_nvenc, hevc_nvenc, …" default:"auto"`
	sizeFlags
	Container string `help:"File format: mp4, mkv, or auto (mp4 unless the sound doesn't fit into it)." enum:"auto,mp4,mkv" default:"auto"`

	Start    string `help:"Begin here, in seconds or hh:mm:ss.sss (for trying a minute)." placeholder:"TIME"`
	Duration string `help:"Convert this much, in seconds or hh:mm:ss.sss." placeholder:"TIME"`

	SegmentFrames int `help:"Largest number of frames in one segment (default ${default}: a minute at 24 a second)." default:"1440" placeholder:"N"`
}

// sizeFlags say how large the picture becomes; preview shares them.
type sizeFlags struct {
	Height int `help:"Scale the picture to this height before depth and views are made, such as 2160. 0 = as it is." default:"0" placeholder:"PIXELS"`
}

// options turns the flags into validated job options.
func (f *optionFlags) options() (job.Options, error) {
	o := job.DefaultOptions()
	o.Format = job.Format(f.Format)
	if err := f.apply(&o); err != nil {
		return o, usageError{err}
	}
	o.Encode = job.EncodeOptions{
		Codec: f.Codec, Encoder: f.Encoder, CRF: f.CRF, Preset: f.Speed, Height: f.Height, Container: job.Container(f.Container),
	}
	o.SegmentFrames = f.SegmentFrames
	var err error
	if o.Start, err = parseTime("--start", f.Start); err != nil {
		return o, err
	}
	if o.Duration, err = parseTime("--duration", f.Duration); err != nil {
		return o, err
	}
	if f.Duration != "" && o.Duration == 0 {
		return o, usagef("--duration is 0: nothing to convert")
	}
	if err := o.Validate(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

type convertCommand struct {
	Input  string `arg:"" help:"The 2D video." type:"path"`
	Output string `short:"o" help:"The 3D video to write. Default: beside the input, with the suffix that players recognise." type:"path"`

	optionFlags
	Report string `help:"Write what is known of depth and comfort: to a .json file as numbers, to a .png as a picture." type:"path" placeholder:"FILE"`
	Scenes string `help:"Write the list of scenes to a .csv, .json, .edl or .ffmeta file (chapters for FFmpeg)." type:"path" placeholder:"FILE"`

	config.Models
	config.Decoding
	Jobs     int    `help:"Segments converted at the same time. 0 = fit to this machine." default:"0" placeholder:"N"`
	WorkDir  string `help:"Directory for work under way. Default: a hidden one beside the output, removed when done." type:"path"`
	NoResume bool   `help:"Start over instead of continuing an interrupted conversion."`
	Yes      bool   `short:"y" help:"Overwrite the output if it exists."`
	JSON     bool   `name:"json" help:"Print one JSON object per event (docs/convert.md has the schema)."`
	Quiet    bool   `short:"q" help:"Print errors only."`
}

// Help implements kong's detailed help.
func (convertCommand) Help() string {
	return `Examples:
  stereospot convert film.mkv                                full side-by-side, beside the input
  stereospot convert film.mkv --format anaglyph              for red-cyan glasses
  stereospot convert film.mkv --format half-sbs --crf 20     for a 3D TV
  stereospot convert film.mkv --start 0:10:00 --duration 60  try a minute first
  stereospot convert film.mkv --preset comfort               gentle depth, the subject on the screen
  stereospot convert film.mkv --divergence 3 --convergence auto --max-parallax 1.5

Interrupted by Ctrl-C, a crash or a power cut, the same command continues where it was.
Exit codes: 0 done, 1 failed (one line says why), 2 wrong usage.`
}

// check finds wrong uses that the grammar can't.
func (c *convertCommand) check() error {
	if c.Jobs < 0 || c.Jobs > 64 {
		return usagef("--jobs is %d: use 0 to 64", c.Jobs)
	}
	if err := c.Models.Check(); err != nil {
		return usageError{err}
	}
	if c.JSON && c.Quiet {
		return usagef("--json and --quiet exclude each other")
	}
	return c.extras().check(c.Yes)
}

// extras are the files that are written beside the film.
func (c *convertCommand) extras() extras { return extras{report: c.Report, scenes: c.Scenes} }

// Run implements the command.
func (c *convertCommand) Run(ctx context.Context, std streams) error {
	if err := c.check(); err != nil {
		return err
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	report := newReporter(std, c.JSON, c.Quiet)
	begin := time.Now()
	result, err := c.convert(ctx, o, report)
	report.close()
	if err != nil {
		report.failed(err)
		return err
	}
	report.done(result, time.Since(begin))
	return nil
}

func (c *convertCommand) convert(ctx context.Context, o job.Options, report *reporter) (_ published, err error) {
	if err := media.CheckTools(ctx); err != nil {
		return published{}, err
	}
	if o.Encode.Container, err = containerOf(o.Encode.Container, c.Output); err != nil {
		return published{}, err
	}
	loader := newLoader(c.Models, true)
	defer func() { err = errors.Join(err, loader.Close()) }()
	choice, err := chooseDepth(loader, o.Depth)
	if err != nil {
		return published{}, err
	}
	o.Depth = choice.Options
	input, output, err := c.paths(o)
	if err != nil {
		return published{}, err
	}
	gpu, err := openGPU(ctx, c.Decoding, report.note)
	if err != nil {
		return published{}, err
	}
	w, err := openWork(ctx, workRequest{
		input: input, output: output, dir: c.WorkDir, options: o, fresh: c.NoResume, jobs: c.Jobs, report: report, models: loader, gpu: gpu,
		opened: sync.OnceValue(func() error { return openDepth(loader, choice, report.note) }),
	})
	if err != nil {
		return published{}, err
	}
	result, err := c.convertIn(ctx, w)
	done := err == nil || !w.worthKeeping(context.WithoutCancel(ctx))
	switch {
	case !done:
		err = continuing(err)
	case errors.Is(err, context.Canceled):
		err = errors.Join(errBeginsAnew, err)
	}
	return result, errors.Join(err, w.close(done))
}

// convertIn converts in a work directory. The model is opened meanwhile: that takes about as long as measuring and
// splitting a film.
func (c *convertCommand) convertIn(ctx context.Context, w *work) (result published, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(w.req.opened)
	group.Go(func() (err error) {
		result, err = w.convert(ctx, c.Yes, c.Output == "", c.extras())
		return err
	})
	err = group.Wait()
	return result, err
}

// errBeginsAnew says that a conversion was stopped before it had anything to keep.
var errBeginsAnew = errors.New("stopped before the first segment was done; the same command begins anew")

// paths returns the absolute input and output. Without -o the extension is settled later, with the container.
func (c *convertCommand) paths(o job.Options) (input, output string, err error) {
	if input, err = filepath.Abs(c.Input); err != nil {
		return "", "", err
	}
	if err := media.CheckFile(input); err != nil {
		return "", "", err
	}
	output = c.Output
	if output == "" {
		output = filepath.Join(filepath.Dir(input), resultName(input, o))
	}
	if same(input, output) {
		return "", "", fmt.Errorf("%s is the input: choose another output with -o", output)
	}
	return input, output, checkOutput(output, c.Yes)
}

// resultName returns the file name that a film's result gets by itself.
func resultName(input string, o job.Options) string {
	ext := ".mp4"
	if o.Encode.Container == job.MKV {
		ext = ".mkv"
	}
	return strings.TrimSuffix(filepath.Base(input), filepath.Ext(input)) + o.Format.Suffix(o.Stereo.Anaglyph) + ext
}

// containerOf lets the extension of -o decide where the person left the container open.
func containerOf(c job.Container, output string) (job.Container, error) {
	if output == "" {
		return c, nil
	}
	var named job.Container
	switch strings.ToLower(filepath.Ext(output)) {
	case ".mp4", ".m4v":
		named = job.MP4
	case ".mkv":
		named = job.MKV
	default:
		return c, usagef("%s: name the output .mp4 or .mkv", filepath.Base(output))
	}
	if c != job.AutoContainer && c != named {
		return c, usagef("%s doesn't fit to --container %s", filepath.Base(output), c)
	}
	return named, nil
}

// writable is access(2)'s W_OK.
const writable = 2

// checkOutput refuses what could only fail when all the work is done.
func checkOutput(output string, overwrite bool) error { return checkOutputOf("-o", output, overwrite) }

// checkOutputOf is checkOutput of what a flag names.
func checkOutputOf(flag, output string, overwrite bool) error {
	dir := filepath.Dir(output)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no directory: create it or choose another output with %s", dir, flag)
	}
	if err := syscall.Access(dir, writable); err != nil {
		return fmt.Errorf("can't write into %s: %w: choose another output with %s", dir, err, flag)
	}
	info, err := os.Stat(output)
	switch {
	case err != nil:
		return nil
	case info.IsDir():
		return fmt.Errorf("%s is a directory: name a file with %s", output, flag)
	case !overwrite:
		return fmt.Errorf("%s exists: use -y to overwrite it or %s for another name", output, flag)
	}
	return nil
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
