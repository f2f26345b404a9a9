package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform/aws/awstest"
)

// soakVariable says for how long TestFilmsOutlastRoughWeather goes on, such as 10m; `make e2e` sets it.
const soakVariable = "STEREOSPOT_TEST_SOAK"

// Rounds of a deployment each, by turns on an inference service and on a SageMaker endpoint, two of every process:
// processes are killed and started again, lines to AWS's services are slow, cut and answered by failures, events come
// twice and late. Every film ends as it should, and nothing is converted twice without need.
func TestFilmsOutlastRoughWeather(t *testing.T) {
	lasts, err := time.ParseDuration(os.Getenv(soakVariable))
	if err != nil {
		t.Skipf("%s is no duration: make e2e sets it", soakVariable)
	}
	films := renderSoakFilms(t)
	var total soakFigures
	for begin, n := time.Now(), 0; time.Since(begin) < lasts && !t.Failed(); n++ {
		backend := []string{"http", "sagemaker"}[n%2]
		t.Run(fmt.Sprintf("Round%dBy%s", n+1, backend), func(t *testing.T) { total.add(soakRound(t, films, backend)) })
	}
	t.Logf("in all: %+v", total)
}

// soakFigures are what a round amounts to.
type soakFigures struct {
	Rounds, Films, Segments, Converted, Again, Kills, Exits, Failures, Repeated, Toxics int
}

func (f *soakFigures) add(o soakFigures) {
	f.Rounds++
	f.Films += o.Films
	f.Segments += o.Segments
	f.Converted += o.Converted
	f.Again += o.Again
	f.Kills += o.Kills
	f.Exits += o.Exits
	f.Failures += o.Failures
	f.Repeated += o.Repeated
	f.Toxics += o.Toxics
}

// soakFilm is a film to submit, and what must come of it.
type soakFilm struct {
	path    string
	options []string
	want    []byte // what one machine makes of it; nil: it must fail
	reason  string // part of what a failed one's reason must say
}

// renderSoakFilms makes the films and what one machine makes of them.
func renderSoakFilms(t *testing.T) []soakFilm {
	t.Helper()
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.mp4")
	if err := os.WriteFile(junk, []byte("this is no film"), 0o600); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 20<<20) // so that it is uploaded in two parts
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	if err := os.WriteFile(filepath.Join(dir, "noise.bin"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	tiny := tinyFilm(t)
	ffmpeg(t, dir, "-i "+tiny+" -map 0 -c copy -attach noise.bin -metadata:s:t mimetype=application/octet-stream large.mkv")
	films := []soakFilm{
		{path: tiny, options: []string{"--segment-frames", "4"}},
		{path: tiny, options: []string{"--segment-frames", "6"}},
		{path: crashSource(t), options: []string{"--segment-frames", "10"}},
		{path: filepath.Join(dir, "large.mkv"), options: []string{"--segment-frames", "4"}},
	}
	for i, f := range films {
		out := filepath.Join(dir, "undisturbed"+filepath.Ext(f.path))
		mustConvert(t, f.path, out, f.options...)
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		films[i].want = want
		if err := os.Remove(out); err != nil {
			t.Fatal(err)
		}
	}
	films = append(films, films[0], films[2])
	return append(films,
		soakFilm{path: tiny, options: []string{"--segment-frames", "4", "--format", string(doomed)}, reason: doomedReason},
		soakFilm{path: junk, reason: "junk.mp4 is not a video that"})
}

// soakRound has all films converted by a deployment of its own while its processes die and its lines break.
func soakRound(t *testing.T, films []soakFilm, backend string) (f soakFigures) {
	cfg, emulator := awstest.Watched(t)
	c := newCloud(t, cfg, soakVisibility)
	c.env = append(c.env, "STEREOSPOT_PULSE=1s", "STEREOSPOT_LEASE=6s", "STEREOSPOT_RESEND_AFTER=15s", "STEREOSPOT_VISIBILITY="+soakVisibility.String(),
		"INFERENCE_TIMEOUT=1m", "STEREOSPOT_DRAIN=5s")
	lines, err := emulator.Lines()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		c.env = append(c.env, l.Env())
	}
	fleet := newFleet(t, c, backend)
	weather := &weather{t: t, lines: lines}
	ends := fleet.submitAll(films)
	removed := fleet.removeOne(films[2])
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	pending := len(films)
	for begin := time.Now(); pending > 0; {
		select {
		case end := <-ends:
			end.check(t)
			pending--
			continue
		case <-time.After(time.Duration(500+random.IntN(2000)) * time.Millisecond):
		}
		if time.Since(begin) > soakPatience {
			t.Errorf("%d films have not ended after %v", pending, soakPatience)
			break
		}
		if time.Since(begin) > soakStorm { // what is left must come to an end by itself
			weather.calm()
			fleet.restart()
			continue
		}
		weather.change(random)
		fleet.replace(random.IntN(len(fleet.members)))
		fleet.restart()
		if random.IntN(4) == 0 {
			c.repeatEvents(t)
			f.Repeated++
		}
	}
	weather.calm()
	fleet.restart()
	if unwanted := <-removed; !t.Failed() {
		fleet.checkEnd(films, unwanted)
		fleet.count(&f)
	}
	f.Films, f.Toxics = len(films)+1, weather.changes
	for _, l := range lines {
		f.Failures += l.Failures()
	}
	t.Logf("%+v", f)
	return f
}

const (
	soakVisibility = 8 * time.Second
	soakStorm      = 45 * time.Second // how long processes are killed and lines spoilt, in each round
	soakPatience   = 5 * time.Minute
)

// weather is what goes on on the lines.
type weather struct {
	t       *testing.T
	lines   []*awstest.Line
	changes int
}

// change gives a line at random another weather.
func (w *weather) change(random *rand.Rand) {
	l := w.lines[random.IntN(len(w.lines))]
	l.Clear(w.t.Context())
	direction := []string{"upstream", "downstream"}[random.IntN(2)]
	w.changes++
	switch kind := random.IntN(6); kind {
	case 0:
		l.Break(0.1, 0.05)
		return
	case 1: // and the line stays well until the next change
		return
	default:
		toxic := []awstest.Toxic{
			{Type: "latency", Stream: direction, Toxicity: 1, Attributes: map[string]any{"latency": 150, "jitter": 100}},
			{Type: "reset_peer", Stream: direction, Toxicity: 0.3, Attributes: map[string]any{"timeout": 20}},
			{Type: "limit_data", Stream: direction, Toxicity: 0.3, Attributes: map[string]any{"bytes": 2000 + random.IntN(60_000)}},
			{Type: "bandwidth", Stream: direction, Toxicity: 1, Attributes: map[string]any{"rate": 4000}},
		}[kind-2]
		if err := l.Spoil(toxic); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *weather) calm() {
	for _, l := range w.lines {
		l.Clear(w.t.Context())
	}
}

// soakEnd is how a film has ended.
type soakEnd struct {
	film soakFilm
	submitted
}

// submitAll submits the films under names of their own, at the two web-uis by turns, and tells how each ends. Names of
// their own, because an upload that broke is continued by its name, size and options.
func (f *fleet) submitAll(films []soakFilm) <-chan soakEnd {
	f.t.Helper()
	ends, dir := make(chan soakEnd), f.t.TempDir()
	for i, film := range films {
		named := filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(film.path)))
		if err := os.Link(film.path, named); err != nil {
			f.t.Fatal(err)
		}
		go func() {
			select {
			case ends <- soakEnd{film, f.insist(f.webs[i%2], named, film.options)}:
			case <-f.t.Context().Done():
			}
		}()
	}
	return ends
}

// insist submits a film as a person does: when there was no answer, the same command continues.
func (f *fleet) insist(server, film string, options []string) submitted {
	for tries := 1; ; tries++ {
		s := <-f.c.submit(f.t, server, film, options...)
		if s.code == exitDone || tries == 10 || !strings.Contains(s.err, "stereospot: no answer from") {
			return s
		}
	}
}

// check holds how a film has ended against what must come of it.
func (e soakEnd) check(t *testing.T) {
	t.Helper()
	if e.film.want == nil {
		if e.code != exitFailed || !strings.Contains(e.err, e.film.reason) {
			t.Errorf("%s %v: exit %d, %s%s; want a failure that says %q", filepath.Base(e.film.path), e.film.options, e.code, e.out, e.err, e.film.reason)
		}
		return
	}
	got, err := os.ReadFile(e.submitted.film)
	if e.code != exitDone || err != nil || string(got) != string(e.film.want) {
		t.Errorf("%s %v: exit %d, %s%s; %d bytes (%v) where an undisturbed run has %d", filepath.Base(e.film.path), e.film.options, e.code, e.out, e.err,
			len(got), err, len(e.film.want))
	}
}

// removeOne submits a film and removes its job while it is converted; it returns the job's id.
func (f *fleet) removeOne(film soakFilm) <-chan string {
	removed := make(chan string, 1)
	go func() {
		id := ""
		defer func() { removed <- id }()
		ctx := f.t.Context()
		c, err := client.New(client.Config{Server: f.webs[0], Patience: time.Minute})
		if err != nil {
			f.t.Error(err)
			return
		}
		o := job.DefaultOptions()
		o.SegmentFrames, o.Encode.Preset = 5, "ultrafast"
		file, err := os.Open(film.path)
		if err != nil {
			f.t.Error(err)
			return
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			f.t.Error(err)
			return
		}
		j, err := c.Create(ctx, client.NewJob{Title: "unwanted.mp4", Size: info.Size(), Options: o, Start: true})
		if err == nil {
			_, err = c.Upload(ctx, j.ID, file, info.Size(), func(int64) {})
		}
		for deadline := time.Now().Add(2 * time.Minute); err == nil && j.Frames == 0 && !j.Ended() && time.Now().Before(deadline); {
			time.Sleep(100 * time.Millisecond)
			j, err = c.Get(ctx, j.ID)
		}
		if err == nil {
			err = c.Remove(ctx, j.ID)
		}
		if id = j.ID; err != nil {
			f.t.Errorf("a job couldn't be removed: %v", err)
		}
	}()
	return removed
}
