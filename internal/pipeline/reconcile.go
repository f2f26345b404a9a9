package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// Policy is what Reconcile goes by. A zero duration switches its part off.
type Policy struct {
	// ResendAfter is how long a job may stand still before its messages are sent again; each repetition waits
	// twice as long as the one before, up to 32 times.
	ResendAfter time.Duration
	// MaxResends is after how many repetitions without any progress a job is failed.
	MaxResends int
	// StallAfter is how long a job may stand still, its messages not waiting in a queue and sent again at least three
	// times, before it is failed.
	StallAfter time.Duration
	// AbandonAfter is how old an upload that never ended is when it is dropped.
	AbandonAfter time.Duration
	// How long sources, segments and results are kept after a job has ended; a job goes with its result.
	KeepSources, KeepSegments, KeepResults time.Duration
	// SweepAge is how old files are that Sweeper may remove.
	SweepAge time.Duration
	// TidyEvery is the time between looks at jobs that have ended and at files, of which there may be many.
	TidyEvery time.Duration
}

// Sweeper removes what a crash left in a store between writing content and naming it.
type Sweeper interface {
	// Sweep removes what is older than minAge and returns how many files that were.
	Sweep(ctx context.Context, minAge time.Duration) (int, error)
}

// DefaultPolicy suits one machine.
func DefaultPolicy() Policy {
	return Policy{
		ResendAfter: 2 * time.Minute, MaxResends: 10, StallAfter: 6 * time.Hour,
		AbandonAfter: 7 * 24 * time.Hour, KeepSegments: 24 * time.Hour, SweepAge: time.Hour, TidyEvery: 15 * time.Minute,
	}
}

// Repairs counts what one pass of Reconcile did.
type Repairs struct {
	Resent   int // messages sent again
	Recorded int // completions of segments that were converted
	Failed   int // jobs that stood still for too long
	Removed  int // jobs whose removal was finished
	Expired  int // jobs whose source, segments or result were kept for long enough
	Aborted  int // uploads that never ended
	Swept    int // files that belonged to nothing
}

// Reconcile repairs what crashes and lost messages left, one pass over all jobs. One process at a time does it:
// for the others there is nothing to do. A job that can't be repaired doesn't keep the others from it.
func (p *Pipeline) Reconcile(ctx context.Context) (Repairs, error) {
	var r repairing
	err := p.withLease(ctx, "reconciler", func(ctx context.Context) error {
		r = repairing{Pipeline: p, depths: map[platform.QueueName]platform.Depth{}}
		return r.all(ctx)
	})
	if errors.Is(err, platform.ErrLeaseHeld) || errors.Is(err, platform.ErrLeaseLost) {
		err = nil // another does it, or goes on with it
	}
	return r.Repairs, err
}

// repairing is one pass.
type repairing struct {
	*Pipeline
	Repairs
	depths map[platform.QueueName]platform.Depth // as they were at the beginning
}

func (r *repairing) all(ctx context.Context) error {
	for _, q := range platform.QueueNames() {
		depth, err := r.Queues[q].Depth(ctx)
		if err != nil {
			return err
		}
		r.depths[q] = depth
	}
	return errors.Join(
		r.each(ctx, liveStatuses(), r.repair),
		r.each(ctx, []job.Status{job.Deleting}, r.remove),
		r.tidyUp(ctx),
	)
}

// tidyUp removes what has been kept for long enough, and files that belong to nothing.
func (r *repairing) tidyUp(ctx context.Context) error {
	if r.within(time.Unix(0, r.tidied.Load()), r.Policy.TidyEvery) {
		return nil
	}
	r.tidied.Store(r.Now().UnixNano())
	return errors.Join(r.each(ctx, []job.Status{job.Completed, job.Failed, job.Cancelled}, r.expire), r.sweep(ctx))
}

func (r *repairing) sweep(ctx context.Context) (err error) {
	if r.Sweeper != nil && r.Policy.SweepAge > 0 {
		r.Swept, err = r.Sweeper.Sweep(ctx, r.Policy.SweepAge)
	}
	return err
}

// each calls visit for every job in one of the statuses.
func (r *repairing) each(ctx context.Context, statuses []job.Status, visit func(context.Context, job.Job) error) error {
	var errs []error
	for token := ""; ; {
		page, next, err := r.Jobs.List(ctx, platform.JobQuery{Statuses: statuses, Token: token, Limit: 200})
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, j := range page {
			if err := visit(ctx, j); err != nil && !errors.Is(err, ErrDead) {
				errs = append(errs, fmt.Errorf("job %s: %w", j.ID, err))
			}
		}
		if next == "" || ctx.Err() != nil {
			return errors.Join(errs...)
		}
		token = next
	}
}

// repair looks after one live job.
func (r *repairing) repair(ctx context.Context, j job.Job) error {
	r.served.see(j)
	if j.Status == job.Created && !j.Uploaded {
		return r.awaitUpload(ctx, j)
	}
	if j.StartedAt.IsZero() || r.Policy.ResendAfter <= 0 {
		return nil // the person has yet to start it
	}
	if r.within(j.UpdatedAt, r.patience(j)) || r.within(j.ResentAt, r.patience(j)) || r.waits(j) {
		return nil
	}
	busy, err := r.busyWith(ctx, j)
	if err != nil || busy {
		return err
	}
	if over := r.verdict(j); over != "" && !r.ageless(j) {
		return r.fail(ctx, j, over)
	}
	return r.nudge(ctx, j)
}

// fail ends a job that stands still.
func (r *repairing) fail(ctx context.Context, j job.Job, reason string) error {
	_, err := r.advanceIf(ctx, j.ID, job.Failed, func(now *job.Job) error {
		now.Reason = reason
		return asListed(j, *now)
	})
	if err == nil {
		r.Failed++
	}
	return err
}

// asListed returns ErrDead for a job that has changed since its row was read: what was concluded from that may be wrong.
func asListed(j, now job.Job) error {
	if now.Version != j.Version {
		return dead("it has changed meanwhile")
	}
	return nil
}

// patience is how long a job may stand still before its messages are sent again.
func (r *repairing) patience(j job.Job) time.Duration {
	return r.Policy.ResendAfter << min(resends(j), maxDoublings)
}

// maxDoublings is how often a job's patience is doubled at most.
const maxDoublings = 5

// resends returns how often the job's messages were sent again since its last progress.
func resends(j job.Job) int {
	if j.UpdatedAt.After(j.ResentAt) {
		return 0
	}
	return j.Resent
}

// waits reports whether the messages that the job needs may still be in their queues: sent at or after its last
// activity, they are as old as the oldest one there at most. Where a queue doesn't tell ages they may be there as long as
// anything is, until messages that were sent long after them have been handled.
func (r *repairing) waits(j job.Job) bool {
	last := j.UpdatedAt
	if j.ResentAt.After(last) {
		last = j.ResentAt
	}
	const slack = time.Second // between a message and the row that is written after it
	age := r.Now().Sub(last)
	if r.ageless(j) && !r.overtaken(j, last) {
		return true
	}
	for _, q := range queuesOf(j.Status) {
		if oldest := r.depths[q].OldestAge; age > 0 && oldest > 0 && oldest+slack >= age {
			return true
		}
	}
	return false
}

// ageless reports whether something waits in the job's queues and they don't say for how long.
func (r *repairing) ageless(j job.Job) bool {
	return slices.ContainsFunc(queuesOf(j.Status), func(q platform.QueueName) bool {
		return r.depths[q].OldestAge == 0 && r.depths[q].Visible > 0
	})
}

// overtaken reports whether messages that the job needs, the last of them sent at last, must be lost, for those of jobs
// that were started much later have been handled: a queue without ages, as SQS, keeps no strict order. The messages that
// ask for reassembly are few and never wait for long.
func (r *repairing) overtaken(j job.Job, last time.Time) bool {
	if j.Status == job.Reassembling || j.TotalSegments > 0 && j.CompletedSegments >= j.TotalSegments {
		return r.Now().Sub(last) >= r.Policy.StallAfter
	}
	return r.served.upTo(queuesOf(j.Status)[0]).After(last.Add(r.Policy.ResendAfter << maxDoublings))
}

// queuesOf returns the queues whose messages move a job on.
func queuesOf(s job.Status) []platform.QueueName {
	switch s {
	case job.Created, job.ChunkingInProgress:
		return []platform.QueueName{platform.ChunkingQueue}
	case job.ChunkingComplete:
		return []platform.QueueName{platform.VideoWorkerQueue, platform.SegmentOutputQueue, platform.ReassemblyQueue}
	}
	return []platform.QueueName{platform.ReassemblyQueue}
}

// busyWith reports whether somebody is at work on the job: holds its lease, or reported progress lately.
func (r *repairing) busyWith(ctx context.Context, j job.Job) (bool, error) {
	lease := chunkingLease(j.ID)
	switch j.Status {
	case job.ChunkingComplete:
		busy, err := r.converting(ctx, j.ID)
		for _, b := range busy {
			if b {
				return true, err
			}
		}
		return false, err
	case job.Reassembling:
		lease = reassemblyLease(j.ID)
	}
	err := r.withLease(ctx, lease, func(context.Context) error { return nil })
	if errors.Is(err, platform.ErrLeaseHeld) {
		return true, nil
	}
	return false, err
}

// verdict returns why a job that stands still is to be failed, or "".
func (r *repairing) verdict(j job.Job) string {
	switch n := resends(j); {
	case r.Policy.MaxResends > 0 && n >= r.Policy.MaxResends:
		return fmt.Sprintf("no progress: its work was begun again %d times and never came to an end (the workers' log says why)", n)
	// Only after a few repetitions: a clock that jumped makes every job look old.
	case r.Policy.StallAfter > 0 && n >= 3 && !r.within(j.UpdatedAt, r.Policy.StallAfter):
		return fmt.Sprintf("no progress for %v: are the workers running?", r.Policy.StallAfter)
	}
	return ""
}

func (r *repairing) remove(ctx context.Context, j job.Job) error {
	err := r.erase(ctx, j)
	if errors.Is(err, platform.ErrLeaseHeld) {
		return nil // by a step that ends soon, or by a dead process whose lease does
	}
	if err == nil {
		r.Removed++
	}
	return err
}
