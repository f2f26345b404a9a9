package child

import (
	"context"
	"os"
	"runtime"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// counting counts the runs of a network.
type counting struct{ runs *int }

func (counting) Spec() depth.Spec { return depth.Spec{} }
func (counting) Batch() int       { return 1 }
func (c counting) Infer(pictures []depth.Input) ([]depth.Map, error) {
	*c.runs++
	return []depth.Map{{W: 1, H: 1, D: []float32{0}}}, nil
}

func (c counting) Open(context.Context, job.DepthOptions) (depth.Net, error) { return c, nil }
func (counting) Resolve(d job.DepthOptions) (job.DepthOptions, error)        { return d, nil }

// held are the networks of a child whose marks nobody reads.
func held(t *testing.T, m Models) *networks {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return &networks{ctx: t.Context(), models: m, marks: w, opened: map[job.DepthOptions]depth.Net{}, waiting: map[uint64]context.CancelFunc{}}
}

func TestForgottenCallIsNotComputed(t *testing.T) {
	runs := 0
	n := held(t, counting{&runs})
	ask := func(call uint64) <-chan error {
		a := pack(job.DepthOptions{Model: "m"}, []depth.Input{{Picture: &depth.Picture{W: 1, H: 1, Y: []float32{0}, Cb: []float32{0}, Cr: []float32{0}}}})
		a.Call = call
		ended := make(chan error, 1)
		go func() { ended <- n.Infer(a, &Inferred{}) }()
		return ended
	}
	awaits := func(call uint64) bool { n.mu.Lock(); defer n.mu.Unlock(); return n.waiting[call] != nil }
	n.turn.Lock()
	first, second := ask(1), ask(2)
	for !awaits(1) || !awaits(2) {
		runtime.Gosched()
	}
	if err := n.Forget(1, nil); err != nil {
		t.Fatal(err)
	}
	n.turn.Unlock()
	if err := <-first; err == nil {
		t.Error("the forgotten call has an answer")
	}
	if err := <-second; err != nil || runs != 1 {
		t.Errorf("the other call: %v, after %d runs", err, runs)
	}
	if len(n.waiting) != 0 {
		t.Errorf("still waiting: %v", n.waiting)
	}
}

// panicking is a network whose every run panics.
type panicking struct{ counting }

func (p panicking) Open(context.Context, job.DepthOptions) (depth.Net, error) { return p, nil }
func (panicking) Infer([]depth.Input) ([]depth.Map, error)                    { panic("a network's own fault") }

func TestRunThatPanicsPassesItsTurnToNobody(t *testing.T) {
	n := held(t, panicking{})
	func() {
		defer func() { _ = recover() }() // as the runtime unwinds before it ends the process
		_ = n.Infer(pack(job.DepthOptions{Model: "m"}, []depth.Input{{Picture: &depth.Picture{W: 1, H: 1, Y: []float32{0}, Cb: []float32{0}, Cr: []float32{0}}}}), &Inferred{})
		t.Error("it didn't panic")
	}()
	if n.turn.TryLock() {
		t.Error("whoever is next begins, and is blamed for the end of the process")
	}
}

// opening is a network that is opened when its test says so, once.
type opening struct {
	counting
	begun, goOn chan struct{}
}

func (o opening) Open(context.Context, job.DepthOptions) (depth.Net, error) {
	close(o.begun)
	<-o.goOn
	return o, nil
}

func TestNetworkIsOpenedInATurnOfItsOwn(t *testing.T) {
	o := opening{counting{new(int)}, make(chan struct{}), make(chan struct{})}
	n := held(t, o)
	ended := make(chan error, 1)
	go func() { ended <- n.Open(job.DepthOptions{Model: "m"}, &Opened{}) }()
	<-o.begun
	if n.turn.TryLock() {
		n.turn.Unlock()
		t.Error("pictures that are computed meanwhile are blamed for the end of the process")
	}
	close(o.goOn)
	if err := <-ended; err != nil || !n.turn.TryLock() {
		t.Fatalf("%v, or nobody's turn comes any more", err)
	}
	if err := n.Open(job.DepthOptions{Model: "m"}, &Opened{}); err != nil { // which waits for nobody
		t.Error(err)
	}
}

// sized notes the sizes of the pictures that it sees.
type sized struct {
	counting
	bound bool
	seen  *[][2]int
}

func (s sized) SizeBound() bool                                           { return s.bound }
func (sized) Spec() depth.Spec                                            { return depth.Spec{Side: 518, Multiple: 14} }
func (s sized) Open(context.Context, job.DepthOptions) (depth.Net, error) { return s, nil }
func (s sized) Infer(pictures []depth.Input) ([]depth.Map, error) {
	*s.seen = append(*s.seen, [2]int{pictures[0].W, pictures[0].H})
	return s.counting.Infer(pictures)
}

func TestWarmRunIsAsLargeAsAFilmsOnlyWhereSizeMatters(t *testing.T) {
	for bound, want := range map[bool][2]int{true: {924, 518}, false: {126, 70}} {
		var seen [][2]int
		n := held(t, sized{counting{new(int)}, bound, &seen})
		if err := n.Warm(job.DepthOptions{Model: "m", Content: "00"}, &Opened{}); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 1 || seen[0] != want {
			t.Errorf("bound to sizes %v: ran with %v, want %v once", bound, seen, want)
		}
	}
}

func TestWhatCrossesOverIsCounted(t *testing.T) {
	if _, err := (InferArgs{W: 2, H: 2, Pictures: []Planes{{Y: make([]byte, 15), Cb: make([]byte, 16), Cr: make([]byte, 16)}}}).unpack(); err == nil {
		t.Error("a plane that is too short became a picture")
	}
	if _, err := (Inferred{W: 1, H: 1, Maps: [][]byte{make([]byte, 4)}}).maps(2); err == nil {
		t.Error("one map for two pictures")
	}
	if _, err := (Inferred{W: 1, H: 1, Maps: [][]byte{make([]byte, 5)}}).maps(1); err == nil {
		t.Error("a map that is too long")
	}
}
