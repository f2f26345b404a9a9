package pipeline

import (
	"bytes"
	"context"
	"errors"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// thumbnailWidth is how wide a job's picture is at most, in pixels.
const thumbnailWidth = 640

// thumbnail publishes a frame from the middle of a converted segment as the job's picture when it has none. It
// is there for people to look at: a job goes on without it.
func (p *Pipeline) thumbnail(ctx context.Context, j job.Job, output string, frames int) {
	if p.Pulse <= 0 || j.CompletedSegments > 0 || p.rows.picture(j.ID, true) {
		return // nobody watches, or an earlier segment gave it
	}
	err := p.makeThumbnail(ctx, j.ID, output, frames)
	if err != nil {
		p.rows.picture(j.ID, false) // another segment may
	}
	p.warn(ctx, j.ID, "no thumbnail was made", err)
}

func (p *Pipeline) makeThumbnail(ctx context.Context, jobID, output string, frames int) error {
	key := job.PreviewKey(jobID)
	if _, err := p.Output.Head(ctx, key); !errors.Is(err, platform.ErrNotFound) {
		return err
	}
	dir, remove, err := p.scratch("thumbnail")
	if err != nil {
		return err
	}
	defer remove()
	path, err := platform.Fetch(ctx, p.Output, output, dir)
	if err != nil {
		return err
	}
	picture, err := p.films().Still(ctx, path, frames/2, thumbnailWidth)
	if err != nil {
		return err
	}
	_, err = p.Output.Put(ctx, key, bytes.NewReader(picture), platform.PutOptions{ContentType: "image/jpeg", IfAbsent: true})
	if errors.Is(err, platform.ErrExists) {
		return nil
	}
	return err
}
