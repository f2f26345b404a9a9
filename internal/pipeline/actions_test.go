package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// in puts the job into a status as if it had got there.
func (b *bench) in(t *testing.T, s job.Status) {
	t.Helper()
	_, err := b.Jobs.Update(t.Context(), b.job, func(j *job.Job) error { j.Status = s; return nil })
	b.must(t, err)
}

func TestActionsAreRefusedWhereTheStatusForbidsThem(t *testing.T) {
	b := newBench(t)
	actions := map[string]struct {
		do      func() error
		allowed []job.Status
	}{
		"start":  {func() error { return b.Start(t.Context(), b.job) }, []job.Status{job.Created, job.ChunkingInProgress, job.ChunkingComplete, job.Reassembling}},
		"cancel": {func() error { return b.Cancel(t.Context(), b.job) }, []job.Status{job.Created, job.ChunkingInProgress, job.ChunkingComplete, job.Reassembling, job.Cancelled}},
		"retry":  {func() error { return b.Retry(t.Context(), b.job) }, []job.Status{job.Failed, job.Cancelled}},
	}
	for name, action := range actions {
		for _, s := range job.Statuses() {
			b.in(t, s)
			err := action.do()
			refused := new(RefusedError)
			want := true
			for _, a := range action.allowed {
				want = want && a != s
			}
			if errors.As(err, &refused) != want || !want && err != nil {
				t.Errorf("%s when %s: %v", name, s, err)
			}
			if j := b.row(t); want && j.Status != s {
				t.Errorf("%s was refused and yet moved the job from %s to %s", name, s, j.Status)
			}
		}
	}
	for name, err := range map[string]error{
		"start": b.Start(t.Context(), job.NewID(b.now)), "cancel": b.Cancel(t.Context(), job.NewID(b.now)),
		"retry": b.Retry(t.Context(), job.NewID(b.now)), "remove": b.Remove(t.Context(), job.NewID(b.now)),
	} {
		if !errors.Is(err, platform.ErrNotFound) {
			t.Errorf("%s of no job: %v", name, err)
		}
	}
}

func TestStartAsksForChunkingOfASourceThatIsThere(t *testing.T) {
	b := newBench(t)
	uploaded := b.queued(t, platform.ChunkingQueue)
	b.must(t, b.Start(t.Context(), b.job))
	at := b.row(t).StartedAt
	if n := b.queued(t, platform.ChunkingQueue); at.IsZero() || n != uploaded+1 {
		t.Fatalf("started at %v, %d messages", at, n)
	}
	b.must(t, b.Start(t.Context(), b.job))
	if again := b.row(t).StartedAt; !again.Equal(at) {
		t.Errorf("a second start moved the first from %v to %v", at, again)
	}
	b.must(t, b.Input.Delete(t.Context(), job.SourceKey(b.job)))
	b.must(t, b.Start(t.Context(), b.job))
	if n := b.queued(t, platform.ChunkingQueue); n != uploaded+2 {
		t.Errorf("%d messages: one is for a source that isn't there", n)
	}
}

func TestRetryOfAJobWhoseSourceIsGoneSaysSo(t *testing.T) {
	b := newBench(t)
	_, err := b.Jobs.Update(t.Context(), b.job, func(j *job.Job) error { j.Status, j.Uploaded = job.Failed, true; return nil })
	b.must(t, err)
	b.must(t, b.Input.Delete(t.Context(), job.SourceKey(b.job)))
	refused := new(RefusedError)
	if err := b.Retry(t.Context(), b.job); !errors.As(err, &refused) || refused.Why == "" {
		t.Errorf("%v", err)
	}
}

func TestRemoveLeavesNoObjectAndNoRow(t *testing.T) {
	b := newBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	b.convertAll(t)
	// Somebody reassembles: removal waits for that.
	b.must(t, b.Leases.Acquire(t.Context(), reassemblyLease(b.job), "other", time.Minute))
	b.must(t, b.Remove(t.Context(), b.job))
	if j := b.row(t); j.Status != job.Deleting {
		t.Fatalf("job is %s", j.Status)
	}
	b.must(t, b.Leases.Release(t.Context(), reassemblyLease(b.job), "other"))
	b.must(t, b.Remove(t.Context(), b.job))
	if _, err := b.Jobs.Get(t.Context(), b.job); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("the row is still there: %v", err)
	}
	for name, store := range map[string]platform.Objects{"input": b.Input, "output": b.Output} {
		left, _, err := store.List(t.Context(), "", "", 10)
		b.must(t, err)
		if len(left) > 0 {
			t.Errorf("left in %s: %v", name, left)
		}
	}
}

func TestNothingButARetryRevivesAJobThatHasEnded(t *testing.T) {
	for _, dead := range []job.Status{job.Failed, job.Cancelled, job.Completed, job.Deleting} {
		for _, to := range []job.Status{job.ChunkingInProgress, job.ChunkingComplete, job.Reassembling, job.Completed} {
			for _, from := range to.From() {
				if from == dead {
					t.Errorf("a late step may move a job from %s to %s", dead, to)
				}
			}
		}
	}
}
