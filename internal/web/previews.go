package web

import (
	"context"
	"errors"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/stereospot/stereospot/internal/clip"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/preview"
)

// How many previews are remembered, and how many people may wait for one. A still holds one frame: 3 MB in HD, 25 MB
// in 10-bit 4K.
const (
	keptStills    = 6
	keptPictures  = 64
	waitingStills = 8
)

// errBusy refuses a preview for which too many wait already.
var errBusy = errors.New("many previews are being made")

// previews finds stills one at a time: finding one takes all cores for a moment, and conversions need them too.
type previews struct {
	sources  *sources
	models   clip.Models
	turn     chan struct{} // holds a token while a still is being found or shown
	queue    chan struct{} // a token for each who waits
	stills   *lru.Cache[stillKey, *preview.Still]
	pictures *lru.Cache[pictureKey, drawing]
}

// drawing is a picture of a still, and how long its film is.
type drawing struct {
	jpeg   []byte
	length float64 // seconds
}

// stillKey names a frame and its depth.
type stillKey struct {
	jobID, etag string // of the source
	at          float64
	depth       job.DepthOptions
	height      int  // to which the picture is scaled; 0 as it is
	staged      bool // with the frames around, by which the screen plane and the window follow the film
}

// pictureKey names a picture of a still.
type pictureKey struct {
	still  stillKey
	kind   previewKind
	stereo job.StereoOptions
}

func newPreviews(films *sources, models clip.Models) (*previews, error) {
	stills, err := lru.New[stillKey, *preview.Still](keptStills)
	if err != nil {
		return nil, err
	}
	pictures, err := lru.New[pictureKey, drawing](keptPictures)
	return &previews{
		sources: films, models: models, turn: make(chan struct{}, 1), queue: make(chan struct{}, waitingStills),
		stills: stills, pictures: pictures,
	}, err
}

// picture returns the picture that key names of a film of size bytes, found and drawn if it isn't remembered. errBusy,
// errFetching, errTooLarge.
func (p *previews) picture(ctx context.Context, key pictureKey, size int64) (drawing, error) {
	if known, ok := p.pictures.Get(key); ok {
		return known, nil
	}
	path, release, err := p.sources.open(ctx, sourceKey{key.still.jobID, key.still.etag}, size)
	if err != nil {
		return drawing{}, err
	}
	defer release()
	leave, err := p.wait(ctx)
	if err != nil {
		return drawing{}, err
	}
	defer leave()
	still, err := p.find(ctx, key.still, path)
	if err != nil {
		return drawing{}, err
	}
	d := drawing{length: still.Length}
	if d.jpeg, err = encode(still, key); err == nil {
		p.pictures.Add(key, d)
	}
	return d, err
}

// wait returns when it is the caller's turn, which ends with leave.
func (p *previews) wait(ctx context.Context) (leave func(), err error) {
	select {
	case p.queue <- struct{}{}:
	default:
		return nil, errBusy
	}
	defer func() { <-p.queue }()
	select {
	case p.turn <- struct{}{}:
		return func() { <-p.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// find returns the still that key names, of the film at path.
func (p *previews) find(ctx context.Context, key stillKey, path string) (*preview.Still, error) {
	if known, ok := p.stills.Get(key); ok {
		return known, nil
	}
	o := job.DefaultOptions()
	o.Depth, o.Stereo.AutoConvergence, o.Encode.Height = key.depth, key.staged, key.height
	still, err := preview.Find(ctx, path, key.at, o, p.models)
	if err == nil {
		p.stills.Add(key, still)
	}
	return still, media.Rename(err, path, "the film")
}
