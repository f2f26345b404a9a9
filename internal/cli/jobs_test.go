package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

func TestJobsAreListedShownCancelledRetriedAndRemoved(t *testing.T) {
	s, film := startServer(t, "web-ui", t.TempDir()), smallFilm(t, 5) // no workers: jobs stay where they are
	if r := s.stereospot("jobs", "list"); r.code != exitDone || !strings.Contains(r.out, "no jobs") {
		t.Errorf("empty list: %q %q", r.out, r.err)
	}
	if r := s.stereospot("jobs", "list", "--state", "failed"); r.code != exitDone || r.out != "no such jobs\n" {
		t.Errorf("an empty list of failed ones: %q %q", r.out, r.err)
	}
	r := s.stereospot("submit", film, "--json", "--format", "anaglyph", "--preset", "comfort")
	id := jobID(t, r.out)
	r = s.stereospot("submit", film)
	if other := s.listed()[0].ID; r.code != exitDone || other == id || !strings.Contains(r.out, "film.mp4: job "+other+", at "+s.url("")+"/jobs/"+other) {
		t.Errorf("submit says %q %q", r.out, r.err)
	}
	if r := s.stereospot("jobs", "list", "--search", "FILM", "--state", "live", "--limit", "1"); strings.Count(r.out, "film.mp4") != 1 || !strings.HasPrefix(r.out, "JOB ") {
		t.Errorf("list: %q %q", r.out, r.err)
	}
	r = s.stereospot("jobs", "show", id)
	for _, want := range []string{id, "film.mp4", "waiting", "anaglyph", "film_redcyan_dubois.mp4", "divergence 1.5%, convergence auto, depth classic", "cancel"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("show lacks %q: %s%s", want, r.out, r.err)
		}
	}
	status := func() job.Status {
		j := s.listed()
		return j[len(j)-1].Status
	}
	if r := s.stereospot("jobs", "cancel", id); r.code != exitDone || r.out != id+": cancelled\n" || status() != job.Cancelled {
		t.Errorf("cancel: %d %q %q", r.code, r.out, r.err)
	}
	if r := s.stereospot("jobs", "watch", id); r.code != exitFailed || !strings.Contains(r.err, "was cancelled: stereospot jobs retry "+id) {
		t.Errorf("watch: %d %q", r.code, r.err)
	}
	if r := s.stereospot("jobs", "retry", id); r.code != exitDone || r.out != id+": started again\n" || status() != job.Created {
		t.Errorf("retry: %d %q %q", r.code, r.out, r.err)
	}
	if r := s.stereospot("jobs", "retry", id, "nonsense"); r.code != exitFailed || strings.Count(lastLineOf(r.err), "job ") < 2 {
		t.Errorf("retry of a live one and of none: %d %q", r.code, r.err)
	}
	if r := s.stereospot("jobs", "remove", id); r.code != exitDone {
		t.Errorf("remove: %d %q", r.code, r.err)
	}
	until(t, "the job is gone", func() bool { return len(s.listed()) == 1 })
	if r := s.stereospot("jobs", "show", id); r.code != exitFailed || !strings.Contains(r.err, "list") {
		t.Errorf("show of a removed job: %d %q", r.code, r.err)
	}
}

func TestWatchingGoesOnAfterBrokenConnectionsAndLeavesTheJobAlone(t *testing.T) {
	s, film := startServer(t, "web-ui", t.TempDir()), smallFilm(t, 5)
	id := jobID(t, s.stereospot("submit", film, "--json").out)
	p := newProxy(t, s.url(""))
	stop, ended := background(t, "jobs", "watch", id, "-o", "/films/it's x.mp4", "--server", p.URL)
	stream := "GET /api/v1/jobs/" + id + "/events"
	until(t, "an event has come", func() bool { return p.delivered() > 0 })
	p.CloseClientConnections()
	until(t, "the stream is followed again, from the last event", func() bool {
		seen := p.seen(stream)
		return len(seen[len(seen)-1]) > len(stream)+1
	})
	stop()
	r := await(t, ended)
	if again := "stereospot jobs watch " + id + " --server " + p.URL + ` -o '/films/it'\''s x.mp4'`; r.code != exitFailed || !strings.Contains(r.err, again) {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	if j := s.listed()[0]; !j.Status.Live() {
		t.Errorf("the job is %s", j.Status)
	}
	stop, ended = background(t, "jobs", "watch", id, "--server", s.url(""))
	defer stop()
	if r := s.stereospot("jobs", "remove", id); r.code != exitDone {
		t.Error(r.err)
	}
	if r := await(t, ended); r.code != exitFailed {
		t.Errorf("watching a removed job: exit %d, %q", r.code, r.err)
	}
}

func TestCommandsWithoutAServerSayHowToStartOne(t *testing.T) {
	at := "http://" + nobody
	r := stereospot(t, "submit", smallFilm(t, 1), "--server", at)
	if r.code != exitFailed || !strings.Contains(lastLineOf(r.err), "no answer from "+at) || !strings.Contains(r.err, "stereospot serve") {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	for _, args := range [][]string{{"jobs", "list", "--server", "nonsense"}, {"jobs", "list", "--limit", "0"}, {"dlq", "purge"}, {"submit", "a", "--json", "-q"}} {
		if r := stereospot(t, args...); r.code != exitUsage {
			t.Errorf("%v: exit %d, %q", args, r.code, r.err)
		}
	}
}

// plantDeadLetters lets a queue of the data directory give up on n messages.
func plantDeadLetters(t *testing.T, dir string, queue platform.QueueName, bodies ...string) {
	t.Helper()
	store, err := local.Open(t.Context(), dir, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	q := store.Queues()[queue]
	for _, body := range bodies {
		if err := q.Send(t.Context(), 0, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	for {
		got, err := q.Receive(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return // all have become dead letters
		}
		for _, m := range got {
			if err := q.Extend(t.Context(), m.Handle, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDeadLettersAreListedPutBackAndDropped(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, "web-ui", filepath.Join(dir, "data"))
	about := job.NewID(time.Now())
	plantDeadLetters(t, s.dir, platform.ReassemblyQueue, string(job.ReassemblyMessage{JobID: about}.Encode()), "\x1bnonsense")
	for name, where := range map[string][]string{"server": {"--server", s.url("")}, "data directory": {"--data-dir", s.dir}} {
		t.Run(name, func(t *testing.T) {
			dlq := func(args ...string) result {
				return stereospot(t, append(append([]string{"dlq"}, args...), where...)...)
			}
			if r := dlq("list"); r.code != exitDone || !strings.Contains(r.out, about) || !strings.Contains(r.out, "?nonsense") || strings.Contains(r.out, "\x1b") {
				t.Errorf("list: %q %q", r.out, r.err)
			}
			if r := dlq("list", "--queue", "chunking"); r.out != "no dead letters\n" {
				t.Errorf("list of another queue: %q %q", r.out, r.err)
			}
			if r := dlq("redrive"); r.code != exitDone || !strings.Contains(r.out, "reassembly: 2 put back") || !strings.Contains(r.out, "chunking: 0 put back") {
				t.Errorf("redrive: %q %q", r.out, r.err)
			}
			if r := dlq("list", "--json"); r.out != "" {
				t.Errorf("still there: %q", r.out)
			}
			plantDeadLetters(t, s.dir, platform.ReassemblyQueue) // those put back die again
			if r := dlq("purge", "--queue", "chunking", "-y"); r.out != "chunking: 0 dropped\n" {
				t.Errorf("purge of another queue: %q %q", r.out, r.err)
			}
		})
	}
	if r := s.stereospot("dlq", "purge", "-y"); !strings.Contains(r.out, "reassembly: 2 dropped") {
		t.Errorf("purge: %q %q", r.out, r.err)
	}
	if r := stereospot(t, "dlq", "list", "--data-dir", dir); r.code != exitFailed || !strings.Contains(r.err, "no data directory") {
		t.Errorf("a directory without data: %d %q", r.code, r.err)
	}
}

func TestRetriedJobSaysWhatItLacks(t *testing.T) {
	s := startServer(t, "web-ui", t.TempDir())
	api, err := client.New(client.Config{Server: s.url("")})
	if err != nil {
		t.Fatal(err)
	}
	j, err := api.Create(t.Context(), client.NewJob{Title: "film.mkv", Size: 1000, Options: job.DefaultOptions(), Start: true})
	if err == nil {
		_, err = api.Cancel(t.Context(), j.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r := s.stereospot("jobs", "retry", j.ID); r.code != exitDone || !strings.Contains(r.out, "waits for its film, which never arrived whole: submit film.mkv again") {
		t.Errorf("retry: %d %q %q", r.code, r.out, r.err)
	}
}
