package local

import (
	"context"
	"database/sql"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// notify puts the events of a new object into their queues, in the transaction that writes the object's row: there
// is never one without the other. It returns the queues whose bells to ring once the transaction is through.
func (s *Store) notify(ctx context.Context, tx *sql.Tx, bucket string, o platform.Object) ([]platform.QueueName, error) {
	var told []platform.QueueName
	for _, n := range s.notifications {
		if !n.Matches(platform.BucketName(bucket), o.Key) {
			continue
		}
		event := job.EncodeObjectCreated(job.ObjectCreated{Bucket: bucket, Key: o.Key, Size: o.Size, ETag: o.ETag, Time: o.Modified})
		if err := (queue{s, n.Queue}).insert(ctx, tx, 0, event); err != nil {
			return nil, err
		}
		told = append(told, n.Queue)
	}
	return told, nil
}
