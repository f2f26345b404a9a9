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

func TestForgottenCallIsNotComputed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	runs := 0
	n := &networks{ctx: t.Context(), models: counting{&runs}, marks: w, opened: map[job.DepthOptions]depth.Net{}, waiting: map[uint64]bool{}}
	ask := func(call uint64) <-chan error {
		a := pack(job.DepthOptions{Model: "m"}, []depth.Input{{Picture: &depth.Picture{W: 1, H: 1, Y: []float32{0}, Cb: []float32{0}, Cr: []float32{0}}}})
		a.Call = call
		ended := make(chan error, 1)
		go func() { ended <- n.Infer(a, &Inferred{}) }()
		return ended
	}
	awaits := func(call uint64) bool { n.mu.Lock(); defer n.mu.Unlock(); return n.waiting[call] }
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
