package pipeline

import (
	"context"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// send puts messages on a queue. Without queues it does nothing: then Run drives the job by itself.
func (p *Pipeline) send(ctx context.Context, q platform.QueueName, bodies ...[]byte) error {
	if p.Queues == nil || len(bodies) == 0 {
		return nil
	}
	return p.Queues[q].Send(ctx, 0, bodies...)
}

// sendCreated repeats the events of objects that are there already.
func (p *Pipeline) sendCreated(ctx context.Context, q platform.QueueName, keys ...string) error {
	bodies := make([][]byte, len(keys))
	for i, key := range keys {
		bodies[i] = job.EncodeObjectCreated(job.ObjectCreated{Bucket: string(platform.InputBucket), Key: key, Time: p.Now()})
	}
	return p.send(ctx, q, bodies...)
}

// segmentKeys returns the keys of all segments of a chunked job.
func segmentKeys(j job.Job) []string {
	keys := make([]string, j.TotalSegments)
	for i := range keys {
		keys[i] = job.SegmentKey(j.ID, i, j.TotalSegments, j.Options.Format)
	}
	return keys
}
