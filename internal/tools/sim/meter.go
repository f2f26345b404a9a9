package sim

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	platformaws "github.com/stereospot/stereospot/internal/platform/aws"
	"github.com/stereospot/stereospot/internal/platform/gather"
	"github.com/stereospot/stereospot/internal/platform/memory"
)

// meter counts what calls of the platform would be as requests to AWS, and lets each take its time.
type meter struct {
	mu       sync.Mutex
	requests map[Request]int
	units    map[Request]int
	idle     int
	now      int64          // the second that the counts of loads are of
	loads    map[string]int // units in this second
	hot      map[string]Peak
}

// Peak is the busiest second of a resource that has a limit.
type Peak struct {
	PerSecond int
	Of        string // which one of its kind, where there are many
}

func newMeter() *meter {
	return &meter{requests: map[Request]int{}, units: map[Request]int{}, loads: map[string]int{}, hot: map[string]Peak{}}
}

// reset forgets everything so far.
func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests, m.units, m.idle, m.loads, m.hot = map[Request]int{}, map[Request]int{}, 0, map[string]int{}, map[string]Peak{}
}

// report fills in what was counted.
func (m *meter) report(r *Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Requests, r.Units, r.Idle, r.Hot = maps.Clone(m.requests), maps.Clone(m.units), m.idle, maps.Clone(m.hot)
}

// saw is told of every call.
func (m *meter) saw(c memory.Call) {
	if c.Method == "Queue.Receive" && c.N == 0 {
		m.mu.Lock()
		m.idle++
		m.mu.Unlock()
		return
	}
	var took time.Duration
	for _, r := range requestsOf(c) {
		m.count(r)
		took += r.latency()
	}
	if took > 0 {
		time.Sleep(took)
	}
}

// count adds requests, and what they load.
func (m *meter) count(r requests) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[r.Request] += r.n
	m.units[r.Request] += r.units
	if second := time.Now().Unix(); second != m.now {
		m.now = second
		clear(m.loads)
	}
	for _, l := range r.loads {
		m.loads[l.kind+" "+l.of] += l.units
		if units := m.loads[l.kind+" "+l.of]; units > m.hot[l.kind].PerSecond {
			m.hot[l.kind] = Peak{units, l.of}
		}
	}
}

// platform returns the store's platform, whose queues tell no ages, as SQS doesn't.
func (m *meter) platform(s *memory.Store) platform.Platform {
	p := s.Platform()
	for name, q := range p.Queues {
		p.Queues[name] = ageless{q}
	}
	return p
}

// ageless is a queue that doesn't tell how old its messages are.
type ageless struct{ platform.Queue }

func (q ageless) Depth(ctx context.Context) (platform.Depth, error) {
	d, err := q.Queue.Depth(ctx)
	d.OldestAge = 0
	return d, err
}

// gathered returns the platform as one process sees it: completions and acknowledgements that come together are one
// request, as in the AWS adapters.
func (m *meter) gathered(p platform.Platform) platform.Platform {
	queues := map[platform.QueueName]platform.Queue{}
	for name, q := range p.Queues {
		queues[name] = newAcknowledging(m, q)
	}
	p.Queues = queues
	p.Completions = newRecording(m, p.Completions)
	return p
}

// acknowledging gathers deletions.
type acknowledging struct {
	platform.Queue
	deleted *gather.Batch[string]
}

func newAcknowledging(m *meter, q platform.Queue) acknowledging {
	return acknowledging{q, &gather.Batch[string]{
		Limit: platform.MaxBatch, Wait: platformaws.DeleteWait, Bound: time.Minute,
		Do: func(ctx context.Context, handles []string) []error {
			one := requests{Request: Request{"SQS", "DeleteMessageBatch"}, n: 1}
			m.count(one)
			time.Sleep(one.latency())
			errs := make([]error, len(handles))
			for i, handle := range handles {
				errs[i] = q.Delete(ctx, handle)
			}
			return errs
		},
	}}
}

// Delete implements platform.Queue.
func (q acknowledging) Delete(ctx context.Context, handle string) error {
	return q.deleted.Add(ctx, handle)
}

// recording gathers completions.
type recording struct {
	platform.Completions
	pending *gather.Batch[*recorded]
}

type recorded struct {
	platform.Completion
	job job.Job
}

func newRecording(m *meter, c platform.Completions) recording {
	return recording{c, &gather.Batch[*recorded]{
		Limit: platformaws.RecordBatch, Wait: platformaws.RecordWait, Bound: time.Minute,
		Do: func(ctx context.Context, list []*recorded) []error {
			rows := map[string]int{}
			for _, r := range list {
				rows[r.JobID]++
			}
			for id, n := range rows {
				for _, one := range recordRequests(id, n) {
					m.count(one)
					time.Sleep(one.latency())
				}
			}
			errs := make([]error, len(list))
			for i, r := range list {
				r.job, errs[i] = c.Record(ctx, r.Completion)
			}
			return errs
		},
	}}
}

// Record implements platform.Completions.
func (r recording) Record(ctx context.Context, c platform.Completion) (job.Job, error) {
	one := &recorded{Completion: c}
	if err := r.pending.Add(ctx, one); err != nil {
		return job.Job{}, err
	}
	return one.job, nil
}
