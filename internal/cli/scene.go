package cli

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/scene"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

type sceneCommand struct {
	Name   string `arg:"" optional:"" default:"demo" help:"Which scene: ${sceneNames}."`
	Output string `short:"o" help:"The MP4 to write." default:"demo.mp4" type:"path"`
	Size   string `help:"Width x height in pixels, even." default:"960x540" placeholder:"WxH"`
	Frames int    `help:"Number of frames. 0 = the scene's own." default:"0" placeholder:"N"`
	Yes    bool   `short:"y" help:"Overwrite the output if it exists."`
}

// Help implements kong's detailed help.
func (sceneCommand) Help() string {
	return `Examples:
  stereospot scene                          the demo scene, demo.mp4
  stereospot scene solids -o solids.mp4     a camera that moves past columns, boxes and spheres
  stereospot scene cut --size 1920x1080     two shots with a hard cut, in full HD`
}

// Run implements the command.
func (c *sceneCommand) Run(ctx context.Context, std streams) error {
	var w, h int
	if n, err := fmt.Sscanf(c.Size, "%dx%d", &w, &h); n != 2 || err != nil || w < 16 || h < 16 || w%2+h%2 != 0 || w > 7680 || h > 7680 {
		return usagef("--size is %q: use even numbers like 960x540", c.Size)
	}
	s, err := scene.New(c.Name, w, h)
	if err != nil {
		return usageError{err}
	}
	if c.Frames > 0 {
		s.Frames = c.Frames
	}
	if err := media.CheckTools(ctx); err != nil {
		return err
	}
	if strings.ToLower(filepath.Ext(c.Output)) != ".mp4" {
		return usagef("%s: name the output .mp4", filepath.Base(c.Output))
	}
	if err := checkOutput(c.Output, c.Yes); err != nil {
		return err
	}
	err = media.WriteFilm(ctx, media.FilmRequest{
		Path: c.Output, Width: w, Height: h, FrameRate: s.FPS, Frames: s.Frames,
		Draw: func(i int, buf []byte) error {
			scene.Render(s, i, 0, yuv.Wrap(buf, w, h, 8), nil)
			return nil
		},
		Sound: chord(s.Frames * media.SoundRate / s.FPS),
	})
	if err == nil {
		fmt.Fprintf(std.out, "%s: %d frames of scene %q\n", c.Output, s.Frames, c.Name)
	}
	return err
}

// chord is a soft A minor chord that swells once a second, so that sound and picture can be heard to agree.
func chord(samples int) []int16 {
	out := make([]int16, samples)
	for i := range out {
		t := float64(i) / media.SoundRate
		v := 0.0
		for _, hertz := range []float64{220, 261.63, 329.63} {
			v += math.Sin(2 * math.Pi * hertz * t)
		}
		out[i] = int16(4000 * v / 3 * (0.6 + 0.4*math.Cos(2*math.Pi*t)))
	}
	return out
}
