package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

// killsVariable says how many processes TestKilledWorkersLoseNothing kills; `make crash` asks for 200.
const killsVariable = "STEREOSPOT_TEST_KILLS"

// quick makes a dead process's work come back within seconds.
var quick = []string{"--visibility", "2s", "--lease", "1s", "--pulse", "100ms", "--retry", "50ms", "--drain", "5s", "--min-free", "0"}

// crew is a set of StereoSpot processes on one data directory.
type crew struct {
	t     *testing.T
	dir   string
	roles [][]string // arguments of each member
	procs []*exec.Cmd
	log   *os.File
}

func newCrew(t *testing.T, dir string) *crew {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "crew.log"))
	if err != nil {
		t.Fatal(err)
	}
	c := &crew{t: t, dir: dir, log: log, roles: [][]string{
		{"web-ui", "--addr", "127.0.0.1:0", "--reconcile-every", "200ms", "--resend-after", "1s"},
		{"media-worker"},
		{"video-worker", "--convert-jobs", "2"},
		{"video-worker", "--convert-jobs", "1"},
	}}
	c.procs = make([]*exec.Cmd, len(c.roles))
	t.Cleanup(func() {
		c.stop(syscall.SIGKILL)
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("log of the processes:\n%s", text[max(0, len(text)-20000):])
		}
	})
	for i := range c.roles {
		c.start(i)
	}
	return c
}

func (c *crew) start(i int) {
	c.t.Helper()
	cmd := command(append(append(append([]string{}, c.roles[i]...), "--data-dir", c.dir), quick...)...)
	cmd.Stderr = c.log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.procs[i] = cmd
}

// replace kills a member and starts another in its place.
func (c *crew) replace(i int) {
	c.t.Helper()
	if err := c.procs[i].Process.Kill(); err != nil {
		c.t.Fatalf("%v had ended by itself: %v", c.roles[i], c.procs[i].Wait())
	}
	_ = c.procs[i].Wait() // it was killed
	c.start(i)
}

func (c *crew) stop(signal syscall.Signal) {
	for _, p := range c.procs {
		if p != nil && p.ProcessState == nil {
			_ = p.Process.Signal(signal) // it may just have ended
		}
	}
	for i, p := range c.procs {
		if p != nil && p.ProcessState == nil {
			if err := p.Wait(); err != nil && signal == syscall.SIGTERM {
				c.t.Errorf("%v: %v", c.roles[i], err)
			}
		}
	}
}

// killOptions are what the test's jobs are converted with.
func killOptions() job.Options {
	o := job.DefaultOptions()
	o.SegmentFrames, o.Encode.Preset = 4, "ultrafast"
	return o
}

// undisturbed is the film that a conversion in one go gives.
func undisturbed(t *testing.T, film string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "undisturbed.mp4")
	mustConvert(t, film, out, "--segment-frames", "4", "--encoder-preset", "ultrafast")
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// submitFilm makes a started job and stores its source.
func submitFilm(t *testing.T, store *local.Store, film []byte, change ...func(*job.Options)) string {
	t.Helper()
	now := time.Now()
	j := job.Job{
		ID: job.NewID(now), Title: "film.mp4", Status: job.Created, Options: killOptions(), CreatedAt: now, UpdatedAt: now, StartedAt: now,
	}
	for _, c := range change {
		c(&j.Options)
	}
	if err := store.Jobs().Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Input().Put(t.Context(), job.SourceKey(j.ID), bytes.NewReader(film), platform.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

func TestKilledWorkersLoseNothing(t *testing.T) {
	kills := 20
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	source := t.TempDir()
	ffmpeg(t, source, "-f lavfi -i testsrc2=s=64x36:r=25 -f lavfi -i sine -frames:v 12 -shortest -c:v libx264 -preset ultrafast -g 4 -c:a aac film.mp4")
	film, err := os.ReadFile(filepath.Join(source, "film.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	want := undisturbed(t, filepath.Join(source, "film.mp4"))
	// Kills fall on every stage when some jobs come through between them, however quick the machine is.
	pace := min(max(time.Since(begin), 200*time.Millisecond), 2*time.Second)
	dir := t.TempDir()
	store := openShared(t, dir)
	c := newCrew(t, dir)
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	var jobs []string
	for killed := range kills {
		// There is always work under way: at least two jobs that haven't ended.
		for liveJobs(t, store, jobs) < 2 {
			jobs = append(jobs, submitFilm(t, store, film))
		}
		time.Sleep(time.Duration(random.Int64N(int64(pace))))
		c.replace(random.IntN(len(c.roles)))
		if killed%20 == 19 {
			t.Logf("%d kills, %d of %d jobs done", killed+1, len(jobs)-liveJobs(t, store, jobs), len(jobs))
		}
	}
	for deadline := time.Now().Add(patience); liveJobs(t, store, jobs) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			break // checkJob says what is stuck
		}
	}
	for _, id := range jobs {
		checkJob(t, store, id, want)
	}
	awaitEmptyQueues(t, store)
	c.stop(syscall.SIGTERM)
	checkNoOrphans(t, store, dir)
	t.Logf("%d kills over %d jobs", kills, len(jobs))
}

// liveJobs returns how many of the jobs haven't ended.
func liveJobs(t *testing.T, store *local.Store, ids []string) int {
	t.Helper()
	live := 0
	for _, id := range ids {
		j, err := store.Jobs().Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if j.Status.Live() {
			live++
		}
	}
	return live
}

// checkJob wants the job completed with the very bytes of an undisturbed run.
func checkJob(t *testing.T, store *local.Store, id string, want []byte) {
	t.Helper()
	j, err := store.Jobs().Get(t.Context(), id)
	if err != nil || j.Status != job.Completed {
		t.Errorf("job %s is %s (%s) with %d of %d segments: %v", id, j.Status, j.Reason, j.CompletedSegments, j.TotalSegments, err)
		return
	}
	path, err := store.Output().Path(t.Context(), j.FinalKey)
	if err != nil {
		t.Error(err)
		return
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("job %s: the film differs from an undisturbed run's (%v)", id, err)
	}
}

// awaitEmptyQueues wants every message handled.
func awaitEmptyQueues(t *testing.T, store *local.Store) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left := ""
		for name, q := range store.Queues() {
			if d, err := q.Depth(t.Context()); err != nil || d.Visible+d.InFlight+d.Delayed > 0 {
				left += fmt.Sprintf("%s: %+v %v; ", name, d, err)
			}
		}
		if left == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("messages that nobody handles: %s", left)
			break
		}
	}
	for name, d := range store.DeadLetters() {
		list, err := d.List(t.Context(), 1000)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s: %d dead letters of messages that were killed %d times; the reconciler sent them again", name, len(list), platform.MaxReceives)
	}
}

// checkNoOrphans wants no file but those of objects, after a sweep, and every object's file.
func checkNoOrphans(t *testing.T, store *local.Store, dir string) {
	t.Helper()
	swept, err := store.Sweep(t.Context(), 0)
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d files of killed writes were swept", swept)
	files, objects := 0, 0
	for _, b := range []*local.Bucket{store.Input(), store.Output()} {
		for token := ""; ; {
			page, next, err := b.List(t.Context(), "", token, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page {
				objects++
				path, err := b.Path(t.Context(), o.Key)
				if err != nil {
					t.Error(err)
				}
				if info, err := os.Stat(path); err != nil || info.Size() != o.Size {
					t.Errorf("%s: its file is not whole (%v)", o.Key, err)
				}
			}
			if token = next; token == "" {
				break
			}
		}
	}
	for _, bucket := range []string{"input", "output"} {
		err := filepath.WalkDir(filepath.Join(dir, bucket), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files++
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if files != objects {
		t.Errorf("%d files for %d objects", files, objects)
	}
	last, err := openScratch(filepath.Join(dir, "scratch")) // sweeps, as every process does at its start
	if err != nil {
		t.Fatal(err)
	}
	if err := last.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "scratch")); err != nil || len(left) > 0 {
		t.Errorf("left in scratch: %v, %v", left, err)
	}
}
