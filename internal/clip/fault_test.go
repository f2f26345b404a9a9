package clip

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/stereo/depth"
)

// broken is a network that panics.
type broken struct{}

func (broken) Open(context.Context, job.DepthOptions) (depth.Net, error) { return broken{}, nil }
func (broken) Spec() depth.Spec                                          { return depth.Spec{Side: 28, Multiple: 14, Std: [3]float32{1, 1, 1}} }
func (broken) Batch() int                                                { return 1 }
func (broken) Infer([]depth.Input) ([]depth.Map, error)                  { panic("a network's own fault") }

func TestPanicInAConversionIsItsErrorAlone(t *testing.T) {
	in, _ := segmentFile(t)
	r := request(t, in)
	r.Depth, r.Models = job.DepthOptions{Model: "broken", Content: "00"}, broken{}
	_, err := Convert(t.Context(), r)
	fault := new(Fault)
	if !errors.As(err, &fault) || err.Error() != "a fault in the program: a network's own fault" || !strings.Contains(fault.Stack(), "fault_test.go") {
		t.Errorf("%v", err)
	}
	if bad := new(media.Error); errors.As(err, &bad) {
		t.Error("it counts as the film's")
	}
	checkAbsent(t, r.Output)
}
