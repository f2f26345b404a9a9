package pipeline

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
)

// bench is a pipeline on an embedded platform with one job, real down to FFmpeg.
type bench struct {
	*Pipeline
	store *local.Store
	job   string
	now   time.Time

	mu        sync.Mutex
	converted []int // segments that the converter was asked for
	fail      error // what the converter says next, once
}

// convert stands in front of the real converter: it counts, and fails when told to.
func (b *bench) convert(ctx context.Context, r inference.Request, progress func(int), real inference.Converter) (inference.Result, error) {
	b.mu.Lock()
	b.converted = append(b.converted, r.Index)
	err := b.fail
	b.fail = nil
	b.mu.Unlock()
	if err != nil {
		return inference.Result{}, err
	}
	return real.Convert(ctx, r, progress)
}

type converterFunc func(context.Context, inference.Request, func(int)) (inference.Result, error)

func (f converterFunc) Convert(ctx context.Context, r inference.Request, progress func(int)) (inference.Result, error) {
	return f(ctx, r, progress)
}

const testFrames, testSegments = 20, 4

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	film := filepath.Join(dir, "film.mp4")
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=25", "-frames:v", fmt.Sprint(testFrames),
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "5", film).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b := &bench{now: time.Now()}
	clock := func() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.now }
	if b.store, err = local.Open(t.Context(), filepath.Join(dir, "data"), local.Options{Now: clock, Notifications: platform.Notifications()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.store.Close() })
	scratch := filepath.Join(dir, "data", "scratch")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	real := &inference.Local{Input: b.store.Input(), Output: b.store.Output(), Scratch: scratch, Workers: 2}
	b.Pipeline = &Pipeline{
		Platform: b.store.Platform(),
		Converter: converterFunc(func(ctx context.Context, r inference.Request, progress func(int)) (inference.Result, error) {
			return b.convert(ctx, r, progress, real)
		}),
		Scratch: scratch, Owner: "a", Log: slog.New(slog.DiscardHandler), Now: clock,
	}
	options := job.DefaultOptions()
	options.SegmentFrames = testFrames / testSegments
	options.Encode.Preset = "ultrafast"
	b.job = job.NewID(b.now)
	if err := b.store.Input().Link(t.Context(), job.SourceKey(b.job), film); err != nil {
		t.Fatal(err)
	}
	if err := b.Jobs.Create(t.Context(), job.Job{ID: b.job, Title: "film.mp4", Status: job.Created, Options: options, CreatedAt: b.now}); err != nil {
		t.Fatal(err)
	}
	return b
}

// queued returns how many messages a queue holds.
func (b *bench) queued(t *testing.T, q platform.QueueName) int {
	t.Helper()
	d, err := b.Queues[q].Depth(t.Context())
	b.must(t, err)
	return d.Visible + d.InFlight + d.Delayed
}

// ready returns how often the job's reassembly was asked for.
func (b *bench) ready(t *testing.T) int { t.Helper(); return b.queued(t, platform.ReassemblyQueue) }

func (b *bench) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) row(t *testing.T) job.Job {
	t.Helper()
	j, err := b.Jobs.Get(t.Context(), b.job)
	b.must(t, err)
	return j
}

func (b *bench) segment(index int) string {
	return job.SegmentKey(b.job, index, testSegments, job.FullSBS)
}

// convertAll converts and completes every segment, last first: events come in any order.
func (b *bench) convertAll(t *testing.T) {
	t.Helper()
	for i := testSegments - 1; i >= 0; i-- {
		b.must(t, b.Convert(t.Context(), b.segment(i)))
		b.must(t, b.Complete(t.Context(), job.OutputKey(b.job, i)))
	}
}

// checkFinal wants a completed job whose film has every frame.
func (b *bench) checkFinal(t *testing.T) {
	t.Helper()
	j := b.row(t)
	if j.Status != job.Completed || j.FinalKey == "" || j.CompletedAt.IsZero() {
		t.Fatalf("job is %s (%q), final %q", j.Status, j.Reason, j.FinalKey)
	}
	path, err := b.store.Output().Path(t.Context(), j.FinalKey)
	b.must(t, err)
	src, err := media.Probe(t.Context(), path)
	b.must(t, err)
	timeline, err := media.ReadTimeline(t.Context(), src)
	b.must(t, err)
	if len(timeline.PTS) != testFrames {
		t.Errorf("the film has %d frames, want %d", len(timeline.PTS), testFrames)
	}
}

func TestEveryStepMayBeRepeated(t *testing.T) {
	b := newBench(t)
	for range 2 {
		b.must(t, b.Chunk(t.Context(), b.job))
	}
	for range 2 {
		b.convertAll(t)
	}
	if len(b.converted) != testSegments {
		t.Errorf("%d conversions of %d segments: %v", len(b.converted), testSegments, b.converted)
	}
	if j := b.row(t); j.CompletedSegments != testSegments || b.ready(t) == 0 {
		t.Errorf("%d of %d segments counted, ready told %d times", j.CompletedSegments, testSegments, b.ready(t))
	}
	b.must(t, b.Reassemble(t.Context(), b.job))
	b.checkFinal(t)
	if err := b.Reassemble(t.Context(), b.job); !errors.Is(err, ErrDead) {
		t.Errorf("a second reassembly: %v", err)
	}
	b.checkFinal(t)
}

func TestSegmentsMayAllCompleteBeforeChunkingIsRecorded(t *testing.T) {
	b := newBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	// As if the chunker had died between its last segment and its last write.
	_, err := b.Jobs.Update(t.Context(), b.job, func(j *job.Job) error {
		j.Status, j.TotalSegments = job.ChunkingInProgress, 0
		return nil
	})
	b.must(t, err)
	b.convertAll(t)
	if b.ready(t) != 0 {
		t.Fatal("a job was called ready before chunking was complete")
	}
	b.must(t, b.Chunk(t.Context(), b.job)) // its message comes again
	if b.ready(t) == 0 {
		t.Fatal("nobody was told that the job is ready: it is stuck")
	}
	b.must(t, b.Reassemble(t.Context(), b.job))
	b.checkFinal(t)
}

// picturesRefused is FFmpeg, but for pictures.
type picturesRefused struct{ ffmpeg }

func (picturesRefused) Still(context.Context, string, int, int) ([]byte, error) {
	return nil, errors.New("there is no FFmpeg here")
}

func TestThePictureIsMadeByWhoRecordsASegment(t *testing.T) {
	b := newBench(t)
	b.Pulse = time.Second
	b.must(t, b.Chunk(t.Context(), b.job))
	b.Films = picturesRefused{} // whoever converts may have no FFmpeg of its own
	b.must(t, b.Convert(t.Context(), b.segment(1)))
	if _, err := b.Output.Head(t.Context(), job.PreviewKey(b.job)); !errors.Is(err, platform.ErrNotFound) {
		t.Fatalf("a picture before anything is recorded: %v", err)
	}
	b.Films = nil
	event := job.EncodeObjectCreated(job.ObjectCreated{Bucket: "output", Key: job.OutputKey(b.job, 1), Time: b.now})
	b.must(t, b.Handle(t.Context(), platform.SegmentOutputQueue, event))
	r, _, err := b.Output.Get(t.Context(), job.PreviewKey(b.job), 0, -1)
	b.must(t, err)
	defer r.Close()
	picture, err := jpeg.Decode(r)
	b.must(t, err)
	if size := picture.Bounds().Size(); size != image.Pt(128, 36) {
		t.Errorf("the picture of two eyes of 64x36 has %v", size)
	}
}

func TestReassemblyWaitsForALeaseAndOutlivesADeadHolder(t *testing.T) {
	b := newBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	b.convertAll(t)
	// Another process took the lease, moved the job on, and died.
	b.must(t, b.Leases.Acquire(t.Context(), "reassembly/"+b.job, "dead", b.leaseTime()))
	_, err := b.advance(t.Context(), b.job, job.Reassembling, nil)
	b.must(t, err)
	if err := b.Reassemble(t.Context(), b.job); !errors.Is(err, platform.ErrLeaseHeld) {
		t.Fatalf("reassembly beside a holder: %v", err)
	}
	b.mu.Lock()
	b.now = b.now.Add(b.leaseTime() + time.Second)
	b.mu.Unlock()
	b.must(t, b.Reassemble(t.Context(), b.job))
	b.checkFinal(t)
}

func TestCopiesThatDontDecodeAreReplacedWithoutLoss(t *testing.T) {
	b := newBench(t)
	b.fail = fmt.Errorf("segment 0: %w", media.ErrFrameCount)
	b.must(t, b.Run(t.Context(), b.job, 1))
	b.checkFinal(t)
	plan, err := b.ReadPlan(t.Context(), b.job)
	b.must(t, err)
	if !b.row(t).Lossless || plan.Lossless == "" {
		t.Errorf("the job is not marked as lossless, or its plan isn't: %q", plan.Lossless)
	}
}

func TestDamagedOutputIsConvertedAgain(t *testing.T) {
	b := newBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	b.convertAll(t)
	path, err := b.store.Output().Path(t.Context(), job.OutputKey(b.job, 2))
	b.must(t, err)
	b.must(t, os.WriteFile(path, []byte("damaged"), 0o644))
	if err := b.Reassemble(t.Context(), b.job); err == nil {
		t.Fatal("a damaged segment was joined")
	}
	if j := b.row(t); j.Status != job.ChunkingComplete || j.CompletedSegments != 0 {
		t.Fatalf("job is %s with %d segments, want it back at converting", j.Status, j.CompletedSegments)
	}
	b.convertAll(t)
	if len(b.converted) != testSegments+1 {
		t.Errorf("%d conversions, want one more than %d", len(b.converted), testSegments)
	}
	b.must(t, b.Reassemble(t.Context(), b.job))
	b.checkFinal(t)
}

func TestMessagesOfDeadJobsAreDropped(t *testing.T) {
	b := newBench(t)
	b.must(t, b.Chunk(t.Context(), b.job))
	b.must(t, b.Fail(t.Context(), b.job, "the film is damaged"))
	for name, err := range map[string]error{
		"chunk":      b.Chunk(t.Context(), b.job),
		"convert":    b.Convert(t.Context(), b.segment(0)),
		"complete":   b.Complete(t.Context(), job.OutputKey(b.job, 0)),
		"reassemble": b.Reassemble(t.Context(), b.job),
		"no job":     b.Convert(t.Context(), job.SegmentKey(job.NewID(time.Now()), 0, 1, job.FullSBS)),
		"no segment": b.Convert(t.Context(), "segments/x.mp4"),
	} {
		if !errors.Is(err, ErrDead) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if j := b.row(t); j.Status != job.Failed || j.Reason != "the film is damaged" || len(b.converted) != 0 {
		t.Errorf("job is %s (%q), %d conversions", j.Status, j.Reason, len(b.converted))
	}
	if err := b.Complete(t.Context(), job.FinalKey(b.job, job.MP4)); err != nil {
		t.Errorf("the event of a final file: %v", err)
	}
}

func TestInterruptedRunContinuesWithWhatIsThere(t *testing.T) {
	b := newBench(t)
	b.fail = errors.New("the machine went down")
	if err := b.Run(t.Context(), b.job, 1); err == nil {
		t.Fatal("the failure was swallowed")
	}
	b.must(t, b.Run(t.Context(), b.job, 2))
	b.checkFinal(t)
	if len(b.converted) > testSegments+1 {
		t.Errorf("%d conversions for %d segments and one failure", len(b.converted), testSegments)
	}
}

func TestMessageOfSeveralJobsIsGivenUpOnlyWhenNothingOfItCanGetBetter(t *testing.T) {
	bad := &StepError{"a", &media.Error{Reason: "not a film"}}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"one":            {bad, true},
		"both bad":       {errors.Join(bad, &StepError{"b", &media.Error{Reason: "not a film"}}), true},
		"one may pass":   {errors.Join(bad, &StepError{"b", errors.New("no answer")}), false},
		"one waits":      {errors.Join(&WaitError{Err: platform.ErrLeaseHeld}, bad), false},
		"one was killed": {errors.Join(bad, &StepError{"b", &media.Error{Reason: "killed", Transient: true}}), false},
	} {
		if got := Permanent(c.err); got != c.want {
			t.Errorf("%s: permanent %v", name, got)
		}
	}
}
