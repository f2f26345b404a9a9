// Package preview shows what a conversion would look like at one moment: the picture, its depth, and
// both views as an anaglyph, without converting the film.
package preview

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// Moment is one frame of a film with its depth.
type Moment struct {
	Seconds  float64 // presentation time from the film's start
	Frame    int     // among the frames of the measured part
	Video    media.Video
	Picture  *image.RGBA
	Depth    *image.RGBA // that views are made by, in colours: dark = far, bright = near
	Anaglyph *image.RGBA
	Options  job.Options
	Figures  stereo.Figures
}

// Still is one frame of a film with its depth, from which a Moment is made for any options: finding it takes
// seconds, showing it a fraction of one. Safe for concurrent use.
type Still struct {
	Seconds float64 // presentation time from the film's start
	Length  float64 // of the film, in seconds
	Frame   int     // among the frames of the measured part
	Video   media.Video
	Source  job.DepthOptions // where the depth comes from
	// sights are those of the frames around, place of which is the frame's own.
	sights []*stereo.Sight
	place  int
	// picture converts the frame itself; view renders one format and shows it, depth in colours.
	picture func() *image.RGBA
	view    func(job.Format, job.StereoOptions) (*image.RGBA, error)
}

// At returns the moment of the film at the given second, as it would be converted with o.
func At(ctx context.Context, path string, seconds float64, o job.Options, models clip.Models) (*Moment, error) {
	s, err := Find(ctx, path, seconds, o, models)
	if err != nil {
		return nil, err
	}
	return s.Moment(o)
}

// Picture returns the frame as it is.
func (s *Still) Picture() *image.RGBA { return s.picture() }

// Anaglyph returns both views mixed.
func (s *Still) Anaglyph(o job.StereoOptions) (*image.RGBA, error) { return s.view(job.Anaglyph, o) }

// Depth returns the depth that the views are made by, in colours: dark = far, bright = near.
func (s *Still) Depth(o job.StereoOptions) (*image.RGBA, error) { return s.view(job.Depth, o) }

// take returns what the whole conversion would decide for the frame, and its figures.
func (s *Still) take(o job.StereoOptions) stereo.Take {
	director := stereo.NewStereographer(clip.RenderConfig(s.Video, job.FullSBS, o))
	var takes []stereo.Take
	for _, v := range s.sights {
		takes = append(takes, director.Push(v)...)
	}
	return append(takes, director.Flush()...)[s.place]
}

// Moment shows the still with options; their depth source counts no more.
func (s *Still) Moment(o job.Options) (*Moment, error) {
	mixed, err := s.Anaglyph(o.Stereo)
	if err != nil {
		return nil, err
	}
	depth, err := s.Depth(o.Stereo)
	if err != nil {
		return nil, err
	}
	o.Depth = s.Source
	return &Moment{
		Seconds: s.Seconds, Frame: s.Frame, Video: s.Video, Options: o, Picture: s.Picture(), Depth: depth, Anaglyph: mixed,
		Figures: s.take(o.Stereo).Figures,
	}, nil
}

// Find measures the film around the given second and returns the frame that is shown then. The depth is the
// one that the whole conversion would use: the engine looks as far around the frame as it does there with o.
func Find(ctx context.Context, path string, seconds float64, o job.Options, models clip.Models) (*Still, error) {
	src, err := media.Probe(ctx, path)
	if err != nil {
		return nil, err
	}
	support, err := clip.Support(o.Depth, o.Stereo)
	if err != nil {
		return nil, err
	}
	plan, err := planAround(ctx, src, seconds, support)
	if err != nil {
		return nil, err
	}
	scratch, err := media.NewScratch()
	if err != nil {
		return nil, err
	}
	defer scratch.Close()
	segment := filepath.Join(scratch.Dir, "segment.mkv")
	err = media.Split(ctx, path, plan, func(_ media.Segment, file string) error { return os.Rename(file, segment) }, scratch.Dir)
	if err != nil {
		return nil, err
	}
	find := still[uint8]
	if plan.Video.Bits > 8 {
		find = still[uint16]
	}
	s, err := find(ctx, plan, segment, seconds, o, models)
	if err != nil {
		return nil, err
	}
	s.Length = src.Duration
	return s, nil
}

// planAround plans one segment that holds the frame at seconds and the engine's support around it.
func planAround(ctx context.Context, src *media.Source, seconds float64, support int) (*media.Plan, error) {
	timeline, err := media.ReadTimeline(ctx, src)
	if err != nil {
		return nil, err
	}
	rate := src.Video.FrameRate.Float()
	margin := float64(support+1) / rate
	o := media.PlanOptions{SegmentFrames: math.MaxInt32, Support: support}
	o.Start = max(0, seconds-margin)
	o.Duration = seconds + margin + 1/rate - o.Start
	plan, err := media.NewPlan(src, timeline, o)
	if err != nil {
		return nil, &media.Error{Reason: fmt.Sprintf("there is no frame at %.3f seconds: the film lasts %.3f", seconds, src.Duration), Err: err}
	}
	return plan, nil
}

// nearest returns the plan's frame that is on screen at the given second.
func nearest(plan *media.Plan, seconds float64) int {
	zero := plan.Origin
	if plan.Partial {
		zero = 0 // Origin is then the part's own start
	}
	best := 0
	for i := range plan.Frames() {
		if float64(plan.Times.At(i)-zero)*plan.TimeBase.Float() <= seconds+1e-9 {
			best = i
		}
	}
	return best
}

func still[T yuv.Sample](ctx context.Context, plan *media.Plan, segment string, seconds float64, o job.Options, models clip.Models) (*Still, error) {
	at := nearest(plan, seconds)
	file, err := clip.OpenSegment(ctx, segment, o.Encode)
	if err != nil {
		return nil, err
	}
	e, err := estimate[T](ctx, file, at, o.Depth, models)
	if err != nil {
		return nil, err
	}
	v := file.Info().Video
	s := &Still{
		Seconds: seconds, Frame: at, Video: v, Source: o.Depth, sights: e.sights, place: at,
		picture: func() *image.RGBA {
			return stereo.Picture(e.frame, clip.RenderConfig(v, job.FullSBS, job.StereoOptions{}))
		},
	}
	s.view = func(f job.Format, o job.StereoOptions) (*image.RGBA, error) {
		out, err := render(e.frame, &e.depth, v, f, o, s.take(o).Setting)
		if err != nil {
			return nil, err
		}
		if f == job.Depth {
			return stereo.DepthPicture(out, clip.RenderConfig(v, f, o)), nil
		}
		return stereo.Picture(out, clip.RenderConfig(v, f, o)), nil
	}
	return s, nil
}

// estimated is a frame with its depth and the sights of all frames of its segment.
type estimated[T yuv.Sample] struct {
	frame  *yuv.Frame[T]
	depth  depth.Map
	sights []*stereo.Sight
}

// estimate decodes the segment and returns frame number at with its depth.
func estimate[T yuv.Sample](ctx context.Context, file *media.SegmentFile, at int, d job.DepthOptions, models clip.Models) (*estimated[T], error) {
	window := file.Info().Window
	reader, err := file.Decode(ctx, window.First, window.Frames)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	est, err := clip.NewEstimator(ctx, d, models)
	if err != nil {
		return nil, err
	}
	v := file.Info().Video
	reducer := clip.NewReducer[T](v, est)
	e := &estimated[T]{}
	var attentions []*stereo.Attention
	take := func(ready []depth.Estimate) {
		for _, r := range ready {
			if len(e.sights) == at {
				e.depth = r.Map
			}
			e.sights = append(e.sights, stereo.Look(r, attentions[len(e.sights)]))
		}
	}
	for i := 0; ; i++ {
		raw, frame := clip.NewPicture[T](v.Width, v.Height, v.Bits)
		err := reader.ReadFrame(raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if i == at {
			e.frame = frame
		}
		reduced := reducer.Reduce(frame, nil)
		reduced.Number = file.Info().First + i
		attentions = append(attentions, stereo.Attend(reduced))
		ready, err := est.Push(reduced)
		if err != nil {
			return nil, err
		}
		take(ready)
	}
	rest, err := est.Flush()
	take(rest)
	if err == nil && (e.frame == nil || at >= len(e.sights)) {
		err = media.ErrFrameCount
	}
	return e, err
}

func render[T yuv.Sample](frame *yuv.Frame[T], m *depth.Map, v media.Video, f job.Format, s job.StereoOptions, now stereo.Setting) (*yuv.Frame[T], error) {
	r, err := clip.NewRenderer[T](v, f, s, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	w, h := r.OutputSize()
	out := yuv.New[T](w, h, v.Bits)
	r.Set(now)
	return out, r.Render(out, frame, m)
}

// Disparity returns the range of total disparity between the eyes in this frame, in pixels (positive = in
// front of the screen), leaving out the nearest and farthest hundredth of the map.
func (m *Moment) Disparity() (far, near float64) {
	percent := float64(max(m.Video.Width, m.Video.Height)) / 100
	return m.Figures.Low * percent, m.Figures.High * percent
}
