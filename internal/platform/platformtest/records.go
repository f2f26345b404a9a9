package platformtest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

var progressTests = map[string]func(*testing.T, Fixture){
	"ProgressIsKeptPerSegment":                 testProgress,
	"SegmentIsBegunByOneUntilItsReportsAreOld": testBegin,
}

func testBegin(t *testing.T, f Fixture) {
	j := newJob(t, f.Platform)
	now := time.Now().Truncate(time.Millisecond)
	const fresh = 5 * time.Second
	begun := map[int]bool{}
	at := func(p platform.Progress, index int, since time.Duration) error {
		first, err := p.Begin(t.Context(), j.ID, platform.SegmentProgress{Index: index, Started: now.Add(since), Updated: now.Add(since)}, fresh)
		if first && (begun[index] || err != nil) {
			t.Errorf("segment %d is begun for the first time, %v; it was begun before", index, err)
		}
		begun[index] = begun[index] || err == nil
		return err
	}
	wants(t, "nobody's", at(f.Progress, 3, 0), nil)
	wants(t, "another's", at(f.Again(t).Progress, 3, time.Second), platform.ErrLeaseHeld)
	wants(t, "another segment", at(f.Progress, 4, time.Second), nil)
	must(t, f.Progress.Report(t.Context(), j.ID, platform.SegmentProgress{Index: 3, Frames: 9, Started: now, Updated: now.Add(4 * time.Second)}))
	wants(t, "reported since", at(f.Progress, 3, 8*time.Second), platform.ErrLeaseHeld)
	if list, err := f.Progress.Of(t.Context(), j.ID); err != nil || len(list) != 2 || list[0].Frames != 9 {
		t.Errorf("who was refused has written: %+v, %v", list, err)
	}
	wants(t, "old", at(f.Progress, 3, 9*time.Second), nil)
	wants(t, "of a clock that has been set back since", at(f.Progress, 3, 4*time.Second), nil)
	must(t, f.Progress.Clear(t.Context(), j.ID, 3))
	if list, err := f.Progress.Of(t.Context(), j.ID); err != nil || len(list) != 1 || list[0].Index != 4 {
		t.Errorf("beside a cleared segment: %+v, %v", list, err)
	}
	wants(t, "cleared", at(f.Progress, 3, 4*time.Second), nil)
}

func testProgress(t *testing.T, f Fixture) {
	j, other := newJob(t, f.Platform), newJob(t, f.Platform)
	now := time.Now().Truncate(time.Millisecond)
	for _, index := range []int{11, 2, 0} {
		for _, frames := range []int{1, 10 * index} {
			p := platform.SegmentProgress{Index: index, Frames: frames, Started: now, Updated: now.Add(time.Second)}
			must(t, f.Progress.Report(t.Context(), j.ID, p))
		}
	}
	must(t, f.Progress.Report(t.Context(), other.ID, platform.SegmentProgress{Index: 2, Frames: 7, Started: now, Updated: now}))
	list, err := f.Again(t).Progress.Of(t.Context(), j.ID)
	must(t, err)
	if len(list) != 3 {
		t.Fatalf("%+v", list)
	}
	for i, index := range []int{0, 2, 11} {
		p := list[i]
		if p.Index != index || p.Frames != 10*index || !p.Started.Equal(now) || !p.Updated.Equal(now.Add(time.Second)) {
			t.Errorf("%+v", p)
		}
	}
	must(t, f.Progress.Clear(t.Context(), j.ID, 0, 11, 99))
	if list, err := f.Progress.Of(t.Context(), j.ID); err != nil || len(list) != 1 || list[0].Index != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	must(t, f.Progress.Clear(t.Context(), j.ID))
	if list, err := f.Progress.Of(t.Context(), j.ID); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := f.Progress.Of(t.Context(), other.ID); err != nil || len(list) != 1 || list[0].Frames != 7 {
		t.Errorf("another job's: %+v, %v", list, err)
	}
}

var accessTests = map[string]func(*testing.T, Fixture){
	"TokensAreFoundByHashAndRemovedByTheirOwner": testTokens,
	"SecretsAreMadeOnce":                         testSecrets,
}

func testTokens(t *testing.T, f Fixture) {
	now := time.Now().Truncate(time.Millisecond)
	var all []platform.Token
	for i, owner := range []string{"ada", "bob", "ada"} {
		token := platform.Token{
			ID: job.NewID(now), Owner: owner, Name: fmt.Sprint("laptop ", i), Hash: fmt.Sprint("hash", i), Admin: i == 1,
			Created: now.Add(time.Duration(i) * time.Second),
		}
		must(t, f.Tokens.Add(t.Context(), token))
		all = append(all, token)
	}
	wants(t, "the same hash", f.Tokens.Add(t.Context(), platform.Token{ID: job.NewID(now), Hash: "hash1", Created: now}), platform.ErrExists)
	wants(t, "the same id", f.Tokens.Add(t.Context(), platform.Token{ID: all[0].ID, Hash: "new", Created: now}), platform.ErrExists)
	got, err := f.Again(t).Tokens.Find(t.Context(), "hash1")
	if err != nil || got.ID != all[1].ID || !got.Admin || got.Name != "laptop 1" || !got.Created.Equal(all[1].Created) || !got.Expires.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	for _, hash := range []string{"", "hash", "new"} {
		_, err := f.Tokens.Find(t.Context(), hash)
		wants(t, "hash "+hash, err, platform.ErrNotFound)
	}
	checkTokens(t, f, "ada", all[2], all[0])
	checkTokens(t, f, "", all[2], all[1], all[0])
	wants(t, "another's", f.Tokens.Remove(t.Context(), "bob", all[0].ID), platform.ErrNotFound)
	must(t, f.Tokens.Remove(t.Context(), "ada", all[0].ID))
	must(t, f.Tokens.Remove(t.Context(), "", all[1].ID))
	wants(t, "removed already", f.Tokens.Remove(t.Context(), "", all[1].ID), platform.ErrNotFound)
	checkTokens(t, f, "", all[2])
}

func checkTokens(t *testing.T, f Fixture, owner string, want ...platform.Token) {
	t.Helper()
	list, err := f.Tokens.List(t.Context(), owner)
	must(t, err)
	if len(list) != len(want) {
		t.Fatalf("%d tokens of %q, want %d", len(list), owner, len(want))
	}
	for i := range want {
		if list[i].ID != want[i].ID {
			t.Errorf("token %d of %q is %s", i, owner, list[i].Name)
		}
	}
}

func testSecrets(t *testing.T, f Fixture) {
	stores := []platform.Secrets{f.Secrets, f.Again(t).Secrets}
	var wg sync.WaitGroup
	got := make([][]byte, 8)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = stores[i%2].Secret(lasting(t), "sessions"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, key := range got {
		if len(key) != 32 || !bytes.Equal(key, got[0]) || bytes.Equal(key, make([]byte, 32)) {
			t.Fatalf("keys %x and %x", key, got[0])
		}
	}
	other, err := f.Secrets.Secret(t.Context(), "other")
	if err != nil || bytes.Equal(other, got[0]) {
		t.Errorf("two names share a key, %v", err)
	}
}

var outboxTests = map[string]func(*testing.T, Fixture){
	"NoticeIsAddedByTheWriteThatEndsAJob": testNotices,
	"NoticeIsClaimedByOneAtATime":         testClaims,
}

// end moves a job with a webhook to a status.
func end(t *testing.T, f Fixture, id string, status job.Status) {
	t.Helper()
	_, err := f.Jobs.Update(t.Context(), id, func(j *job.Job) error {
		j.Status, j.Webhook = status, "https://example.com/hook"
		return nil
	})
	must(t, err)
}

func testNotices(t *testing.T, f Fixture) {
	j, silent := newJob(t, f.Platform), newJob(t, f.Platform)
	_, err := f.Jobs.Update(t.Context(), silent.ID, func(j *job.Job) error { j.Status = job.Failed; return nil })
	must(t, err)
	end(t, f, j.ID, job.ChunkingInProgress)
	refuse := errors.New("no")
	_, err = f.Jobs.Update(t.Context(), j.ID, func(j *job.Job) error { j.Status = job.Failed; return refuse })
	wants(t, "refused", err, refuse)
	if list, err := f.Outbox.Claim(t.Context(), 10, time.Minute); err != nil || len(list) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	end(t, f, j.ID, job.Failed)
	end(t, f, j.ID, job.Failed) // the same status: nothing new
	list, err := f.Again(t).Outbox.Claim(t.Context(), 10, time.Minute)
	if err != nil || len(list) != 1 || list[0].Job.ID != j.ID || list[0].Job.Status != job.Failed || list[0].ID == "" || list[0].Attempts != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	must(t, f.Outbox.Settle(t.Context(), list[0].ID))
	end(t, f, j.ID, job.Created)
	end(t, f, j.ID, job.Completed) // after a retry
	again, err := f.Outbox.Claim(t.Context(), 10, time.Minute)
	if err != nil || len(again) != 1 || again[0].Job.Status != job.Completed || again[0].ID == list[0].ID {
		t.Fatalf("%+v, %v", again, err)
	}
	must(t, f.Jobs.Delete(t.Context(), j.ID))
	must(t, f.Outbox.Settle(t.Context(), again[0].ID))
}

func testClaims(t *testing.T, f Fixture) {
	for range 5 {
		end(t, f, newJob(t, f.Platform).ID, job.Completed)
	}
	stores := []platform.Outbox{f.Outbox, f.Again(t).Outbox}
	var wg sync.WaitGroup
	var mu sync.Mutex
	claimed := map[string]int{}
	for i := range 6 {
		wg.Go(func() {
			list, err := stores[i%2].Claim(lasting(t), 2, 3*time.Second)
			if err != nil || len(list) > 2 {
				t.Errorf("%d notices, %v", len(list), err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, n := range list {
				claimed[n.ID]++
			}
		})
	}
	wg.Wait()
	var ids []string
	for id, times := range claimed {
		ids = append(ids, id)
		if times != 1 {
			t.Errorf("%s was claimed %d times", id, times)
		}
	}
	if len(ids) != 5 {
		t.Fatalf("%d of 5 claimed", len(ids))
	}
	must(t, f.Outbox.Settle(t.Context(), ids[0]))
	must(t, f.Outbox.Postpone(t.Context(), ids[1], time.Hour))
	must(t, f.Outbox.Postpone(t.Context(), "unknown", time.Hour))
	must(t, f.Outbox.Settle(t.Context(), "unknown"))
	f.Advance(4 * time.Second)
	list, err := f.Outbox.Claim(t.Context(), 10, time.Minute)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d of the 3 whose claimer died, %v", len(list), err)
	}
	for _, n := range list {
		if n.Attempts != 2 || n.ID == ids[0] || n.ID == ids[1] {
			t.Errorf("%+v", n)
		}
	}
}
