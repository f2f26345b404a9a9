package cli

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stereospot/stereospot/internal/client"
	"github.com/stereospot/stereospot/internal/inference/sagemakertest"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
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
		soakFilm{path: junk, reason: "junk.mp4 is not a video"})
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
	if !t.Failed() {
		fleet.checkEnd(films, <-removed)
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

// fleet is two of every process of a deployment, and who converts for them.
type fleet struct {
	t       *testing.T
	c       *cloud
	members []*member
	webs    []string // addresses
	wall    *wall
	runtime *sagemakertest.Runtime // nil where the inference service is asked itself

	mu      sync.Mutex
	failing map[string]int // invocations by segment that the runtime lets come to nothing
	unnoted map[string]int // invocations by segment whose worker may have died before it noted them down
	kills   int
	exits   int
}

// member is a process that is started again whenever it ends.
type member struct {
	args []string
	env  []string
	log  *logFile
	*service
}

func newFleet(t *testing.T, c *cloud, backend string) *fleet {
	t.Helper()
	f := &fleet{t: t, c: c, failing: map[string]int{}, unnoted: map[string]int{}}
	inference := f.add(c.env, "inference", "--jobs", "2")
	f.wall = newWall(t, inference.address(t))
	f.settle(inference)
	env := c.with("INFERENCE_BACKEND=http", "INFERENCE_HTTP_URL="+f.wall.URL)
	if backend == "sagemaker" {
		env = f.useEndpoint()
	}
	for range 2 {
		web := f.add(c.env, "web-ui")
		f.webs = append(f.webs, web.address(t))
		f.settle(web)
		f.add(c.env, "media-worker")
		f.add(env, "video-worker")
	}
	t.Cleanup(func() {
		for _, m := range f.members {
			m.kill()
		}
	})
	return f
}

// add starts a member.
func (f *fleet) add(env []string, args ...string) *member {
	f.t.Helper()
	if args[0] == "web-ui" || args[0] == "inference" {
		args = append(args, "--addr", "127.0.0.1:0")
	}
	m := &member{args: args, env: env, log: newLogFile(f.t, args[0])}
	f.members = append(f.members, m)
	f.start(m)
	return m
}

// settle keeps a member at the address that it has found.
func (f *fleet) settle(m *member) {
	m.args[len(m.args)-1] = strings.TrimPrefix(m.address(f.t), "http://")
}

func (f *fleet) start(m *member) {
	f.t.Helper()
	m.service = &service{cmd: command(m.args...), log: m.log}
	m.cmd.Env, m.cmd.Stdout, m.cmd.Stderr = slices.Clone(m.env), m.log, m.log
	if err := m.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
}

func (m *member) address(t *testing.T) string { return m.service.address(t) }

// replace kills a member and starts it again.
func (f *fleet) replace(i int) {
	m := f.members[i]
	m.kill()
	f.kills++
	if m.args[0] == "video-worker" {
		f.noteUnnoted()
	}
	f.start(m)
}

// restart starts members again that have ended by themselves, as ECS does.
func (f *fleet) restart() {
	for _, m := range f.members {
		if !alive(m.cmd.Process.Pid) {
			_ = m.cmd.Wait() // its log says why
			f.exits++
			f.start(m)
		}
	}
}

// alive reports whether a child runs: one that has ended and wasn't waited for is a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// useEndpoint has the fleet's segments converted by a SageMaker endpoint before the wall, and returns the environment
// of its video-workers. The first invocation of some segments fails, comes to nothing, is late, throttled, or answered
// without an output.
func (f *fleet) useEndpoint() []string {
	f.runtime = sagemakertest.New(f.t.Context(), sagemakertest.Config{
		S3: s3.NewFromConfig(f.c.cfg, func(o *s3.Options) { o.UsePathStyle = true }), Endpoint: "films", Container: f.wall.URL,
		Bucket: f.c.resources.OutputBucket, Jobs: 8, Behave: f.behave,
	})
	wire := httptest.NewServer(f.runtime)
	f.t.Cleanup(func() { f.runtime.Close(); wire.Close() })
	return f.c.with("INFERENCE_BACKEND=sagemaker", "SAGEMAKER_ENDPOINT_NAME=films", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME="+wire.URL, "PATH=/nonexistent")
}

func (f *fleet) behave(c sagemakertest.Call) sagemakertest.Behaviour {
	if c.Number > 1 || c.Request.Format == doomed {
		return sagemakertest.Behaviour{}
	}
	switch rand.IntN(12) {
	case 0:
		return f.comesToNothing(c, sagemakertest.Fail)
	case 1:
		return f.comesToNothing(c, sagemakertest.Empty)
	case 2:
		return f.comesToNothing(c, sagemakertest.Never)
	case 3:
		return sagemakertest.Behaviour{Mode: sagemakertest.Throttle}
	case 4, 5:
		late := make(chan struct{})
		time.AfterFunc(5*time.Second, func() { close(late) })
		return sagemakertest.Behaviour{After: late}
	}
	return sagemakertest.Behaviour{}
}

func (f *fleet) comesToNothing(c sagemakertest.Call, mode sagemakertest.Mode) sagemakertest.Behaviour {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing[segmentName(c.Request)]++
	return sagemakertest.Behaviour{Mode: mode}
}

// noteUnnoted looks, after a video-worker was killed, for invocations that nobody has noted down: they have no ticket.
// Those that ended before have none either, which makes the bound looser and never wrong.
func (f *fleet) noteUnnoted() {
	if f.runtime == nil {
		return
	}
	calls := f.runtime.Calls()
	latest := map[string]string{} // inference id by segment
	for _, c := range calls {
		latest[segmentName(c.Request)] = c.InferenceID
	}
	noted := f.tickets()
	for segment, id := range latest {
		if !strings.Contains(noted, id) && !f.hasOutput(segment) {
			f.unnoted[segment]++
		}
	}
}

// tickets returns the text of all tickets.
func (f *fleet) tickets() string {
	var all strings.Builder
	for _, o := range f.objects(f.c.platform.Output, "sagemaker-async-requests/") {
		if !strings.HasSuffix(o.Key, ".ticket") {
			continue
		}
		body, _, err := f.c.platform.Output.Get(f.t.Context(), o.Key, 0, -1)
		if err != nil {
			continue // it has just been settled
		}
		_, _ = fmt.Fprint(&all, readAll(f.t, body))
	}
	return all.String()
}

func (f *fleet) hasOutput(segment string) bool {
	id, index, _ := strings.Cut(segment, "/")
	var n int
	if _, err := fmt.Sscan(index, &n); err != nil {
		f.t.Fatal(err)
	}
	_, err := f.c.platform.Output.Head(f.t.Context(), job.OutputKey(id, n))
	return err == nil
}

// objects returns all objects under a prefix.
func (f *fleet) objects(store platform.Objects, prefix string) (all []platform.Object) {
	for token := ""; ; {
		page, next, err := store.List(f.t.Context(), prefix, token, 1000)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, page...)
		if token = next; token == "" {
			return all
		}
	}
}

// soakEnd is how a film has ended.
type soakEnd struct {
	film soakFilm
	submitted
}

// submitAll submits the films, at the two web-uis by turns, and tells how each ends.
func (f *fleet) submitAll(films []soakFilm) <-chan soakEnd {
	ends := make(chan soakEnd)
	for i, film := range films {
		sent := f.c.submit(f.t, f.webs[i%2], film.path, film.options...)
		go func() {
			select {
			case ends <- soakEnd{film, <-sent}:
			case <-f.t.Context().Done():
			}
		}()
	}
	return ends
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
