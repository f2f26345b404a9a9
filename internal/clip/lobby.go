package clip

import (
	"context"

	"github.com/stereospot/stereospot/internal/stereo"
	"github.com/stereospot/stereospot/internal/stereo/depth"
	"github.com/stereospot/stereospot/internal/stereo/yuv"
)

// lobby is where decoded frames wait, in display order, for their depth and then for their setting.
type lobby[T yuv.Sample] struct {
	*work[T]
	waiting []reduction[T]
	maps    []depth.Map // of the first frames that wait
	index   int         // of the first frame that waits, in the window
	out     chan<- rendering[T]
}

// estimated takes the depth of the next frames.
func (q *lobby[T]) estimated(ctx context.Context, ready []depth.Estimate) error {
	for _, e := range ready {
		attention := q.waiting[len(q.maps)].attention
		q.maps = append(q.maps, e.Map)
		if err := q.taken(ctx, q.director.Push(stereo.Look(e, attention))); err != nil {
			return err
		}
	}
	return nil
}

// taken takes the settings of the first frames and hands these on, if they are the window's own.
func (q *lobby[T]) taken(ctx context.Context, takes []stereo.Take) error {
	for _, t := range takes {
		frame, m, i := q.waiting[0].frame, q.maps[0], q.index
		q.waiting, q.maps = q.waiting[1:], q.maps[1:]
		q.index++
		if i < 0 || i >= q.span.keep {
			q.sources.put(frame)
			continue
		}
		q.figures = append(q.figures, t.Figures)
		if err := send(ctx, q.out, rendering[T]{frame, m, t.Setting}); err != nil {
			return err
		}
	}
	return nil
}
