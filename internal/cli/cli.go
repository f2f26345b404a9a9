// Package cli is the command line: it parses arguments, wires the packages together and turns errors
// into exit codes. Nothing imports it but main.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/scene"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is the grammar; kong reads the tags.
type commands struct {
	Convert         convertCommand         `cmd:"" help:"Convert one video into 3D."`
	Probe           probeCommand           `cmd:"" help:"Show what a video holds, how it would be split, and what survives."`
	Preview         previewCommand         `cmd:"" help:"Draw a sheet of one frame: picture, depth, anaglyph, disparity."`
	Scene           sceneCommand           `cmd:"" help:"Render a short film of a made-up scene, to try things on."`
	Serve           serveCommand           `cmd:"" help:"Run the web page and the workers on this machine."`
	WebUI           webUICommand           `cmd:"" name:"web-ui" help:"Run the web page alone; the workers are processes of their own."`
	MediaWorker     mediaWorkerCommand     `cmd:"" help:"Split films and join results, for a web page on the same data directory."`
	VideoWorker     videoWorkerCommand     `cmd:"" help:"Convert segments, for a web page on the same data directory."`
	Inference       inferenceCommand       `cmd:"" help:"Convert segments for video-workers elsewhere, over HTTP."`
	InferenceWorker inferenceWorkerCommand `cmd:"" hidden:"" help:"The process that holds the neural networks of another command."`
	Models          modelsCommand          `cmd:"" help:"List, fetch and verify the neural models that depth may come from."`
	Submit          submitCommand          `cmd:"" help:"Send videos to a StereoSpot server, and fetch the results."`
	Jobs            jobsCommand            `cmd:"" help:"List, watch, cancel, retry and remove a server's jobs."`
	SmokeTest       smokeTestCommand       `cmd:"" help:"Take a made-up film through a server, compare the result, and leave nothing behind."`
	DLQ             dlqCommand             `cmd:"" name:"dlq" help:"For operators: messages that failed as often as they may."`
	Doctor          doctorCommand          `cmd:"" help:"Look for what keeps StereoSpot from working here, and say what to do."`
	Backup          backupCommand          `cmd:"" help:"Copy a server's data directory, while it runs."`
	Infra           infraCommand           `cmd:"" help:"For operators: a deployment on AWS, beside Terraform."`
	Healthcheck     healthcheckCommand     `cmd:"" help:"Ask a role of this machine whether it is well; for containers."`
	Version         versionCommand         `cmd:"" help:"Print the version of StereoSpot and of FFmpeg."`
}

// streams are a process's standard streams, so that tests can stand in for them.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a wrong use of the command line: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// problemList is several errors that each stand on a line of their own.
type problemList struct{ error }

func (e problemList) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Main runs the command line and returns the process's exit code.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the default action is restored, so that a second one ends at once.
	context.AfterFunc(ctx, stop)
	return run(ctx, args, streams{in, out, errOut})
}

func run(ctx context.Context, args []string, std streams) int {
	err := dispatch(ctx, args, std)
	var exit exitRequest
	switch usage := (usageError{}); {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintf(std.err, "stereospot: %s\n", oneLine(err))
		return exitUsage
	default:
		fmt.Fprintf(std.err, "stereospot: %s\n", oneLine(err))
		return exitFailed
	}
}

// exitRequest carries kong's wish to end the process (after --help) out of the parser as a panic.
type exitRequest int

func (e exitRequest) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func dispatch(ctx context.Context, args []string, std streams) (err error) {
	defer func() {
		if r := recover(); r != nil {
			exit, ok := r.(exitRequest)
			if !ok {
				panic(r)
			}
			err = exit
		}
	}()
	parser, err := newParser(std)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return usageError{fmt.Errorf("%w (see %s --help)", err, misused(err))}
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(std)
}

// misused is the command that the arguments of a parser's error were for, as far as they name one.
func misused(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		if command := parse.Context.Selected(); command != nil {
			return command.FullPath()
		}
	}
	return "stereospot"
}

func newParser(std streams) (*kong.Kong, error) {
	parser, err := kong.New(&commands{},
		kong.Name("stereospot"),
		kong.Description("StereoSpot turns 2D video into stereoscopic 3D: same frames, same instants, same sound."),
		kong.Writers(std.out, std.err),
		kong.Vars{"sceneNames": strings.Join(scene.Names(), ", ")},
		kong.Exit(func(code int) { panic(exitRequest(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ShortUsageOnError(),
		kong.ExplicitGroups([]kong.Group{{Key: "aws", Title: "Flags with --platform aws:"}}),
		kong.ValueFormatter(describeFlag),
	)
	if err != nil {
		return nil, err
	}
	return parser, kong.Visit(parser.Model, passOverEmpty)
}

// passOverEmpty has a flag take its default where its environment variable is set to nothing, as container files and
// scripts set what they leave open: a path would be the current directory otherwise, and a number an error. A plain text may
// well be empty.
func passOverEmpty(node kong.Visitable, next kong.Next) error {
	value, ok := node.(*kong.Value)
	if ok && !(value.Target.Kind() == reflect.String && value.Tag.Type == "" && value.Enum == "") {
		value.Tag.Envs = slices.DeleteFunc(value.Tag.Envs, func(name string) bool {
			text, set := os.LookupEnv(name)
			return set && text == ""
		})
	}
	return next(nil)
}

// describeFlag is a flag's line in the help: kong shows a default only where no placeholder stands in its place.
func describeFlag(v *kong.Value) string {
	said := *v
	if v.Flag != nil && v.Flag.PlaceHolder != "" && v.Default != "" && !strings.Contains(strings.ToLower(v.Help), "default") {
		said.Help += " Default: " + v.Default + "."
	}
	return kong.DefaultHelpValueFormatter(&said)
}

// errContinues says that a command was stopped whose work so far is kept.
var errContinues = errors.New("stopped; the same command continues where it was")

// continuing adds errContinues to the error of a command that was stopped.
func continuing(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.Join(errContinues, err)
	}
	return err
}

// oneLine folds an error into a single line for a person, and a list of problems into one for each.
func oneLine(err error) string {
	for _, stop := range []error{errBeginsAnew, errContinues} {
		if errors.Is(err, stop) {
			return stop.Error()
		}
	}
	if errors.Is(err, context.Canceled) {
		return "stopped"
	}
	if errors.Is(err, platform.ErrFull) || errors.Is(err, syscall.ENOSPC) {
		return platform.ErrFull.Error()
	}
	if errors.As(err, new(problemList)) {
		return strings.ReplaceAll(err.Error(), "\n", "\nstereospot: ")
	}
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
