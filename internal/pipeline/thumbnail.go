package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// thumbnailWidth is how wide a job's picture is at most, in pixels.
const thumbnailWidth = 640

// thumbnail publishes a frame from the middle of a converted segment as the job's picture when it has none. It
// is there for people to look at: a job goes on without it.
func (p *Pipeline) thumbnail(ctx context.Context, jobID, output string) {
	if p.Pulse <= 0 || p.rows.picture(jobID, true) {
		return // nobody watches, or an earlier segment gave it
	}
	err := p.makeThumbnail(ctx, jobID, output)
	if err != nil {
		p.rows.picture(jobID, false) // another segment may
	}
	p.warn(ctx, jobID, "no thumbnail was made", err)
}

func (p *Pipeline) makeThumbnail(ctx context.Context, jobID, output string) error {
	key := job.PreviewKey(jobID)
	if _, err := p.Output.Head(ctx, key); !errors.Is(err, platform.ErrNotFound) {
		return err
	}
	dir, remove, err := p.scratch("thumbnail")
	if err != nil {
		return err
	}
	defer remove()
	path, o, err := platform.FetchObject(ctx, p.Output, output, dir)
	if err != nil {
		return err
	}
	frames, err := strconv.Atoi(o.Metadata[inference.MetaFrames])
	if err != nil {
		return fmt.Errorf("frames of %s: %w", output, err)
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
