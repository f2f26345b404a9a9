package platform

import (
	"strings"
	"time"
)

// QueueName names a queue by its role; a platform maps it to a URL or a table's rows.
type QueueName string

// The queues of the flow.
const (
	ChunkingQueue      QueueName = "chunking"       // S3 events of uploads
	VideoWorkerQueue   QueueName = "video-worker"   // S3 events of segments
	SegmentOutputQueue QueueName = "segment-output" // S3 events of converted segments
	ReassemblyQueue    QueueName = "reassembly"     // job.ReassemblyMessage
)

// QueueNames lists every queue in the order of the flow.
func QueueNames() []QueueName {
	return []QueueName{ChunkingQueue, VideoWorkerQueue, SegmentOutputQueue, ReassemblyQueue}
}

// MaxReceives is how often a message is delivered before it becomes a dead letter.
const MaxReceives = 5

// MaxBatch is how many messages one Receive returns at most.
const MaxBatch = 10

// Visibility returns how long a message received from q stays invisible unless it is extended.
func (q QueueName) Visibility() time.Duration {
	switch q {
	case ChunkingQueue:
		return 15 * time.Minute
	case VideoWorkerQueue:
		return 30 * time.Minute
	case ReassemblyQueue:
		return 10 * time.Minute
	}
	return 2 * time.Minute
}

// BucketName names a bucket by its role.
type BucketName string

// The buckets.
const (
	InputBucket  BucketName = "input"
	OutputBucket BucketName = "output"
)

// Notification sends an event for every object created in a bucket under a prefix and with a suffix.
type Notification struct {
	Bucket         BucketName
	Prefix, Suffix string
	Queue          QueueName
}

// Matches reports whether an object created under key in bucket sends this event.
func (n Notification) Matches(bucket BucketName, key string) bool {
	return bucket == n.Bucket && strings.HasPrefix(key, n.Prefix) && strings.HasSuffix(key, n.Suffix)
}

// Notifications are the events that drive the flow, the same on every platform.
func Notifications() []Notification {
	return []Notification{
		{InputBucket, "input/", ".mp4", ChunkingQueue},
		{InputBucket, "segments/", ".mp4", VideoWorkerQueue},
		{OutputBucket, "jobs/", ".mp4", SegmentOutputQueue},
	}
}
