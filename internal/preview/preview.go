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
	Depth    depth.Map
	Picture  *image.RGBA
	Anaglyph *image.RGBA
	Options  job.Options
}

// Still is one frame of a film with its depth, from which a Moment is made for any options: finding it takes
// seconds, showing it a fraction of one. Safe for concurrent use.
type Still struct {
	Seconds float64 // presentation time from the film's start
	Length  float64 // of the film, in seconds
	Frame   int     // among the frames of the measured part
	Video   media.Video
	Depth   depth.Map
	Source  job.DepthOptions // where the depth comes from
	// picture converts the frame itself; view renders and converts one format.
	picture func() *image.RGBA
	view    func(job.Format, job.StereoOptions) (*image.RGBA, error)
}

// At returns the moment of the film at the given second, as it would be converted with o.
func At(ctx context.Context, path string, seconds float64, o job.Options, models clip.Models) (*Moment, error) {
	s, err := Find(ctx, path, seconds, o.Depth, models)
	if err != nil {
		return nil, err
	}
	return s.Moment(o)
}

// Picture returns the frame as it is.
func (s *Still) Picture() *image.RGBA { return s.picture() }

// Anaglyph returns both views mixed.
func (s *Still) Anaglyph(o job.StereoOptions) (*image.RGBA, error) { return s.view(job.Anaglyph, o) }

// DepthImage colours the depth map: dark = far, bright = near.
func (s *Still) DepthImage() *image.RGBA { return depthImage(s.Depth) }

// Moment shows the still with options; their depth source counts no more.
func (s *Still) Moment(o job.Options) (*Moment, error) {
	mixed, err := s.Anaglyph(o.Stereo)
	if err != nil {
		return nil, err
	}
	o.Depth = s.Source
	return &Moment{
		Seconds: s.Seconds, Frame: s.Frame, Video: s.Video, Depth: s.Depth, Options: o, Picture: s.Picture(), Anaglyph: mixed,
	}, nil
}

// Find measures the film around the given second and returns the frame that is shown then. The depth is the
// one that the whole conversion would use: the engine looks as far around the frame as it does there.
func Find(ctx context.Context, path string, seconds float64, d job.DepthOptions, models clip.Models) (*Still, error) {
	src, err := media.Probe(ctx, path)
	if err != nil {
		return nil, err
	}
	support, err := clip.Support(d)
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
	s, err := find(ctx, plan, segment, seconds, d, models)
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

func still[T yuv.Sample](ctx context.Context, plan *media.Plan, segment string, seconds float64, d job.DepthOptions, models clip.Models) (*Still, error) {
	at := nearest(plan, seconds)
	frame, m, err := estimate[T](ctx, plan, segment, at, d, models)
	if err != nil {
		return nil, err
	}
	v := plan.Video
	return &Still{
		Seconds: seconds, Frame: at, Video: v, Depth: *m, Source: d,
		picture: func() *image.RGBA {
			return stereo.Picture(frame, clip.RenderConfig(v, job.FullSBS, job.StereoOptions{}))
		},
		view: func(f job.Format, o job.StereoOptions) (*image.RGBA, error) {
			out, err := render(frame, m, v, f, o)
			if err != nil {
				return nil, err
			}
			return stereo.Picture(out, clip.RenderConfig(v, f, o)), nil
		},
	}, nil
}

// estimate decodes the segment and returns frame number at with its depth.
func estimate[T yuv.Sample](ctx context.Context, plan *media.Plan, segment string, at int, d job.DepthOptions, models clip.Models) (*yuv.Frame[T], *depth.Map, error) {
	file, err := media.OpenSegment(ctx, segment)
	if err != nil {
		return nil, nil, err
	}
	window := file.Info().Window
	reader, err := file.Decode(ctx, window.First, window.Frames)
	if err != nil {
		return nil, nil, err
	}
	defer reader.Close()
	est, err := clip.NewEstimator(ctx, d, models)
	if err != nil {
		return nil, nil, err
	}
	v := plan.Video
	reducer := clip.NewReducer[T](v, est)
	var wanted *yuv.Frame[T]
	var maps []depth.Estimate
	for i := 0; ; i++ {
		raw, frame := clip.NewPicture[T](v.Width, v.Height, v.Bits)
		err := reader.ReadFrame(raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if i == at {
			wanted = frame
		}
		reduced := reducer.Reduce(frame, nil)
		reduced.Number = file.Info().First + i
		ready, err := est.Push(reduced)
		if err != nil {
			return nil, nil, err
		}
		maps = append(maps, ready...)
	}
	rest, err := est.Flush()
	maps = append(maps, rest...)
	if err == nil && (wanted == nil || at >= len(maps)) {
		err = media.ErrFrameCount
	}
	if err != nil {
		return nil, nil, err
	}
	return wanted, &maps[at].Map, nil
}

func render[T yuv.Sample](frame *yuv.Frame[T], m *depth.Map, v media.Video, f job.Format, s job.StereoOptions) (*yuv.Frame[T], error) {
	r, err := clip.NewRenderer[T](v, f, s, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	w, h := r.OutputSize()
	out := yuv.New[T](w, h, v.Bits)
	return out, r.Render(out, frame, m)
}

// Disparity returns the range of total disparity between the eyes in this frame, in pixels (positive = in
// front of the screen), leaving out the nearest and farthest hundredth of the map.
func (m *Moment) Disparity() (far, near float64) {
	lo, hi := percentiles(m.Depth.D, 0.01, 0.99)
	cfg := clip.RenderConfig(m.Video, m.Options.Format, m.Options.Stereo)
	return cfg.Disparity(lo, m.Video.Width, m.Video.Height), cfg.Disparity(hi, m.Video.Width, m.Video.Height)
}
