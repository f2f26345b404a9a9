package cli

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/job"
)

func quietLog() *log.Logger { return log.New(bytes.NewBuffer(nil), "", 0) }

func ftoa(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// events reads the lines that --json printed.
func events(t *testing.T, out string) []jsonEvent {
	t.Helper()
	var list []jsonEvent
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var e jsonEvent
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// jobID returns the id of the job that a submit with --json made.
func jobID(t *testing.T, out string) string {
	t.Helper()
	for _, e := range events(t, out) {
		if e.Event == "submitted" {
			return e.Job
		}
	}
	t.Fatalf("no job was submitted: %s", out)
	return ""
}

// listed returns the server's jobs, newest first.
func (s *server) listed() []client.Job {
	s.t.Helper()
	r := s.stereospot("jobs", "list", "--json")
	if r.code != exitDone {
		s.t.Fatalf("jobs list: %s", r.err)
	}
	var jobs []client.Job
	for d := json.NewDecoder(strings.NewReader(r.out)); d.More(); {
		var j client.Job
		if err := d.Decode(&j); err != nil {
			s.t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// checkSource wants the server's only source to be the film.
func (s *server) checkSource(film string) {
	s.t.Helper()
	want, err := os.ReadFile(film)
	if err != nil {
		s.t.Fatal(err)
	}
	var found []string
	err = filepath.WalkDir(filepath.Join(s.dir, "input", "input"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) != 1 {
		s.t.Fatalf("sources %v, %v", found, err)
	}
	if got, err := os.ReadFile(found[0]); err != nil || !bytes.Equal(got, want) {
		s.t.Errorf("the server's source differs from the film: %v", err)
	}
}

func TestSubmittedFilmComesBackAsConvertMakesIt(t *testing.T) {
	s, film := newServer(t), smallFilm(t, 30)
	dir := t.TempDir()
	want, got := filepath.Join(dir, "want.mp4"), filepath.Join(dir, "got.mp4")
	options := []string{"--format", "half-sbs", "--divergence", "3", "--encoder-preset", "ultrafast", "--segment-frames", "12"}
	mustConvert(t, film, want, options...)
	r := s.stereospot(append([]string{"submit", film, "-o", got, "--json"}, options...)...)
	if r.code != exitDone {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	checkSameFilm(t, got, want)
	last := events(t, r.out)[len(events(t, r.out))-1]
	if last.Event != "done" || last.Output != got || *last.Frames != 30 || last.Job != jobID(t, r.out) || last.Format != job.HalfSBS {
		t.Errorf("last event %+v", last)
	}

	t.Run("an output that exists is refused before anything is sent", func(t *testing.T) {
		r := s.stereospot("submit", film, "-o", got)
		if r.code != exitFailed || !strings.Contains(r.err, "-y") || len(s.listed()) != 1 {
			t.Errorf("exit %d, %q", r.code, r.err)
		}
	})
	t.Run("a directory gets the name that players know", func(t *testing.T) {
		into := t.TempDir()
		r := s.stereospot("jobs", "watch", last.Job, "-o", into)
		if path := filepath.Join(into, "film_LR.mp4"); r.code != exitDone || !strings.Contains(r.out, path) {
			t.Errorf("exit %d, %q %q", r.code, r.out, r.err)
		} else {
			checkSameFilm(t, path, want)
		}
		checkNothingLeft(t, into, "film_LR.mp4")
	})
	t.Run("a broken download continues", func(t *testing.T) { checkBrokenDownload(t, s, last.Job, want) })
	t.Run("what can't be converted fails with the reason", func(t *testing.T) {
		text := filepath.Join(dir, "letter.mp4")
		if err := os.WriteFile(text, []byte("Dear reader"), 0o644); err != nil {
			t.Fatal(err)
		}
		r := s.stereospot("submit", text, "--wait")
		reason := lastLineOf(r.err)
		if r.code != exitFailed || !strings.HasPrefix(reason, "stereospot: letter.mp4 failed: ") || len(reason) < 40 {
			t.Errorf("exit %d, %q", r.code, r.err)
		}
	})
	t.Run("several films come in turn and one that fails keeps none", func(t *testing.T) {
		into := t.TempDir()
		r := s.stereospot(append([]string{"submit", filepath.Join(dir, "letter.mp4"), film, "-o", into}, options...)...)
		if r.code != exitFailed || !strings.Contains(r.err, "letter.mp4 failed") {
			t.Errorf("exit %d, %q", r.code, r.err)
		}
		checkSameFilm(t, filepath.Join(into, "film_LR.mp4"), want)
	})
}

// checkBrokenDownload fetches a result through connections that break, first within one command, then over two.
func checkBrokenDownload(t *testing.T, s *server, id, want string) {
	p := newProxy(t, s.url(""))
	out := filepath.Join(t.TempDir(), "out.mp4")
	info, err := os.Stat(want)
	if err != nil {
		t.Fatal(err)
	}
	p.set(func(p *proxy) { p.bytes = info.Size() / 3 })
	stop, ended := background(t, "jobs", "watch", id, "-o", out, "--server", p.URL)
	defer stop()
	if r := await(t, ended); r.code != exitDone {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	checkSameFilm(t, out, want)
	ranges := 0
	for _, r := range p.seen("GET /objects/") {
		if strings.Contains(r, "bytes=") {
			ranges++
		}
	}
	if ranges < 2 {
		t.Errorf("the download was cut and began anew: %v", p.seen("GET"))
	}
	checkNothingLeft(t, filepath.Dir(out), "out.mp4")
}

// sentParts returns the numbers of the parts whose sending was begun.
func sentParts(p *proxy) []string {
	var numbers []string
	for _, r := range p.seen("POST ") {
		if _, number, ok := strings.Cut(r, "/upload/parts/"); ok {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

func TestBrokenUploadContinuesWithWhatIsMissing(t *testing.T) {
	s, film := startServer(t, "web-ui", t.TempDir()), smallFilm(t, 10)
	swell(t, film, 70<<20) // five parts
	p := newProxy(t, s.url(""))
	p.set(func(p *proxy) { p.putsLeft = 2 })
	stop, ended := background(t, "submit", film, "--server", p.URL)
	await(t, p.cut)
	api, err := client.New(client.Config{Server: s.url("")})
	if err != nil {
		t.Fatal(err)
	}
	made := s.listed()[0]
	arrived := func() int64 {
		j, err := api.Get(t.Context(), made.ID)
		if err != nil || j.Upload == nil {
			t.Fatalf("%+v, %v", j, err)
		}
		return j.Upload.Received
	}
	until(t, "two parts have arrived", func() bool { return arrived() == 32<<20 })
	stop()
	if r := await(t, ended); r.code != exitFailed || !strings.Contains(r.err, "the same command continues") {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	first := sentParts(p)

	p.set(func(p *proxy) { p.putsLeft = -1 })
	r := stereospot(t, "submit", film, "--json", "--server", p.URL)
	if r.code != exitDone || jobID(t, r.out) != made.ID {
		t.Fatalf("exit %d, %s%s; want job %s", r.code, r.out, r.err, made.ID)
	}
	if second := sentParts(p); len(second) != 3 || len(slices.Compact(slices.Sorted(slices.Values(second)))) != 3 {
		t.Errorf("parts %v were sent, then %v", first, second)
	}
	if jobs := s.listed(); len(jobs) != 1 || !jobs[0].Uploaded || jobs[0].StartedAt.IsZero() {
		t.Errorf("jobs %+v", jobs)
	}
	s.checkSource(film)
}

func TestChangedFilmIsNotMixedWithWhatArrivedOfTheOldOne(t *testing.T) {
	s, film := startServer(t, "web-ui", t.TempDir()), smallFilm(t, 10)
	swell(t, film, 70<<20)
	p := newProxy(t, s.url(""))
	p.set(func(p *proxy) { p.putsLeft = 2 })
	stop, ended := background(t, "submit", film, "--server", p.URL)
	await(t, p.cut)
	stop()
	await(t, ended)
	content, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) - 1; i > 100_000; i -= 1 << 20 {
		content[i] ^= 1
	}
	if err := os.WriteFile(film, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := s.stereospot("submit", film); r.code != exitDone {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	s.checkSource(film)
}

func TestUploadOutlivesAKilledServer(t *testing.T) {
	s, film := newServer(t), smallFilm(t, 10)
	swell(t, film, 70<<20)
	p := newProxy(t, s.url(""))
	p.set(func(p *proxy) { p.putsLeft = 1 })
	out := filepath.Join(t.TempDir(), "out.mp4")
	stop, ended := background(t, "submit", film, "--encoder-preset", "ultrafast", "-o", out, "--server", p.URL)
	defer stop()
	await(t, p.cut)
	s.kill()
	s.start()
	p.set(func(p *proxy) { p.putsLeft = -1 })
	if r := await(t, ended); r.code != exitDone {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	s.checkSource(film)
	if n := len(frameTimes(t, out)); n != 10 {
		t.Errorf("%d frames", n)
	}
}

// The server is killed once it has stored the job and before it says so, and is away for longer than a call's patience.
func TestSubmissionOutlivesAServerThatDiesOverItsJob(t *testing.T) {
	const away = 5 * time.Second
	s, film := startServer(t, "web-ui", t.TempDir()), smallFilm(t, 10)
	p := newProxy(t, s.url(""))
	dead := make(chan struct{})
	p.set(func(p *proxy) { p.made = func() { s.kill(); close(dead) } })
	stop, ended := background(t, "submit", film, "--json", "--server", p.URL)
	defer stop()
	await(t, dead)
	time.Sleep(away)
	s.start()
	r := await(t, ended)
	if r.code != exitDone {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	if jobs := s.listed(); len(jobs) != 1 || jobs[0].ID != jobID(t, r.out) || !jobs[0].Uploaded {
		t.Errorf("jobs %+v; %s was submitted", jobs, jobID(t, r.out))
	}
	s.checkSource(film)
}

func TestSubmissionToNoServerIsGivenUpSoon(t *testing.T) {
	begin := time.Now()
	r := stereospot(t, "submit", smallFilm(t, 10), "--server", "http://127.0.0.1:1")
	if took := time.Since(begin); r.code != exitFailed || !strings.Contains(r.err, "no answer from http://127.0.0.1:1") || took > time.Minute { // a transfer endures ten
		t.Errorf("exit %d after %v: %s", r.code, took, r.err)
	}
}
