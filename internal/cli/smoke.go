package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/infra"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pause"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// smokeTestCommand takes a made-up film through a deployment, as a person would.
type smokeTestCommand struct {
	serverFlags
	EnvFile string        `help:"File with ALB_URL (or STEREOSPOT_SERVER) and STEREOSPOT_TOKEN or STEREOSPOT_PASSWORD, as 'stereospot infra env' and people write it; flags and the environment go before it." type:"path" placeholder:"FILE"`
	Within  time.Duration `help:"How long all of it may take." default:"30m"`

	password string
}

// Help implements kong's detailed help.
func (smokeTestCommand) Help() string {
	return `Renders a small film with sound, makes a job of it, uploads it to where the server says, waits until it is
converted, downloads the result, compares its frames, instants, sound and stereo tag with the source, and
removes the job: also when a step fails or Ctrl-C is pressed. Nothing is left behind. Needs FFmpeg here.

  stereospot smoke-test                                  the server of this machine
  stereospot smoke-test --env-file infra/aws-infra/.env  a deployment on AWS

The password, where there is one, comes from STEREOSPOT_PASSWORD. Exit codes: 0 all is well, 1 a step failed
(the last line names it), 2 wrong usage.`
}

// Run implements the command.
func (c *smokeTestCommand) Run(ctx context.Context, std streams) error {
	c.password = os.Getenv("STEREOSPOT_PASSWORD")
	if err := c.readEnvFile(); err != nil {
		return usageError{err}
	}
	if err := media.CheckTools(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Within, fmt.Errorf("not done within %v", c.Within))
	defer cancel()
	dir, err := os.MkdirTemp("", "stereospot-smoke-*")
	if err != nil {
		return err
	}
	s := &smokeTest{smokeTestCommand: c, report: newRemoteReporter(streams{std.in, std.err, std.err}, false, false), dir: dir}
	failed := s.run(ctx)
	s.report.close()
	return errors.Join(s.steps.print(std.out), failed, os.RemoveAll(dir))
}

// readEnvFile fills in what neither flags nor the environment say.
func (c *smokeTestCommand) readEnvFile() error {
	if c.EnvFile == "" {
		return nil
	}
	env, err := infra.ReadEnv(c.EnvFile)
	if err != nil {
		return err
	}
	if server := cmp.Or(env["STEREOSPOT_SERVER"], env["ALB_URL"]); c.Server == client.DefaultServer && server != "" {
		c.Server = server
	}
	c.Token, c.password = cmp.Or(c.Token, env["STEREOSPOT_TOKEN"]), cmp.Or(c.password, env["STEREOSPOT_PASSWORD"])
	return nil
}

// smokeTest is one run.
type smokeTest struct {
	*smokeTestCommand
	report *remoteReporter
	steps  stepTable
	dir    string // for films

	client *client.Client
	token  client.Token // of the run's own, to be removed; empty: the person's is used
	made   client.Job
}

// What the film is like: some segments' worth, small enough to be converted within seconds.
const (
	smokeWidth, smokeHeight = 192, 108
	smokeFrames             = 48
	smokeSegment            = 16 // frames
)

// run takes the steps until one fails, and tidies up after them in any case.
func (s *smokeTest) run(ctx context.Context) error {
	err := s.convert(ctx)
	// What was made must not stay because somebody pressed Ctrl-C.
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyFor)
	defer cancel()
	if s.made.ID != "" {
		err = errors.Join(err, s.steps.take("remove", func() (string, error) { return s.remove(tidy) }))
	}
	if s.token.ID != "" {
		err = errors.Join(err, s.steps.take("sign out", func() (string, error) { return "the run's token is gone", s.client.RemoveToken(tidy, s.token.ID) }))
	}
	return err
}

// tidyFor bounds how long a run takes to leave nothing behind.
const tidyFor = time.Minute

func (s *smokeTest) convert(ctx context.Context) error {
	source, result := filepath.Join(s.dir, "StereoSpot smoke test.mp4"), filepath.Join(s.dir, "result.mp4")
	for _, step := range []struct {
		name string
		do   func() (string, error)
	}{
		{"render", func() (string, error) { return s.render(ctx, source) }},
		{"sign in", func() (string, error) { return s.signIn(ctx) }},
		{"create", func() (string, error) { return s.create(ctx, source) }},
		{"upload", func() (string, error) { return s.upload(ctx, source) }},
		{"convert", func() (string, error) { return s.wait(ctx) }},
		{"download", func() (string, error) { return s.download(ctx, result) }},
		{"compare", func() (string, error) { return s.compare(ctx, source, result) }},
	} {
		if err := s.steps.take(step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

func (s *smokeTest) render(ctx context.Context, path string) (string, error) {
	film, err := scene.New("demo", smokeWidth, smokeHeight)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d frames, %.1f s of sound", smokeFrames, smokeFrames/float64(film.FPS)), media.WriteFilm(ctx, media.FilmRequest{
		Path: path, Width: smokeWidth, Height: smokeHeight, FrameRate: film.FPS, Frames: smokeFrames,
		Draw: func(i int, buf []byte) error {
			scene.Render(film, i, 0, yuv.Wrap(buf, smokeWidth, smokeHeight, 8), nil)
			return nil
		},
		Sound: chord(smokeFrames * media.SoundRate / film.FPS),
	})
}

// signIn finds the server, and gets a token where only the password is known.
func (s *smokeTest) signIn(ctx context.Context) (string, error) {
	open := func(token string) (err error) {
		s.client, err = client.New(client.Config{Server: s.Server, Token: token, Retrying: s.report.retrying})
		return err
	}
	if err := open(s.Token); err != nil {
		return "", err
	}
	if s.Token == "" && s.password != "" {
		token, err := s.client.SignIn(ctx, s.password, "smoke test")
		if err != nil {
			return "", err
		}
		s.token = token
		if err := open(token.Secret); err != nil {
			return "", err
		}
	}
	_, _, err := s.client.List(ctx, client.Query{Limit: 1})
	return s.client.Server(), err
}

func (s *smokeTest) create(ctx context.Context, source string) (_ string, err error) {
	info, err := os.Stat(source)
	if err != nil {
		return "", err
	}
	o := job.DefaultOptions()
	o.SegmentFrames, o.Encode.Preset, o.Encode.Container = smokeSegment, "ultrafast", job.MP4
	s.made, err = s.client.Create(ctx, client.NewJob{Title: filepath.Base(source), Size: info.Size(), Options: o, Start: true})
	return s.made.ID, err
}

func (s *smokeTest) upload(ctx context.Context, source string) (string, error) {
	file, err := os.Open(source)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	s.report.begin()
	_, err = s.client.Upload(ctx, s.made.ID, file, info.Size(), func(done int64) { s.report.transfer(uploading, done, info.Size()) })
	return fmt.Sprintf("%d bytes", info.Size()), err
}

func (s *smokeTest) wait(ctx context.Context) (string, error) {
	f := &follower{serverFlags: s.serverFlags, client: s.client, report: s.report}
	last, err := f.wait(ctx, s.made.ID)
	return fmt.Sprintf("%d frames", last.TotalFrames), err
}

func (s *smokeTest) download(ctx context.Context, result string) (string, error) {
	part, err := s.client.Download(ctx, s.made.ID, result, func(done, total int64) { s.report.transfer(downloading, done, total) })
	if err != nil {
		return "", err
	}
	info, err := os.Stat(part)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes", info.Size()), os.Rename(part, result)
}

func (s *smokeTest) compare(ctx context.Context, source, result string) (string, error) {
	report, err := media.Compare(ctx, source, result, clip.LayoutOf(s.made.Options.Format))
	if err != nil {
		return "", err
	}
	packets := 0
	for _, n := range report.Sound {
		packets += n
	}
	return fmt.Sprintf("%d frames at their instants, %d packets of sound, tagged %s", report.Frames, packets, s.made.Options.Format), nil
}

// remove drops the job and waits until the server knows nothing of it.
func (s *smokeTest) remove(ctx context.Context) (string, error) {
	if err := s.client.Remove(ctx, s.made.ID); err != nil {
		return "", err
	}
	for {
		_, err := s.client.Get(ctx, s.made.ID)
		if answer := new(client.Error); errors.As(err, &answer) && answer.Status == 404 {
			return "nothing is left of it", nil
		}
		if err != nil {
			return "", err
		}
		if pause.For(ctx, 200*time.Millisecond) != nil {
			return "", fmt.Errorf("the job is still there after %v: the reconciler finishes its removal", tidyFor)
		}
	}
}
