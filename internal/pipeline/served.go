package pipeline

import (
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// served tells how far queues that don't tell their messages' ages have been served, from what became of jobs. It is learnt
// anew by every process.
type served struct {
	mu     sync.Mutex
	latest map[platform.QueueName]time.Time
}

// see learns from a job: the messages of one that was chunked, or has segments converted, were sent after it was started,
// and have been handled.
func (s *served) see(j job.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil {
		s.latest = map[platform.QueueName]time.Time{}
	}
	for q, handled := range map[platform.QueueName]bool{
		platform.ChunkingQueue: j.TotalSegments > 0, platform.VideoWorkerQueue: j.CompletedSegments > 0,
	} {
		if handled && j.StartedAt.After(s.latest[q]) {
			s.latest[q] = j.StartedAt
		}
	}
}

// upTo returns a time after which messages of the queue were sent that have been handled; the zero time when none are known.
func (s *served) upTo(q platform.QueueName) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest[q]
}
