package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

func readAll(t *testing.T, body io.ReadCloser) string {
	t.Helper()
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// checkEnd demands that nothing is left to do, and that nothing is left over.
func (f *fleet) checkEnd(films []soakFilm, removed string) {
	f.t.Helper()
	f.awaitRest(removed)
	jobs := f.jobs()
	completed, want := 0, 0
	for _, film := range films {
		if film.want != nil {
			want++
		}
	}
	for _, j := range jobs {
		switch {
		case j.Status == job.Completed:
			completed++
		case j.Status == job.Created && !j.Uploaded: // its submission's answer was lost, and it was made again
		case j.Status != job.Failed:
			f.t.Errorf("job %s is %s", j.ID, j.Status)
		}
	}
	if completed != want {
		f.t.Errorf("%d jobs are completed; want %d", completed, want)
	}
	f.checkObjects(jobs)
	f.checkDeadLetters(jobs)
}

// awaitRest waits until the removed job is gone and every message has been handled.
func (f *fleet) awaitRest(removed string) {
	f.t.Helper()
	rest := func() (left string) {
		for name, q := range f.c.platform.Queues {
			if d, err := q.Depth(f.t.Context()); err != nil || d.Visible+d.InFlight+d.Delayed > 0 {
				left += fmt.Sprintf("%s: %+v %v; ", name, d, err)
			}
		}
		if j, err := f.c.platform.Jobs.Get(f.t.Context(), removed); err == nil {
			left += fmt.Sprintf("the removed job is %s; ", j.Status)
		}
		return left
	}
	for deadline := time.Now().Add(2 * time.Minute); rest() != ""; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Errorf("not done: %s", rest())
			return
		}
		f.restart()
	}
}

func (f *fleet) jobs() map[string]job.Job {
	all := map[string]job.Job{}
	for token := ""; ; {
		page, next, err := f.c.platform.Jobs.List(f.t.Context(), platform.JobQuery{Token: token, Limit: 100})
		if err != nil {
			f.t.Fatal(err)
		}
		for _, j := range page {
			all[j.ID] = j
		}
		if token = next; token == "" {
			return all
		}
	}
}

// checkObjects demands that every object belongs to a job, and that a completed job has all of its own. What lies under
// SageMaker's prefixes expires by the buckets' rules.
func (f *fleet) checkObjects(jobs map[string]job.Job) {
	f.t.Helper()
	found := map[string]bool{}
	for _, store := range []platform.Objects{f.c.platform.Input, f.c.platform.Output} {
		for _, o := range f.objects(store, "") {
			found[o.Key] = true
			parts := strings.Split(o.Key, "/")
			if strings.HasPrefix(o.Key, "sagemaker-async-") {
				continue
			}
			if _, known := jobs[parts[1]]; !known {
				f.t.Errorf("%s belongs to no job", o.Key)
			}
		}
	}
	for _, j := range jobs {
		if j.Status != job.Completed {
			continue
		}
		want := []string{job.SourceKey(j.ID), job.PlanKey(j.ID), j.FinalKey, job.ReportKey(j.ID)}
		for i := range j.TotalSegments {
			want = append(want, job.OutputKey(j.ID, i), job.SegmentKey(j.ID, i, j.TotalSegments, j.Options.Format))
		}
		for _, key := range want {
			if !found[key] {
				f.t.Errorf("%s is not there", key)
			}
		}
	}
}

// checkDeadLetters demands that dead letters are those of failed jobs.
func (f *fleet) checkDeadLetters(jobs map[string]job.Job) {
	f.t.Helper()
	for name, dead := range f.c.platform.DeadLetters {
		list, err := dead.List(f.t.Context(), 1000)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, m := range list {
			failed := slices.ContainsFunc(slices.Collect(maps.Keys(jobs)), func(id string) bool {
				return strings.Contains(string(m.Body), id) && jobs[id].Status == job.Failed
			})
			if !failed {
				f.t.Errorf("%s: a dead letter of no failed job: %s", name, m.Body)
			}
		}
	}
}

// count counts conversions, and demands that no segment was converted again without need. By an endpoint, a segment is
// invoked once, and once more for each invocation that failed or came to nothing, and for each whose worker was killed
// before it had noted it down. By the service, it is converted once, and once more for each answer that nobody heard.
func (f *fleet) count(s *soakFigures) {
	f.t.Helper()
	s.Kills, s.Exits = f.kills, f.exits
	made, allowed := f.wall.counts()
	if f.runtime != nil {
		made = f.runtime.Invocations()
		f.mu.Lock()
		defer f.mu.Unlock()
		for segment := range made {
			allowed[segment] += f.failing[segment] + f.unnoted[segment]
		}
	}
	for segment, n := range made {
		s.Segments++
		s.Converted += n
		s.Again += n - 1
		if n > 1+allowed[segment] {
			f.t.Errorf("segment %s was converted %d times; %d of them came to nothing", segment, n, allowed[segment])
		}
	}
}

// counts returns how often each segment was converted, and how often that came to nothing.
func (w *wall) counts() (done, broken map[string]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done, broken = map[string]int{}, map[string]int{}
	for segment, n := range w.done {
		done[segment] = n
	}
	for segment, n := range w.broken {
		broken[segment] = n
	}
	return done, broken
}
