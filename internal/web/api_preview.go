package web

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	xdraw "golang.org/x/image/draw"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/preview"
)

// previewKind is what a preview shows.
type previewKind string

// The kinds of preview.
const (
	previewFrame    previewKind = "frame"
	previewDepth    previewKind = "depth"
	previewAnaglyph previewKind = "anaglyph"
	previewSheet    previewKind = "sheet" // all three, with the disparity in numbers
)

// given is a query parameter that may be left out.
type given[T any] struct {
	Value T
	set   bool
}

// Schema implements huma.SchemaProvider.
func (g given[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver implements huma.ParamWrapper.
func (g *given[T]) Receiver() reflect.Value { return reflect.ValueOf(g).Elem().Field(0) }

// OnParamSet implements huma.ParamReactor.
func (g *given[T]) OnParamSet(set bool, _ any) { g.set = set }

// over replaces v by what was given.
func (g given[T]) over(v *T) {
	if g.set {
		*v = g.Value
	}
}

type previewRequest struct {
	JobPath
	At              float64        `query:"at" minimum:"0" doc:"Seconds from the film's start"`
	Kind            string         `query:"kind" enum:"frame,depth,anaglyph,sheet" default:"anaglyph"`
	Depth           given[string]  `query:"depth" doc:"Where depth comes from, by name. What is left out, of this and of the following, is as in the job's options"`
	Divergence      given[float64] `query:"divergence"`
	Convergence     given[float64] `query:"convergence"`
	AutoConvergence given[bool]    `query:"auto_convergence"`
	MaxNear         given[float64] `query:"max_near"`
	MaxFar          given[float64] `query:"max_far"`
	FloatingWindow  given[bool]    `query:"floating_window"`
	EdgeDilation    given[float64] `query:"edge_dilation"`
	ForegroundScale given[float64] `query:"foreground_scale"`
	Eyes            given[string]  `query:"eyes"`
	Anaglyph        given[string]  `query:"anaglyph"`
}

// options returns the job's options with what the request changes.
func (r *previewRequest) options(o job.Options) (job.Options, error) {
	eyes, method := string(o.Stereo.Eyes), string(o.Stereo.Anaglyph)
	r.Divergence.over(&o.Stereo.Divergence)
	r.Convergence.over(&o.Stereo.Convergence)
	r.AutoConvergence.over(&o.Stereo.AutoConvergence)
	r.MaxNear.over(&o.Stereo.MaxNear)
	r.MaxFar.over(&o.Stereo.MaxFar)
	r.FloatingWindow.over(&o.Stereo.FloatingWindow)
	r.EdgeDilation.over(&o.Stereo.EdgeDilation)
	r.ForegroundScale.over(&o.Stereo.ForegroundScale)
	r.Eyes.over(&eyes)
	r.Anaglyph.over(&method)
	o.Stereo.Eyes, o.Stereo.Anaglyph = job.Eyes(eyes), job.AnaglyphMethod(method)
	if err := clip.Validate(o); err != nil {
		return o, huma.Error422UnprocessableEntity(err.Error())
	}
	return o, nil
}

func (s *Server) previewRoutes() {
	op := s.operation(jobsOwner, "preview", http.MethodGet, "/jobs/{id}/preview", "See a frame of the source as it would become", http.StatusOK)
	handle(s, answering(op, "image/jpeg"), s.preview)
}

type pictureAnswer struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	FilmSeconds  string `header:"X-Film-Seconds" doc:"How long the film is"`
	DepthSource  string `header:"X-Depth-Source" doc:"Where the depth of this picture comes from"`
	Note         string `header:"X-Preview-Note" doc:"What the film will have that this picture hasn't, in a sentence; absent where that is nothing"`
	Body         []byte
}

func (s *Server) preview(ctx context.Context, in *previewRequest) (*pictureAnswer, error) {
	j := jobOf(ctx)
	asked := j.Options
	if in.Depth.set && in.Depth.Value != asked.Depth.Model {
		asked.Depth = job.DepthOptions{Model: in.Depth.Value}
		if err := s.resolveDepth(&asked); err != nil {
			return nil, err
		}
	}
	o, err := in.options(asked)
	if err != nil {
		return nil, err
	}
	source, err := s.Platform.Input.Head(ctx, job.SourceKey(j.ID))
	if errors.Is(err, platform.ErrNotFound) {
		return nil, huma.Error409Conflict("the film isn't here yet: upload it first")
	}
	if err != nil {
		return nil, err
	}
	depth, note := s.previewDepth(o.Depth)
	still := stillKey{
		jobID: j.ID, etag: source.ETag, at: in.At, depth: depth, height: o.Encode.Height, staged: o.Stereo.AutoConvergence || o.Stereo.FloatingWindow,
	}
	key := pictureKey{still, previewKind(in.Kind), o.Stereo}
	picture, err := s.previews.picture(ctx, key, source.Size)
	switch {
	case errors.Is(err, errBusy):
		return nil, huma.Error503ServiceUnavailable("many previews are being made: try again in a few seconds")
	case errors.Is(err, errFetching):
		return nil, huma.Error503ServiceUnavailable("the film is on its way to where previews are made: try again in a few seconds")
	case errors.Is(err, errTooLarge):
		return nil, huma.Error409Conflict("the film is too large for a preview here: convert a short part of it first")
	}
	return &pictureAnswer{
		ContentType: "image/jpeg", CacheControl: "private, max-age=3600",
		FilmSeconds: strconv.FormatFloat(picture.length, 'f', 3, 64), DepthSource: depth.Model, Note: note, Body: picture.jpeg,
	}, err
}

// encode returns a still's picture as JPEG.
func encode(s *preview.Still, key pictureKey) ([]byte, error) {
	img, err := picture(s, key)
	if err != nil {
		return nil, err
	}
	if key.kind != previewSheet {
		img = fit(img, s)
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, img, &jpeg.Options{Quality: 88})
	return out.Bytes(), err
}

func picture(s *preview.Still, key pictureKey) (*image.RGBA, error) {
	switch key.kind {
	case previewFrame:
		return s.Picture(), nil
	case previewDepth:
		return s.Depth(key.stereo)
	case previewAnaglyph:
		return s.Anaglyph(key.stereo)
	}
	o := job.DefaultOptions()
	o.Stereo = key.stereo
	m, err := s.Moment(o)
	if err != nil {
		return nil, err
	}
	return m.Sheet(), nil
}

// previewWidth is as wide as a preview gets, in pixels.
const previewWidth = 1280

// fit scales a picture of the still to square pixels and a size that travels fast.
func fit(img *image.RGBA, s *preview.Still) *image.RGBA {
	sar := max(s.Video.SAR.Float(), 1e-3)
	shape := float64(s.Video.Width) * sar / float64(s.Video.Height)
	w := min(previewWidth, max(1, int(float64(s.Video.Width)*sar+0.5)))
	size := image.Rect(0, 0, w, max(1, int(float64(w)/shape+0.5)))
	if size == img.Bounds() {
		return img
	}
	scaled := image.NewRGBA(size)
	xdraw.ApproxBiLinear.Scale(scaled, size, img, img.Bounds(), draw.Src, nil)
	return scaled
}
