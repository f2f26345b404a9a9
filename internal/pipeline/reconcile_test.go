package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// newRepairBench is a bench whose job is started and whole, and whose messages are all lost.
func newRepairBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.Policy = Policy{ResendAfter: time.Minute, MaxResends: 4, StallAfter: 24 * time.Hour, AbandonAfter: 48 * time.Hour, TidyEvery: time.Second}
	_, err := b.Jobs.Update(t.Context(), b.job, func(j *job.Job) error {
		j.Uploaded, j.StartedAt, j.UpdatedAt = true, b.now, b.now
		return nil
	})
	b.must(t, err)
	b.loseMessages(t)
	return b
}

// loseMessages takes every visible message out of the queues and returns how many that were.
func (b *bench) loseMessages(t *testing.T) map[platform.QueueName]int {
	t.Helper()
	lost := map[platform.QueueName]int{}
	for name, q := range b.Queues {
		for {
			list, err := q.Receive(t.Context(), platform.MaxBatch, 0)
			b.must(t, err)
			if len(list) == 0 {
				break
			}
			for _, m := range list {
				b.must(t, q.Delete(t.Context(), m.Handle))
				lost[name]++
			}
		}
	}
	return lost
}

func (b *bench) wait(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bench) reconcile(t *testing.T) Repairs {
	t.Helper()
	r, err := b.Reconcile(t.Context())
	b.must(t, err)
	return r
}

func TestLostMessageIsSentAgainLessAndLessOftenUntilTheJobFails(t *testing.T) {
	b := newRepairBench(t)
	b.wait(59 * time.Second)
	if r := b.reconcile(t); r != (Repairs{}) {
		t.Fatalf("repaired too early: %+v", r)
	}
	b.wait(2 * time.Second)
	for _, patience := range []time.Duration{2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute} {
		if r := b.reconcile(t); r.Resent != 1 || b.loseMessages(t)[platform.ChunkingQueue] != 1 {
			t.Fatalf("before waiting for %v: %+v", patience, r)
		}
		b.wait(patience - time.Second)
		if r := b.reconcile(t); r != (Repairs{}) {
			t.Fatalf("sent again within %v: %+v", patience, r)
		}
		b.wait(2 * time.Second)
	}
	if r := b.reconcile(t); r.Failed != 1 {
		t.Fatalf("%+v", r)
	}
	if j := b.row(t); j.Status != job.Failed || !strings.Contains(j.Reason, "no progress") {
		t.Errorf("job is %s: %s", j.Status, j.Reason)
	}
}

func TestJobWhoseMessageStillWaitsIsLeftAlone(t *testing.T) {
	b := newRepairBench(t)
	b.must(t, b.Start(t.Context(), b.job))
	for range 10 {
		b.wait(24 * time.Hour)
		if r := b.reconcile(t); r != (Repairs{}) {
			t.Fatalf("%+v", r)
		}
	}
	if n := b.queued(t, platform.ChunkingQueue); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// ageless is a queue that doesn't tell how old its messages are, as SQS.
type ageless struct{ platform.Queue }

func (q ageless) Depth(ctx context.Context) (platform.Depth, error) {
	d, err := q.Queue.Depth(ctx)
	d.OldestAge = 0
	return d, err
}

func TestLongBacklogOfUnknownAgeFailsNobody(t *testing.T) {
	b := newRepairBench(t)
	b.Policy.StallAfter = 6 * time.Hour
	for name, q := range b.Queues {
		b.Queues[name] = ageless{q}
	}
	b.must(t, b.Start(t.Context(), b.job))
	for range 24 * 7 {
		b.wait(time.Hour)
		if r := b.reconcile(t); r.Failed > 0 {
			t.Fatalf("%+v although the job's message waits", r)
		}
	}
	if n := b.queued(t, platform.ChunkingQueue); n != 1 {
		t.Errorf("%d messages for one job", n)
	}
	b.loseMessages(t)
	b.wait(time.Hour * 7)
	if r := b.reconcile(t); r.Failed+r.Resent != 1 {
		t.Errorf("an empty queue: %+v", r)
	}
}

func TestMessageThatLaterOnesHaveOvertakenIsSentAgain(t *testing.T) {
	b := newRepairBench(t)
	for name, q := range b.Queues {
		b.Queues[name] = ageless{q}
	}
	b.must(t, b.Queues[platform.ChunkingQueue].Send(t.Context(), 0, []byte("something that waits")))
	for _, c := range []struct {
		later  time.Duration // than the job's, the other film's start
		resent int
	}{{10 * time.Minute, 0}, {40 * time.Minute, 1}} {
		b.wait(time.Hour)
		other, err := b.Jobs.Get(t.Context(), b.job)
		b.must(t, err)
		other.ID, other.Status, other.TotalSegments = job.NewID(b.now), job.Reassembling, 1
		other.StartedAt, other.UpdatedAt = other.StartedAt.Add(c.later), b.now
		b.must(t, b.Jobs.Create(t.Context(), other))
		b.reconcile(t)
		if j, err := b.Jobs.Get(t.Context(), b.job); err != nil || j.Resent != c.resent {
			t.Errorf("a film that was started %v later has been split: sent again %d times, %v; want %d", c.later, j.Resent, err, c.resent)
		}
	}
}

func TestJobThatStandsStillFailsWithItsReason(t *testing.T) {
	b := newRepairBench(t)
	b.Policy.MaxResends = 0
	failed := 0
	for range 60 {
		b.wait(time.Hour)
		failed += b.reconcile(t).Failed
		b.loseMessages(t)
	}
	if j := b.row(t); failed != 1 || j.Status != job.Failed || !strings.Contains(j.Reason, "24h") {
		t.Errorf("failed %d times; job is %s: %s", failed, j.Status, j.Reason)
	}
}

func TestJobThatSomebodyWorksOnIsLeftAlone(t *testing.T) {
	b := newRepairBench(t)
	b.must(t, b.withLease(t.Context(), chunkingLease(b.job), func(context.Context) error {
		b.wait(10 * time.Minute)
		if r := b.reconcile(t); r != (Repairs{}) {
			t.Errorf("%+v while this very process chunks it", r)
		}
		return nil
	}))
	b.must(t, b.Leases.Acquire(t.Context(), chunkingLease(b.job), "another", time.Hour))
	b.wait(10 * time.Minute)
	if r := b.reconcile(t); r != (Repairs{}) {
		t.Errorf("%+v while another process chunks it", r)
	}
}

func TestResultsWhoseEventsWereLostAreRecorded(t *testing.T) {
	b := newRepairBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	for i := range testSegments {
		b.must(t, b.Convert(t.Context(), b.segment(i)))
	}
	b.loseMessages(t)
	b.wait(2 * time.Minute)
	if r := b.reconcile(t); r.Recorded != testSegments {
		t.Errorf("%+v", r)
	}
	if b.row(t).CompletedSegments != testSegments || b.ready(t) == 0 {
		t.Errorf("%d segments counted, %d messages for reassembly", b.row(t).CompletedSegments, b.ready(t))
	}
	// That message is lost, too; and the counter is wrong, as after a crash between forgetting and counting.
	b.loseMessages(t)
	_, err := b.Jobs.Update(t.Context(), b.job, func(j *job.Job) error { j.CompletedSegments = 1; return nil })
	b.must(t, err)
	b.wait(time.Hour)
	b.reconcile(t)
	if b.row(t).CompletedSegments != testSegments || b.ready(t) == 0 {
		t.Errorf("%d segments counted, %d messages for reassembly", b.row(t).CompletedSegments, b.ready(t))
	}
}

func TestSegmentsWithoutResultOrFileAreMadeAgain(t *testing.T) {
	b := newRepairBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	b.must(t, b.Convert(t.Context(), b.segment(0)))
	b.loseMessages(t)
	b.wait(2 * time.Minute)
	if r := b.reconcile(t); r.Recorded != 1 || r.Resent != testSegments-1 || b.queued(t, platform.VideoWorkerQueue) != testSegments-1 {
		t.Errorf("%+v", r)
	}
	b.loseMessages(t)
	b.must(t, b.Input.Delete(t.Context(), b.segment(2)))
	b.wait(time.Hour)
	if r := b.reconcile(t); r.Resent != 1 || b.queued(t, platform.ChunkingQueue) != 1 {
		t.Errorf("%+v", r)
	}
	b.must(t, b.Chunk(t.Context(), b.job))
	if _, err := b.Input.Head(t.Context(), b.segment(2)); err != nil {
		t.Error(err)
	}
}

func TestReassemblyThatDiedIsAskedForAgain(t *testing.T) {
	b := newRepairBench(t)
	b.in(t, job.Reassembling)
	b.must(t, b.Leases.Acquire(t.Context(), reassemblyLease(b.job), "dead", b.leaseTime()))
	b.wait(b.leaseTime() + time.Second)
	if r := b.reconcile(t); r.Resent != 1 || b.ready(t) != 1 {
		t.Errorf("%+v, %d messages", r, b.ready(t))
	}
}

func TestUploadsThatNeverEndedAreDropped(t *testing.T) {
	b := newRepairBench(t)
	b.must(t, b.Input.Delete(t.Context(), job.SourceKey(b.job)))
	upload, err := b.Uploads.Begin(t.Context(), job.SourceKey(b.job), platform.PutOptions{})
	b.must(t, err)
	_, err = b.Jobs.Update(t.Context(), b.job, func(j *job.Job) error { j.Uploaded, j.UploadID = false, upload; return nil })
	b.must(t, err)
	b.wait(47 * time.Hour)
	if r := b.reconcile(t); r != (Repairs{}) {
		t.Fatalf("%+v", r)
	}
	b.wait(2 * time.Hour)
	if r := b.reconcile(t); r.Aborted != 1 {
		t.Errorf("%+v", r)
	}
	if _, err := b.Uploads.Parts(t.Context(), job.SourceKey(b.job), upload); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("the upload is still there: %v", err)
	}
	if j := b.row(t); j.UploadID != "" || j.Status != job.Created {
		t.Errorf("job is %s, upload %q", j.Status, j.UploadID)
	}
}

func TestSourceWhoseUploaderDiedIsNoticed(t *testing.T) {
	b := newRepairBench(t)
	_, err := b.Jobs.Update(t.Context(), b.job, func(j *job.Job) error { j.Uploaded, j.UploadID = false, "x"; return nil })
	b.must(t, err)
	b.reconcile(t)
	if j := b.row(t); !j.Uploaded || j.UploadID != "" || b.queued(t, platform.ChunkingQueue) != 1 {
		t.Errorf("uploaded %v (%q), %d messages", j.Uploaded, j.UploadID, b.queued(t, platform.ChunkingQueue))
	}
}

func TestThingsAreKeptForAsLongAsTheSettingsSay(t *testing.T) {
	b := newRepairBench(t)
	b.Policy.KeepSegments, b.Policy.KeepSources, b.Policy.KeepResults = time.Hour, 2*time.Hour, 3*time.Hour
	b.must(t, b.Chunk(t.Context(), b.job))
	b.convertAll(t)
	b.must(t, b.Reassemble(t.Context(), b.job))
	left := func() (kinds []string) {
		for _, at := range []struct {
			store          platform.Objects
			prefix, naming string
		}{{b.Input, "segments/", "segments"}, {b.Output, "jobs/" + b.job + "/segments/", "converted"}, {b.Input, "input/", "source"}, {b.Output, "jobs/" + b.job + "/final", "final"}} {
			list, _, err := at.store.List(t.Context(), at.prefix, "", 1)
			b.must(t, err)
			if len(list) > 0 {
				kinds = append(kinds, at.naming)
			}
		}
		return kinds
	}
	for _, step := range []struct {
		want    []string
		expired int
	}{{[]string{"segments", "converted", "source", "final"}, 0}, {[]string{"source", "final"}, 1}, {[]string{"final"}, 1}, {nil, 1}} {
		r := b.reconcile(t)
		if got := left(); !slices.Equal(got, step.want) || r.Expired != step.expired {
			t.Errorf("left %v, want %v; %+v", got, step.want, r)
		}
		b.wait(time.Hour)
	}
	if _, err := b.Jobs.Get(t.Context(), b.job); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("the job without its result is still there: %v", err)
	}
}

func TestRemovalThatDiedIsFinished(t *testing.T) {
	b := newRepairBench(t)
	b.in(t, job.Deleting)
	if r := b.reconcile(t); r.Removed != 1 {
		t.Errorf("%+v", r)
	}
	if _, err := b.Jobs.Get(t.Context(), b.job); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestOneReconcilerWorksAtATime(t *testing.T) {
	b := newRepairBench(t)
	b.wait(time.Hour)
	b.must(t, b.Leases.Acquire(t.Context(), "reconciler", "other", time.Hour))
	if r := b.reconcile(t); r != (Repairs{}) {
		t.Errorf("beside another: %+v", r)
	}
}

// listed are jobs with which something happens when those in a status have been listed.
type listed struct {
	platform.Jobs
	in    job.Status
	after func()
}

func (l listed) List(ctx context.Context, q platform.JobQuery) ([]job.Job, string, error) {
	list, next, err := l.Jobs.List(ctx, q)
	if slices.Contains(q.Statuses, l.in) {
		l.after()
	}
	return list, next, err
}

func TestJobThatMovesOnWhileItIsLookedAfterIsNotFailed(t *testing.T) {
	b := newRepairBench(t)
	_, err := b.Jobs.Update(t.Context(), b.job, func(j *job.Job) error {
		j.Status, j.Resent, j.ResentAt = job.ChunkingInProgress, b.Policy.MaxResends, b.now
		return nil
	})
	b.must(t, err)
	b.wait(time.Hour)
	b.Jobs = listed{b.Jobs, job.ChunkingInProgress, sync.OnceFunc(func() { b.must(t, b.Chunk(t.Context(), b.job)) })}
	if r := b.reconcile(t); r.Failed > 0 || b.row(t).Status != job.ChunkingComplete {
		t.Errorf("%+v, job is %s: %s", r, b.row(t).Status, b.row(t).Reason)
	}
}

func TestJobThatIsRetriedWhileItIsToBeRemovedStays(t *testing.T) {
	b := newRepairBench(t)
	b.Policy.KeepResults = time.Hour
	b.in(t, job.Failed)
	b.wait(2 * time.Hour)
	b.Jobs = listed{b.Jobs, job.Failed, sync.OnceFunc(func() { b.must(t, b.Retry(t.Context(), b.job)) })}
	if r := b.reconcile(t); r.Expired > 0 || b.row(t).Status != job.Created {
		t.Errorf("%+v, job is %s", r, b.row(t).Status)
	}
}

// counted are completions with which something happens before a job's are listed.
type counted struct {
	platform.Completions
	before func()
}

func (c counted) All(ctx context.Context, jobID string) ([]platform.Completion, error) {
	c.before()
	return c.Completions.All(ctx, jobID)
}

func TestSegmentsThatAreRecordedWhileTheJobIsLookedAfterStayCounted(t *testing.T) {
	b := newRepairBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	for i := range testSegments {
		b.must(t, b.Convert(t.Context(), b.segment(i)))
		if i > 0 {
			b.must(t, b.Complete(t.Context(), job.OutputKey(b.job, i)))
		}
	}
	b.loseMessages(t)
	b.wait(2 * time.Minute)
	b.Completions = counted{b.Completions, sync.OnceFunc(func() {
		b.must(t, b.Complete(t.Context(), job.OutputKey(b.job, 0)))
		b.must(t, b.Reassemble(t.Context(), b.job))
	})}
	b.reconcile(t)
	if j := b.row(t); j.CompletedSegments != testSegments {
		t.Errorf("%d segments of %d are counted", j.CompletedSegments, testSegments)
	}
	b.checkFinal(t)
}
