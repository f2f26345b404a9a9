package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/report"
)

type probeCommand struct {
	Input         string `arg:"" help:"The video." type:"path"`
	SegmentFrames int    `help:"Largest number of frames in one segment (default ${default})." default:"1440" placeholder:"N"`
	Container     string `help:"File format of the output to judge by: mp4, mkv, or auto." enum:"auto,mp4,mkv" default:"auto"`
	Scenes        bool   `help:"Find the scenes, as convert does on classic depth, and list them. Decodes the whole film."`
	Output        string `short:"o" help:"Write the list of scenes to a .csv, .json, .edl or .ffmeta file (chapters for FFmpeg)." type:"path" placeholder:"FILE"`
	Yes           bool   `short:"y" help:"Overwrite the output if it exists."`
	JSON          bool   `name:"json" help:"Print one JSON object (docs/convert.md has the schema)."`
}

// Help implements kong's detailed help.
func (probeCommand) Help() string {
	return `Examples:
  stereospot probe film.mkv
  stereospot probe film.mkv --container mkv --json | jq .streams
  stereospot probe film.mkv --scenes                 the cuts, without converting
  stereospot probe film.mkv --scenes -o scenes.edl   the same for an editor`
}

// findings are what probe says; --json prints them as they are.
type findings struct {
	Source    *media.Source         `json:"source"`
	Frames    int                   `json:"frames"`
	Seconds   float64               `json:"seconds"`
	Constant  bool                  `json:"constant_frame_rate"`
	Segments  []media.Segment       `json:"segments"`
	Lossless  string                `json:"lossless,omitempty"`
	Container string                `json:"container"`
	Streams   []media.CarriedStream `json:"streams"`
	Scenes    []report.Scene        `json:"scenes,omitempty"` // where they were asked for
	Warnings  []string              `json:"warnings,omitempty"`
}

// Run implements the command.
func (c *probeCommand) Run(ctx context.Context, std streams) error {
	o := job.DefaultOptions()
	o.SegmentFrames = c.SegmentFrames
	if err := clip.Validate(o); err != nil {
		return usageError{err}
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := media.CheckTools(ctx); err != nil {
		return err
	}
	plan, err := pipeline.MakePlan(ctx, c.Input, o, false)
	if err != nil {
		return err
	}
	f := newFindings(plan, c.Container)
	if c.Scenes {
		if f.Scenes, err = findScenes(ctx, c.Input, o, plan); err != nil {
			return err
		}
	}
	if c.Output != "" {
		if err := saveScenes(c.Output, f.Scenes); err != nil {
			return err
		}
	}
	return c.tell(std, f)
}

// check finds wrong uses that the grammar can't.
func (c *probeCommand) check() error {
	if c.Output == "" {
		return nil
	}
	if !c.Scenes {
		return usagef("-o takes the list of scenes: ask for it with --scenes")
	}
	if _, err := report.SceneWriter(extension(c.Output)); err != nil {
		return usagef("-o is %s: %v", filepath.Base(c.Output), err)
	}
	return checkOutput(c.Output, c.Yes)
}

// findScenes looks at every frame of the plan.
func findScenes(ctx context.Context, path string, o job.Options, plan *media.Plan) ([]report.Scene, error) {
	scratch, err := media.NewScratch()
	if err != nil {
		return nil, err
	}
	defer scratch.Close()
	cuts, err := clip.FindCuts(ctx, path, plan, scratch.Dir)
	if errors.Is(err, media.ErrFrameCount) { // as convert does, again without stream copies
		if plan, err = pipeline.MakePlan(ctx, path, o, true); err != nil {
			return nil, err
		}
		cuts, err = clip.FindCuts(ctx, path, plan, scratch.Dir)
	}
	if err != nil {
		return nil, err
	}
	return report.Scenes(cuts, plan.Frames(), plan.Moment), nil
}

// tell prints the findings as the flags ask.
func (c *probeCommand) tell(std streams, f findings) error {
	if c.JSON {
		enc := json.NewEncoder(std.out)
		enc.SetIndent("", "  ")
		return enc.Encode(f)
	}
	return f.print(std.out)
}

func newFindings(plan *media.Plan, container string) findings {
	if container == string(job.AutoContainer) {
		container = media.AutoContainer(&plan.Source)
	}
	streams, lost := media.Carry(&plan.Source, container)
	return findings{
		Source: &plan.Source, Frames: plan.Frames(),
		Seconds:  float64(plan.End()-plan.Times.At(0)) * plan.TimeBase.Float(),
		Constant: plan.Times.Constant(), Segments: plan.Segments, Lossless: plan.Lossless,
		Container: container, Streams: streams, Warnings: append(plan.Warnings, lost...),
	}
}

func (f findings) print(out io.Writer) error {
	v := f.Source.Video
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("file", "%s (%s, %.1f MB)", filepath.Base(f.Source.Path), f.Source.Format, float64(f.Source.Size)/1e6)
	row("picture", "%d×%d %s %s, processed at %d bits%s", v.Width, v.Height, v.Codec, v.PixelFormat, v.Bits, turned(v))
	row("frames", "%d in %v, %s", f.Frames, time.Duration(f.Seconds*float64(time.Second)).Round(time.Millisecond), f.rate())
	row("colour", "%s", colour(v))
	row("segments", "%d of up to %d frames, %s", len(f.Segments), longest(f.Segments), f.exactness())
	for _, s := range f.Streams {
		row("stream "+fmt.Sprint(s.Index), "%s", s)
	}
	row("chapters", "%d", f.Source.Chapters)
	row("output", "%s", f.Container)
	for _, s := range f.Scenes {
		row(fmt.Sprintf("scene %d", s.Number), "%s, frame %d: %d frames, %.3f s", s.Timecode, s.First, s.Frames, s.Length)
	}
	for _, warning := range f.Warnings {
		row("warning", "%s", warning)
	}
	return w.Flush()
}

func (f findings) rate() string {
	if f.Constant {
		return fmt.Sprintf("constant %.3f fps", f.Source.Video.FrameRate.Float())
	}
	return fmt.Sprintf("variable, %.3f fps on average", f.Source.Video.FrameRate.Float())
}

func (f findings) exactness() string {
	if f.Lossless != "" {
		return "through a lossless re-encode: " + f.Lossless
	}
	return "exact stream copies"
}

func turned(v media.Video) string {
	var text string
	if v.Rotation != 0 {
		text += fmt.Sprintf(", turned by %d°", v.Rotation)
	}
	if v.Flip {
		text += ", mirrored"
	}
	if v.SAR.Num != v.SAR.Den {
		text += fmt.Sprintf(", pixels %d:%d", v.SAR.Num, v.SAR.Den)
	}
	return text
}

func colour(v media.Video) string {
	parts := []string{v.Color.Range, v.Color.Primaries, v.Color.Transfer, v.Color.Matrix}
	if v.HDR10 != nil {
		parts = append(parts, "HDR10")
	}
	if v.DolbyVision {
		parts = append(parts, "Dolby Vision")
	}
	for i, p := range parts {
		if p == "" {
			parts[i] = "?"
		}
	}
	return strings.Join(parts, " ")
}

func longest(segments []media.Segment) int {
	n := 0
	for _, s := range segments {
		n = max(n, s.Frames)
	}
	return n
}
