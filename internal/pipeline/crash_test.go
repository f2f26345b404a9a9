package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/inference"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/memory"
	"github.com/stereospot/stereospot/internal/tools/blank"
)

const worldSegments = 3

// world is a film's way through processes that do one thing after another, on a platform in memory and a clock of its own.
// Something may happen at a chosen call of the platform.
type world struct {
	t       *testing.T
	store   *memory.Store
	scratch string
	now     time.Time
	id      string // of the job
	owners  int
	copies  bool // of the film's packets don't decode to the frames they should, but in its first segment
	damage  bool // a converted segment once, before the segments are joined

	mu     sync.Mutex
	reads  bool        // calls that only read count, too
	calls  int         // of the platform, by the processes
	at     int         // at this call something happens
	what   memory.Call // that call
	happen func()
	inside bool // what happens is under way: its calls aren't counted
	dead   bool // the process: whatever it calls ends its goroutine

	measured int
}

func newWorld(t *testing.T, at int) *world {
	w := &world{t: t, scratch: t.TempDir(), now: time.Unix(1_800_000_000, 0), at: at}
	w.store = memory.New(memory.Options{Now: w.clock, Notifications: platform.Notifications(), Saw: w.saw})
	w.inside = true
	o := job.DefaultOptions()
	o.SegmentFrames = blank.SegmentFrames
	w.id = job.NewID(w.now)
	j := job.Job{ID: w.id, Title: "film", Status: job.Created, Options: o, CreatedAt: w.now, UpdatedAt: w.now, StartedAt: w.now}
	w.must(w.store.Platform().Jobs.Create(t.Context(), j))
	for range 2 { // events come at least once
		_, err := w.store.Platform().Input.Put(t.Context(), job.SourceKey(w.id), strings.NewReader(blank.Source(worldSegments)), platform.PutOptions{})
		w.must(err)
	}
	w.inside = false
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) clock() time.Time { return w.now }

func (w *world) saw(c memory.Call) {
	if w.inside {
		return
	}
	if w.dead {
		runtime.Goexit()
	}
	if w.damage && c.Method == "Leases.Acquire" && strings.HasPrefix(c.On, "reassembly/") {
		w.damage, w.inside = false, true
		w.must(w.store.Platform().Output.Delete(w.t.Context(), job.OutputKey(w.id, 1)))
		w.inside = false
	}
	if w.reached(c) {
		w.inside = true
		defer func() { w.inside = false }()
		w.happen()
	}
}

// reading are methods that change nothing: whatever happens before one happens before the next that does.
var reading = []string{"Jobs.Get", "Jobs.List", "Completions.All", "Progress.Of", "Objects.Head", "Objects.Get", "Objects.List", "Queue.Receive", "Queue.Depth"}

// reached counts a call, and reports whether it is the chosen one.
func (w *world) reached(c memory.Call) bool {
	if !w.reads && slices.Contains(reading, c.Method) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls++; w.calls == w.at {
		w.what = c
	}
	return w.calls == w.at && w.happen != nil
}

// died is the panic of a process that ends at a call.
type died struct{}

func (w *world) process() *pipeline.Pipeline {
	w.owners++
	return &pipeline.Pipeline{
		Platform: w.store.Platform(), Converter: converterFunc(w.convert), Films: worldFilms{w: w}, Scratch: w.scratch,
		Owner: fmt.Sprint("process ", w.owners), Log: slog.New(slog.DiscardHandler), Now: w.clock, Pulse: 20 * time.Second,
		Policy: pipeline.DefaultPolicy(),
	}
}

type converterFunc func(context.Context, inference.Request, func(int)) (inference.Result, error)

func (f converterFunc) Convert(ctx context.Context, r inference.Request, progress func(int)) (inference.Result, error) {
	return f(ctx, r, progress)
}

const exactCopy, inexactCopy, lossless = "exact copy", "inexact copy", "lossless"

// convert makes of a segment what it decodes to.
func (w *world) convert(ctx context.Context, r inference.Request, _ func(int)) (inference.Result, error) {
	body, _, err := w.store.Platform().Input.Get(ctx, r.Input, 0, -1)
	if err != nil {
		return inference.Result{}, err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		return inference.Result{}, err
	}
	if string(text) == inexactCopy {
		return inference.Result{}, &media.Error{Reason: "too few frames", Err: media.ErrFrameCount}
	}
	return blank.Publish(ctx, w.store.Platform().Output, r, 0)
}

// worldFilms are blank films, of which copies may be inexact.
type worldFilms struct {
	blank.Films
	w *world
}

func (f worldFilms) Measure(ctx context.Context, source string, o job.Options, whole bool) (*media.Plan, job.EncodeOptions, error) {
	f.w.measured++
	plan, e, err := f.Films.Measure(ctx, source, o, whole)
	if err == nil && whole {
		plan.Lossless = "copies of its packets don't decode to the frames they promise"
	}
	return plan, e, err
}

func (f worldFilms) Split(_ context.Context, _ string, plan *media.Plan, sink func(media.Segment, string) error, dir string) error {
	for _, s := range plan.Segments {
		content := exactCopy
		switch {
		case plan.Lossless != "":
			content = lossless
		case f.w.copies && s.Index > 0:
			content = inexactCopy
		}
		path := filepath.Join(dir, strconv.Itoa(s.Index))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
		if err := sink(s, path); err != nil {
			return err
		}
	}
	return nil
}

// work has a process do what there is to do just now, and look once after what stands still. dead: it has died of that.
func (w *world) work(p *pipeline.Pipeline) (dead bool) {
	ctx, end := context.WithCancel(w.t.Context())
	defer end() // of all that a dead process would have been doing
	defer func() {
		if r := recover(); r != nil {
			if _, dead = r.(died); !dead {
				panic(r)
			}
		}
	}()
	for w.step(ctx, p) {
	}
	_, err := p.Reconcile(ctx)
	w.must(err)
	return false
}

// step has a process handle one message, as a worker would, and reports whether there was one.
func (w *world) step(ctx context.Context, p *pipeline.Pipeline) bool {
	for _, name := range platform.QueueNames() {
		q := p.Queues[name]
		list, err := q.Receive(ctx, 1, 0)
		w.must(err)
		if len(list) == 0 {
			continue
		}
		m, wait := list[0], new(pipeline.WaitError)
		switch err := p.Handle(ctx, name, m.Body); {
		case err == nil:
			w.must(q.Delete(ctx, m.Handle))
		case pipeline.Permanent(err):
			w.must(p.GiveUp(ctx, name, err))
			w.must(q.Delete(ctx, m.Handle))
		case errors.As(err, &wait):
			w.must(q.Send(ctx, wait.Delay, m.Body))
			w.must(q.Delete(ctx, m.Handle))
		case m.Receive == platform.MaxReceives:
			w.must(p.GiveUp(ctx, name, err))
			w.must(q.Extend(ctx, m.Handle, 0))
		default:
			w.must(q.Extend(ctx, m.Handle, time.Minute))
		}
		return true
	}
	return false
}

// live lets time pass, with a process that is replaced when it dies, until the job has come to an end.
func (w *world) live() job.Job {
	p := w.process()
	for range 1000 {
		for w.work(p) {
			p = w.process()
		}
		j, gone := w.job()
		if gone || j.Status.Terminal() {
			return j
		}
		w.now = w.now.Add(30 * time.Second)
	}
	j, _ := w.job()
	return j
}

// job looks at the job from outside.
func (w *world) job() (j job.Job, gone bool) {
	w.inside = true
	defer func() { w.inside = false }()
	j, err := w.store.Platform().Jobs.Get(w.t.Context(), w.id)
	if gone = errors.Is(err, platform.ErrNotFound); !gone {
		w.must(err)
	}
	return j, gone
}

// story is a way that a film may take.
type story struct {
	name string
	tell func(*world)
}

func stories() []story {
	return []story{
		{"copies", func(w *world) { w.copies = true }}, {"damaged", func(w *world) { w.damage = true }}, {"plain", func(*world) {}},
	}
}

// everyCall tells stories once for each call of the platform in them: each that changes something, or that reads, too.
func everyCall(t *testing.T, told []story, reads bool, live func(*world) job.Job, do func(t *testing.T, w *world)) {
	stride := 1
	if raceDetector {
		stride = 19
	}
	for _, s := range told {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, 0)
			w.reads = reads
			s.tell(w)
			if j := live(w); j.Status != job.Completed {
				t.Fatalf("undisturbed it is %s: %s", j.Status, j.Reason)
			}
			for at := 1; at <= w.calls; at += stride {
				w := newWorld(t, at)
				w.reads = reads
				s.tell(w)
				do(t, w)
			}
		})
	}
}

// checkWhole wants a job completed, with all its segments counted.
func (w *world) checkWhole(j job.Job) {
	w.t.Helper()
	if j.Status != job.Completed || j.CompletedSegments != worldSegments || j.FinalKey == "" {
		w.t.Errorf("at call %d, %+v: it is %s (%s) with %d segments", w.at, w.what, j.Status, j.Reason, j.CompletedSegments)
	}
}

func TestProcessThatDiesAtAnyCallIsOnlyADelay(t *testing.T) {
	everyCall(t, stories(), false, (*world).live, func(t *testing.T, w *world) {
		w.happen = func() { panic(died{}) }
		w.checkWhole(w.live())
	})
}

func TestAnotherProcessMayDoAllItCanBeforeAnyCall(t *testing.T) {
	everyCall(t, stories(), true, (*world).live, func(t *testing.T, w *world) {
		w.happen = func() { w.work(w.process()) }
		j := w.live()
		w.checkWhole(j)
		if j.Resent > 0 {
			t.Errorf("at call %d, %+v: messages were lost, and sent again %d times", w.at, w.what, j.Resent)
		}
		plans := 1
		if w.copies {
			plans = 2
		}
		if w.measured != plans {
			t.Errorf("at call %d, %+v: the film was measured %d times", w.at, w.what, w.measured)
		}
	})
}

// run has a process of its own do the whole job, as often as it takes.
func (w *world) run() job.Job {
	for range 3 {
		p := w.process()
		p.Owner, p.Queues, p.Pulse, w.dead = "run", nil, 0, false
		var err error
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			err = errors.New("it died")
			err = p.Run(w.t.Context(), w.id, 1)
		}()
		<-ended
		if j, _ := w.job(); err == nil || j.Status == job.Completed {
			break
		}
		if !w.dead {
			w.t.Errorf("at call %d, %+v: %v", w.at, w.what, err)
		}
	}
	w.dead = false
	j, _ := w.job()
	return j
}

func TestRunThatDiesAtAnyCallContinues(t *testing.T) {
	everyCall(t, stories(), false, (*world).run, func(t *testing.T, w *world) {
		w.happen = func() { w.dead = true; runtime.Goexit() }
		w.checkWhole(w.run())
	})
}

func TestJobThatIsCancelledAndRetriedAtAnyCallIsCompleted(t *testing.T) {
	everyCall(t, stories()[:1], false, (*world).live, func(t *testing.T, w *world) {
		w.happen = func() {
			p, refused := w.process(), new(pipeline.RefusedError)
			if err := p.Cancel(t.Context(), w.id); errors.As(err, &refused) {
				return // it is completed
			}
			w.must(p.Retry(t.Context(), w.id))
		}
		w.checkWhole(w.live())
	})
}

func TestJobThatIsRemovedAtAnyCallLeavesNothing(t *testing.T) {
	everyCall(t, stories(), false, (*world).live, func(t *testing.T, w *world) {
		w.happen = func() { w.must(w.process().Remove(t.Context(), w.id)) }
		w.live()
		for p := w.process(); w.waiting(); w.now = w.now.Add(30 * time.Second) {
			w.work(p)
		}
		j, gone := w.job()
		if w.what.Method == "" {
			return // there were fewer calls this time
		}
		if !gone {
			t.Errorf("at call %d, %+v: it is %s", w.at, w.what, j.Status)
		}
		p := w.store.Platform()
		for _, store := range []platform.Objects{p.Input, p.Output} {
			left, _, err := store.List(t.Context(), "", "", 10)
			w.must(err)
			if len(left) > 0 {
				t.Errorf("at call %d, %+v: left behind: %v", w.at, w.what, left)
			}
		}
	})
}

// waiting reports whether the queues hold anything.
func (w *world) waiting() bool {
	w.inside = true
	defer func() { w.inside = false }()
	for _, q := range w.store.Platform().Queues {
		if d, err := q.Depth(w.t.Context()); err != nil || d.Visible+d.InFlight+d.Delayed > 0 {
			return true
		}
	}
	return false
}
