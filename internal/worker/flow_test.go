package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pause"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

// How long messages and leases last that nobody renews. A busy machine may fail to renew brief ones, and then does work
// twice: they are for tests in which they have to end.
const lasting, brief = 5 * time.Minute, 3 * time.Second

// Frames and segments of the test film.
const flowFrames, flowSegments = 12, 3

var testFilm = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "stereospot-flow-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	film := filepath.Join(dir, "film.mp4")
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=25", "-frames:v", fmt.Sprint(flowFrames),
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "4", film).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(film)
})

// flow is the whole pipeline with its workers on an embedded platform, real down to FFmpeg, at a quick pace.
type flow struct {
	*pipeline.Pipeline
	dir        string
	store      *local.Store
	visibility time.Duration
	offset     atomic.Int64 // of the clock, nanoseconds
	stop       func()

	mu       sync.Mutex
	calls    map[int]int // conversions begun, by segment
	parallel map[string]int
	double   int                                                             // conversions of an output that was being made already
	before   func(ctx context.Context, r inference.Request) error            // stands in front of the converter
	receive  func(q platform.Queue, m platform.Message) (drop bool, e error) // sees every delivery first
}

func newFlow(t *testing.T, lasts time.Duration) *flow {
	t.Helper()
	f := &flow{dir: t.TempDir(), visibility: lasts, calls: map[int]int{}, parallel: map[string]int{}}
	now := func() time.Time { return time.Now().Add(time.Duration(f.offset.Load())) }
	var err error
	f.store, err = local.Open(t.Context(), f.dir, local.Options{Now: now, Notifications: platform.Notifications(), Visibility: lasts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.store.Close() })
	p := f.store.Platform()
	for name, q := range p.Queues {
		p.Queues[name] = &faultyQueue{Queue: q, flow: f}
	}
	f.Pipeline = &pipeline.Pipeline{
		Platform: p, Scratch: filepath.Join(f.dir, "scratch"), Owner: "this", Log: slog.New(slog.DiscardHandler), Now: now,
		LeaseTime: lasts, Pulse: 20 * time.Millisecond,
		Policy: pipeline.Policy{ResendAfter: 300 * time.Millisecond, MaxResends: 10, StallAfter: time.Hour},
	}
	if err := os.Mkdir(f.Scratch, 0o700); err != nil {
		t.Fatal(err)
	}
	f.Converter = watched{f, f.realConverter()}
	return f
}

// realConverter converts in this process, with what the flow's platform is now.
func (f *flow) realConverter() inference.Converter {
	return &inference.Local{Input: f.Input, Output: f.Output, Scratch: f.Scratch}
}

// watched stands in front of the real converter.
type watched struct {
	f    *flow
	real inference.Converter
}

func (w watched) Convert(ctx context.Context, r inference.Request, progress func(int)) (inference.Result, error) {
	f := w.f
	f.mu.Lock()
	f.calls[r.Index]++
	if f.parallel[r.Output]++; f.parallel[r.Output] > 1 {
		f.double++
	}
	before := f.before
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.parallel[r.Output]--
	}()
	if before != nil {
		if err := before(ctx, r); err != nil {
			return inference.Result{}, err
		}
	}
	return w.real.Convert(ctx, r, progress)
}

func (f *flow) converted(index int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[index]
}

// faultyQueue lets a test see deliveries before the workers do.
type faultyQueue struct {
	platform.Queue
	flow *flow
}

func (q *faultyQueue) Receive(ctx context.Context, limit int, wait time.Duration) ([]platform.Message, error) {
	list, err := q.Queue.Receive(ctx, limit, wait)
	q.flow.mu.Lock()
	receive := q.flow.receive
	q.flow.mu.Unlock()
	if err != nil || receive == nil {
		return list, err
	}
	var kept []platform.Message
	for _, m := range list {
		drop, err := receive(q.Queue, m)
		if err != nil {
			return nil, err
		}
		if !drop {
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// run sets workers and reconciler going until stop or the test's end.
func (f *flow) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	soft := make(chan struct{})
	var all sync.WaitGroup
	for name, concurrency := range map[platform.QueueName]int{
		platform.ChunkingQueue: 2, platform.VideoWorkerQueue: 2, platform.SegmentOutputQueue: 2, platform.ReassemblyQueue: 2,
	} {
		w := New(Config{
			Name: name, Queue: f.Queues[name], Handler: Steps(f.Pipeline, name), Concurrency: concurrency, Visibility: f.visibility,
			Poll: time.Second, Backoff: Backoff{First: time.Millisecond, Limit: 10 * time.Millisecond}, Drain: time.Second, Log: f.Log,
		})
		all.Go(func() { w.Run(ctx, soft) })
	}
	all.Go(func() {
		for pause.For(ctx, 50*time.Millisecond) == nil {
			_, err := f.Reconcile(ctx)
			if err != nil && ctx.Err() == nil && !errors.Is(err, platform.ErrFull) { // what a full disk keeps it from it does in its next pass
				t.Errorf("reconcile: %v", err)
			}
		}
	})
	f.stop = sync.OnceFunc(func() { close(soft); cancel(); all.Wait() })
	t.Cleanup(f.stop)
}

// submit makes a started job and uploads its film.
func (f *flow) submit(t *testing.T) string {
	t.Helper()
	film, err := testFilm()
	if err != nil {
		t.Fatal(err)
	}
	options := job.DefaultOptions()
	options.SegmentFrames, options.Encode.Preset = flowFrames/flowSegments, "ultrafast"
	now := f.Now()
	j := job.Job{ID: job.NewID(now), Title: "film.mp4", Status: job.Created, Options: options, CreatedAt: now, UpdatedAt: now, StartedAt: now}
	if err := f.Jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Input.Put(t.Context(), job.SourceKey(j.ID), strings.NewReader(string(film)), platform.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

func (f *flow) row(t *testing.T, id string) job.Job {
	t.Helper()
	j, err := f.Jobs.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (f *flow) awaitStatus(t *testing.T, id string, want job.Status) job.Job {
	t.Helper()
	var j job.Job
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if j = f.row(t, id); j.Status == want {
			return j
		}
		if time.Now().After(deadline) || j.Status.Terminal() {
			t.Fatalf("job is %s (%s) with %d of %d segments, want it %s", j.Status, j.Reason, j.CompletedSegments, j.TotalSegments, want)
		}
	}
}

// awaitFilm wants the job completed with every frame.
func (f *flow) awaitFilm(t *testing.T, id string) {
	t.Helper()
	j := f.awaitStatus(t, id, job.Completed)
	path, err := f.store.Output().Path(t.Context(), j.FinalKey)
	if err != nil {
		t.Fatal(err)
	}
	src, err := media.Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	timeline, err := media.ReadTimeline(t.Context(), src)
	if err != nil || len(timeline.PTS) != flowFrames {
		t.Errorf("the film has %d frames, want %d (%v)", len(timeline.PTS), flowFrames, err)
	}
}

func TestUploadBecomesAFilmWithAPicture(t *testing.T) {
	f := newFlow(t, lasting)
	f.Policy.ResendAfter = 0 // without disturbances nothing needs repair, however long a busy machine takes
	f.run(t)
	id := f.submit(t)
	f.awaitFilm(t, id)
	waitIdle(t, f) // the picture may be later than the film
	if j := f.row(t, id); !j.Uploaded {
		t.Error("the source counts as not uploaded")
	}
	for i := range flowSegments {
		if n := f.converted(i); n != 1 {
			t.Errorf("segment %d was converted %d times", i, n)
		}
	}
	picture, err := f.store.Output().Path(t.Context(), job.PreviewKey(id))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0", picture).Output()
	if err != nil || strings.TrimSpace(string(out)) != "mjpeg,128" {
		t.Errorf("thumbnail: %s, %v", out, err)
	}
}

func TestDroppedDuplicatedAndReorderedMessagesStillGiveAFilm(t *testing.T) {
	f := newFlow(t, lasting)
	seen := map[string]int{}
	// The first delivery about an object is lost, the second is doubled, the third goes to the back of the queue.
	f.receive = func(q platform.Queue, m platform.Message) (bool, error) {
		about := string(m.Body)
		if created, err := job.ParseObjectCreated(m.Body); err == nil {
			about = created[0].Key
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		seen[about]++
		switch seen[about] {
		case 1:
			return true, q.Delete(context.Background(), m.Handle)
		case 2:
			return false, q.Send(context.Background(), 0, m.Body)
		case 3:
			return true, errors.Join(q.Send(context.Background(), 20*time.Millisecond, m.Body), q.Delete(context.Background(), m.Handle))
		}
		return false, nil
	}
	f.run(t)
	id := f.submit(t)
	f.awaitFilm(t, id)
	if f.double > 0 {
		t.Errorf("%d segments were converted twice at the same time", f.double)
	}
}

// logged collects a JSON log; several goroutines may write to it.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines returns what was logged.
func (l *logged) lines(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []map[string]any
	for dec := json.NewDecoder(bytes.NewReader(l.text.Bytes())); dec.More(); {
		line := map[string]any{}
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	return all
}

func TestTheLogTellsAJobsWholeLife(t *testing.T) {
	f, log := newFlow(t, lasting), &logged{}
	f.Log = slog.New(slog.NewJSONHandler(log, nil))
	id := f.submit(t)
	f.run(t)
	f.awaitFilm(t, id)
	waitIdle(t, f)
	f.stop()
	segments, statuses := map[any]bool{}, map[any]bool{}
	for _, line := range log.lines(t) {
		if line["job_id"] != id {
			t.Errorf("a line without the job's id: %v", line)
		}
		if line["msg"] == "segment converted" {
			segments[line["segment"]] = true
		}
		statuses[line["status"]] = true
	}
	if len(segments) != flowSegments {
		t.Errorf("segments in the log: %v", segments)
	}
	for _, want := range []job.Status{job.ChunkingInProgress, job.ChunkingComplete, job.Reassembling, job.Completed} {
		if !statuses[string(want)] {
			t.Errorf("the log lacks %s; it has %v", want, statuses)
		}
	}
}

func TestSegmentThatAlwaysFailsFailsItsJobAndNoOther(t *testing.T) {
	f := newFlow(t, lasting)
	bad := f.submit(t)
	f.before = func(_ context.Context, r inference.Request) error {
		if r.JobID == bad && r.Index == 1 {
			return errors.New("the graphics card is on fire")
		}
		return nil
	}
	good := f.submit(t)
	f.run(t)
	j := f.awaitStatus(t, bad, job.Failed)
	if !strings.Contains(j.Reason, "on fire") || !strings.Contains(j.Reason, "converting a segment failed 5 times") {
		t.Errorf("reason: %s", j.Reason)
	}
	if n := f.converted(1); n < platform.MaxReceives {
		t.Errorf("given up after %d attempts", n)
	}
	f.awaitFilm(t, good)

	// Mended, a retry makes what is missing.
	waitIdle(t, f)
	f.mu.Lock()
	f.before = nil
	f.mu.Unlock()
	made := map[int]int{}
	for i := range flowSegments {
		if _, err := f.Output.Head(t.Context(), job.OutputKey(bad, i)); err == nil {
			made[i] = f.converted(i)
		}
	}
	if err := f.Retry(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	f.awaitFilm(t, bad)
	for i, n := range made {
		if f.converted(i) != n {
			t.Errorf("segment %d was there and was converted again", i)
		}
	}
}

// waitIdle waits until no message is under way.
func waitIdle(t *testing.T, f *flow) {
	t.Helper()
	left := ""
	defer func() {
		if t.Failed() {
			t.Logf("left in the queues: %s", left)
		}
	}()
	until(t, "the queues are empty", func() bool {
		left = ""
		for name, q := range f.Queues {
			if d, err := q.Depth(t.Context()); err != nil || d.Visible+d.InFlight+d.Delayed > 0 {
				left += fmt.Sprintf("%s %+v %v; ", name, d, err)
			}
		}
		return left == ""
	})
}

func TestBadSourceFailsAtOnceWithOneLine(t *testing.T) {
	f := newFlow(t, lasting)
	f.run(t)
	now := f.Now()
	j := job.Job{ID: job.NewID(now), Title: "notes.txt", Status: job.Created, Options: job.DefaultOptions(), CreatedAt: now, UpdatedAt: now, StartedAt: now}
	if err := f.Jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Input.Put(t.Context(), job.SourceKey(j.ID), strings.NewReader("not a film\n"), platform.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	j = f.awaitStatus(t, j.ID, job.Failed)
	if j.Reason == "" || strings.Contains(j.Reason, "\n") || strings.Contains(j.Reason, "times") || !strings.HasPrefix(j.Reason, "notes.txt ") {
		t.Errorf("reason: %q", j.Reason)
	}
	waitIdle(t, f)
	for name, d := range f.DeadLetters {
		if list, err := d.List(t.Context(), 1); err != nil || len(list) > 0 {
			t.Errorf("%s has dead letters for a film that is no film: %v", name, err)
		}
	}
}

// hold makes conversions wait until they are cancelled or released, and tells of each.
func (f *flow) hold() (begun chan int, release func()) {
	begun = make(chan int, 100)
	free := make(chan struct{})
	f.before = func(ctx context.Context, r inference.Request) error {
		begun <- r.Index
		select {
		case <-free:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return begun, sync.OnceFunc(func() { close(free) })
}

func TestCancelStopsWorkUnderWayAndRetryFinishes(t *testing.T) {
	f := newFlow(t, lasting)
	begun, release := f.hold()
	f.run(t)
	id := f.submit(t)
	<-begun
	if err := f.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	waitIdle(t, f) // conversions under way are held until they are cancelled
	if j := f.row(t, id); j.Status != job.Cancelled {
		t.Fatalf("job is %s (%s)", j.Status, j.Reason)
	}
	release()
	if err := f.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	f.awaitFilm(t, id)
}

func TestRemoveWhileConvertingLeavesNothing(t *testing.T) {
	for name, when := range map[string]bool{"work is stopped": false, "work ends after the removal": true} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, lasting)
			begun, release := f.hold()
			id := f.submit(t)
			if when {
				f.Pulse = time.Hour // so that it goes on and publishes its result
				// A message that is sent again meanwhile would wait for several pulses, or for a lease's time.
				f.Policy.ResendAfter = 0
				if _, err := f.Jobs.Update(t.Context(), id, func(j *job.Job) error { j.Uploaded = true; return nil }); err != nil {
					t.Fatal(err)
				}
			}
			f.run(t)
			<-begun
			if err := f.Remove(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			release()
			until(t, "the row is gone", func() bool { _, err := f.Jobs.Get(t.Context(), id); return errors.Is(err, platform.ErrNotFound) })
			waitIdle(t, f)
			f.stop()
			checkNothingOf(t, f, id)
		})
	}
}

// checkNothingOf wants no object, file or row of a job.
func checkNothingOf(t *testing.T, f *flow, id string) {
	t.Helper()
	for name, store := range map[string]platform.Objects{"input": f.Input, "output": f.Output} {
		if list, _, err := store.List(t.Context(), "", "", 10); err != nil || len(list) > 0 {
			t.Errorf("objects in %s: %v, %v", name, list, err)
		}
		err := filepath.WalkDir(filepath.Join(f.dir, name), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				t.Errorf("file left: %s", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if rows, err := f.Completions.All(t.Context(), id); err != nil || len(rows) > 0 {
		t.Errorf("completions: %v, %v", rows, err)
	}
	if rows, err := f.Progress.Of(t.Context(), id); err != nil || len(rows) > 0 {
		t.Errorf("progress: %v, %v", rows, err)
	}
}

func TestLeaseHolderThatDiesDelaysItsJobAndNoMore(t *testing.T) {
	f := newFlow(t, brief)
	id := f.submit(t)
	// Dead right after it took the leases.
	for _, lease := range []string{"chunking/" + id, "reassembly/" + id, "reconciler"} {
		if err := f.Leases.Acquire(t.Context(), lease, "dead", f.LeaseTime); err != nil {
			t.Fatal(err)
		}
	}
	f.run(t)
	f.awaitFilm(t, id)
	if list, err := f.DeadLetters[platform.ReassemblyQueue].List(t.Context(), 1); err != nil || len(list) > 0 {
		t.Errorf("waiting for a lease used up a message's deliveries: %v", err)
	}
}

func TestKillRightAfterTheReassemblyLeaseIsTaken(t *testing.T) {
	f := newFlow(t, brief)
	id := f.submit(t)
	f.receive = func(q platform.Queue, m platform.Message) (bool, error) {
		if _, err := job.ParseReassemblyMessage(m.Body); err != nil {
			return false, nil
		}
		f.mu.Lock()
		f.receive = nil // once
		f.mu.Unlock()
		ctx := context.Background()
		_, err := f.Jobs.Update(ctx, id, func(j *job.Job) error { j.Status = job.Reassembling; return nil })
		// Its message went with it, too.
		return true, errors.Join(err, f.Leases.Acquire(ctx, "reassembly/"+id, "dead", f.LeaseTime), q.Delete(ctx, m.Handle))
	}
	f.run(t)
	f.awaitFilm(t, id)
}

func TestClockThatJumpsStopsNoJob(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": 24 * time.Hour, "back": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, brief)
			begun, release := f.hold()
			f.run(t)
			id := f.submit(t)
			<-begun
			f.offset.Store(int64(jump))
			release()
			f.awaitFilm(t, id)
			second := f.submit(t)
			f.awaitFilm(t, second)
		})
	}
}

func TestDamagedResultIsMadeAgainWithoutHelp(t *testing.T) {
	f := newFlow(t, lasting)
	id := f.submit(t)
	f.receive = func(_ platform.Queue, m platform.Message) (bool, error) {
		if _, err := job.ParseReassemblyMessage(m.Body); err != nil {
			return false, nil
		}
		f.mu.Lock()
		f.receive = nil // once
		f.mu.Unlock()
		path, err := f.store.Output().Path(context.Background(), job.OutputKey(id, 1))
		if err != nil {
			return false, err
		}
		return false, os.WriteFile(path, []byte("damaged"), 0o644)
	}
	f.run(t)
	f.awaitFilm(t, id)
	if n := f.converted(1); n != 2 {
		t.Errorf("the damaged segment was converted %d times", n)
	}
	if n := f.converted(0); n != 1 {
		t.Errorf("an intact segment was converted %d times", n)
	}
}

func TestCopiesThatDontDecodeAreMadeAgainWithoutLoss(t *testing.T) {
	f := newFlow(t, lasting)
	f.before = func(_ context.Context, r inference.Request) error {
		j, err := f.Jobs.Get(context.Background(), r.JobID)
		if err != nil || j.Lossless || r.Index == 0 {
			return err
		}
		return &media.Error{Reason: "too few frames", Err: media.ErrFrameCount}
	}
	f.run(t)
	id := f.submit(t)
	f.awaitFilm(t, id)
	if j := f.row(t, id); !j.Lossless {
		t.Error("the job was not chunked again")
	}
}

func TestOneProcessDoesntConvertASegmentTwiceAtATime(t *testing.T) {
	f := newFlow(t, lasting)
	begun, release := f.hold()
	f.run(t)
	id := f.submit(t)
	<-begun
	j := f.row(t, id)
	key := job.SegmentKey(id, 0, flowSegments, j.Options.Format)
	for range 5 {
		event := job.EncodeObjectCreated(job.ObjectCreated{Bucket: "input", Key: key, Time: f.Now()})
		if err := f.Queues[platform.VideoWorkerQueue].Send(t.Context(), 0, event); err != nil {
			t.Fatal(err)
		}
	}
	release()
	f.awaitFilm(t, id)
	waitIdle(t, f)
	if f.double > 0 || f.converted(0) != 1 {
		t.Errorf("converted %d times, %d at the same time", f.converted(0), f.double)
	}
}
