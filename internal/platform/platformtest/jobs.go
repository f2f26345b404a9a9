package platformtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

var jobTests = map[string]func(*testing.T, Fixture){
	"JobsAreCreatedOnceAndFound":        testCreateJob,
	"ConcurrentUpdatesLoseNothing":      testUpdates,
	"RefusedChangeWritesNothing":        testRefusedChange,
	"OneOfManyRacingChangesOfStateWins": testConditionalChange,
	"JobsListNewestFirstByPages":        testListJobs,
	"JobsAreSelectedByOwnerAndTitle":    testSelectJobs,
}

func testCreateJob(t *testing.T, f Fixture) {
	j := newJob(t, f.Platform)
	wants(t, "the same id again", f.Jobs.Create(t.Context(), j), platform.ErrExists)
	got, err := f.Again(t).Jobs.Get(t.Context(), j.ID)
	if err != nil || got.Title != j.Title || got.Options != j.Options || !got.CreatedAt.Equal(j.CreatedAt) || got.Version != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	must(t, f.Jobs.Delete(t.Context(), j.ID))
	must(t, f.Jobs.Delete(t.Context(), j.ID))
	_, err = f.Jobs.Get(t.Context(), j.ID)
	wants(t, "Get after Delete", err, platform.ErrNotFound)
	_, err = f.Jobs.Update(t.Context(), j.ID, func(*job.Job) error { return nil })
	wants(t, "Update after Delete", err, platform.ErrNotFound)
}

func testUpdates(t *testing.T, f Fixture) {
	j := newJob(t, f.Platform)
	stores := []platform.Jobs{f.Jobs, f.Again(t).Jobs}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			_, err := stores[i%2].Update(lasting(t), j.ID, func(j *job.Job) error { j.TotalFrames++; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := f.Jobs.Get(t.Context(), j.ID); err != nil || got.TotalFrames != 30 || got.Version != 31 {
		t.Errorf("%d updates, version %d, %v", got.TotalFrames, got.Version, err)
	}
}

func testRefusedChange(t *testing.T, f Fixture) {
	j := newJob(t, f.Platform)
	refuse := errors.New("no")
	_, err := f.Jobs.Update(t.Context(), j.ID, func(j *job.Job) error { j.Title = "changed"; return refuse })
	wants(t, "Update", err, refuse)
	if got, _ := f.Jobs.Get(t.Context(), j.ID); got.Title != "film.mp4" || got.Version != 1 {
		t.Errorf("row changed: %+v", got)
	}
}

func testConditionalChange(t *testing.T, f Fixture) {
	j := newJob(t, f.Platform)
	stores := []platform.Jobs{f.Jobs, f.Again(t).Jobs}
	var wg sync.WaitGroup
	var won atomic.Int64
	for i := range 16 {
		wg.Go(func() {
			_, err := stores[i%2].Update(lasting(t), j.ID, func(j *job.Job) error {
				if j.Status != job.Created {
					return platform.ErrCondition
				}
				j.Status = job.Cancelled
				return nil
			})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, platform.ErrCondition) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d changes won", won.Load())
	}
}

func testListJobs(t *testing.T, f Fixture) {
	begin := time.Now().Truncate(time.Millisecond)
	for i := range 7 {
		j := job.Job{ID: job.NewID(begin), Title: fmt.Sprintf("Film %d", i), Status: job.Created, CreatedAt: begin.Add(time.Duration(i/2) * time.Second)}
		must(t, f.Jobs.Create(t.Context(), j))
	}
	seen := map[string]bool{}
	var last time.Time
	for token, page := "", 0; page == 0 || token != ""; page++ {
		list, next, err := f.Jobs.List(t.Context(), platform.JobQuery{Token: token, Limit: 3})
		must(t, err)
		for _, j := range list {
			if seen[j.ID] || !last.IsZero() && j.CreatedAt.After(last) {
				t.Errorf("%s comes twice or out of order", j.Title)
			}
			seen[j.ID], last = true, j.CreatedAt
		}
		token = next
	}
	if len(seen) != 7 {
		t.Errorf("%d jobs listed", len(seen))
	}
	for _, token := range hostileTokens {
		_, _, err := f.Jobs.List(t.Context(), platform.JobQuery{Token: token})
		wants(t, fmt.Sprintf("token %.20q", token), err, platform.ErrBadToken)
	}
}

func testSelectJobs(t *testing.T, f Fixture) {
	now := time.Now()
	for i, j := range []job.Job{
		{Title: "Night Train", Owner: "ada", Status: job.Completed}, {Title: "night bus", Owner: "bob", Status: job.Failed},
		{Title: "100% day_light", Owner: "ada", Status: job.Failed}, {Title: "Été", Owner: "ada", Status: job.Created},
	} {
		j.ID, j.CreatedAt = job.NewID(now), now.Add(time.Duration(i)*time.Second)
		must(t, f.Jobs.Create(t.Context(), j))
	}
	for _, c := range []struct {
		query platform.JobQuery
		want  string
	}{
		{platform.JobQuery{}, "Été|100% day_light|night bus|Night Train|"},
		{platform.JobQuery{Search: "NIGHT"}, "night bus|Night Train|"},
		{platform.JobQuery{Search: "% day_"}, "100% day_light|"},
		{platform.JobQuery{Search: "y%l"}, ""},
		{platform.JobQuery{Owner: "ada", Search: "night"}, "Night Train|"},
		{platform.JobQuery{Owner: "nobody"}, ""},
		{platform.JobQuery{Statuses: []job.Status{job.Failed, job.Created}}, "Été|100% day_light|night bus|"},
	} {
		list, next, err := f.Jobs.List(t.Context(), c.query)
		got := ""
		for _, j := range list {
			got += j.Title + "|"
		}
		if got != c.want || next != "" || err != nil {
			t.Errorf("%+v: %q, next %q, %v; want %q", c.query, got, next, err, c.want)
		}
	}
}

var completionTests = map[string]func(*testing.T, Fixture){
	"CompletionCountsOnceHoweverOftenItIsRecorded": testCompletions,
	"ManyCompletionsComeInOrderOfIndex":            testManyCompletions,
}

func testCompletions(t *testing.T, f Fixture) {
	j := newJob(t, f.Platform)
	stores := []platform.Completions{f.Completions, f.Again(t).Completions}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			c := platform.Completion{JobID: j.ID, Index: i % 10, Key: job.OutputKey(j.ID, i%10), Completed: time.Now()}
			if _, err := stores[i%2].Record(lasting(t), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkCompletions(t, f, j.ID, 10)
	_, err := f.Completions.Record(t.Context(), platform.Completion{JobID: job.NewID(time.Now())})
	wants(t, "completion of no job", err, platform.ErrNotFound)
	must(t, f.Completions.Forget(t.Context(), j.ID))
	checkCompletions(t, f, j.ID, 0)
	must(t, f.Completions.Forget(t.Context(), job.NewID(time.Now())))
	_, err = f.Jobs.Update(t.Context(), j.ID, func(j *job.Job) error { j.Status = job.Deleting; return nil })
	must(t, err)
	_, err = f.Completions.Record(t.Context(), platform.Completion{JobID: j.ID, Completed: time.Now()})
	wants(t, "completion of a job that is being removed", err, platform.ErrNotFound)
	checkCompletions(t, f, j.ID, 0)
}

// checkCompletions compares rows and counter.
func checkCompletions(t *testing.T, f Fixture, id string, want int) {
	t.Helper()
	got, err := f.Jobs.Get(t.Context(), id)
	if err != nil || got.CompletedSegments != want {
		t.Errorf("the counter says %d, want %d, %v", got.CompletedSegments, want, err)
	}
	all, err := f.Completions.All(t.Context(), id)
	if err != nil || len(all) != want {
		t.Fatalf("%d rows, want %d, %v", len(all), want, err)
	}
	for i, c := range all {
		if c.Index != i || c.Key != job.OutputKey(id, i) {
			t.Fatalf("row %d is %+v", i, c)
		}
	}
}

func testManyCompletions(t *testing.T, f Fixture) {
	total := 10_000
	if f.Slow {
		total = 200
	}
	j := newJob(t, f.Platform)
	order := rand.New(rand.NewPCG(1, 2)).Perm(total)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(total); i = next.Add(1) - 1 {
				c := platform.Completion{JobID: j.ID, Index: order[i], Key: job.OutputKey(j.ID, order[i]), Completed: time.Now()}
				if _, err := f.Completions.Record(lasting(t), c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	checkCompletions(t, f, j.ID, total)
}

var leaseTests = map[string]func(*testing.T, Fixture){
	"LeaseHasOneHolderUntilItExpires":     testLease,
	"OneOfManyTakesAFreeOrAnExpiredLease": testRacingLeases,
}

func testLease(t *testing.T, f Fixture) {
	l, ctx := f.Leases, t.Context()
	const ttl = 3 * time.Second
	wants(t, "free", l.Acquire(ctx, "x", "a", ttl), nil)
	wants(t, "already a's", l.Acquire(ctx, "x", "a", ttl), nil)
	wants(t, "held", l.Acquire(ctx, "x", "b", ttl), platform.ErrLeaseHeld)
	wants(t, "another lease", l.Acquire(ctx, "y", "b", ttl), nil)
	f.Advance(ttl / 2)
	wants(t, "renewal", l.Renew(ctx, "x", "a", time.Hour), nil)
	f.Advance(ttl)
	wants(t, "renewed", f.Again(t).Leases.Acquire(ctx, "x", "b", ttl), platform.ErrLeaseHeld)
	wants(t, "shorter again", l.Renew(ctx, "x", "a", ttl), nil)
	f.Advance(ttl + time.Second)
	wants(t, "renewal of an expired one", l.Renew(ctx, "x", "a", ttl), platform.ErrLeaseLost)
	wants(t, "expired", l.Acquire(ctx, "x", "b", ttl), nil)
	wants(t, "renewal of a lost one", l.Renew(ctx, "x", "a", ttl), platform.ErrLeaseLost)
	wants(t, "release by another", l.Release(ctx, "x", "a"), nil)
	wants(t, "still held", l.Acquire(ctx, "x", "c", ttl), platform.ErrLeaseHeld)
	wants(t, "release", l.Release(ctx, "x", "b"), nil)
	wants(t, "released", l.Acquire(ctx, "x", "c", ttl), nil)
}

func testRacingLeases(t *testing.T, f Fixture) {
	stores := []platform.Leases{f.Leases, f.Again(t).Leases}
	for round := range 2 {
		var wg sync.WaitGroup
		var won atomic.Int64
		for i := range 16 {
			wg.Go(func() {
				err := stores[i%2].Acquire(lasting(t), "x", fmt.Sprint(round, i), 2*time.Second)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, platform.ErrLeaseHeld) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("round %d: %d holders", round, won.Load())
		}
		if round == 0 {
			f.Advance(3 * time.Second)
		}
	}
}
