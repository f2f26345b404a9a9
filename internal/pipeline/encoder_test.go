package pipeline

import (
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/media/gputest"
)

func TestEncoderThatWasChosenByTryingStaysWithItsJob(t *testing.T) {
	var said []string
	b := newBench(t)
	b.Observe = func(e Event) {
		if e.Encoder != "" {
			said = append(said, e.Encoder)
		}
	}
	_, err := b.advance(t.Context(), b.job, job.ChunkingInProgress, func(j *job.Job) { j.Options.Encode.Encoder = media.GPUEncoder })
	b.must(t, err)
	for _, kind := range []gputest.Kind{gputest.Exact, gputest.Absent} { // a GPU that has no place the second time
		t.Run(string(kind), func(t *testing.T) {
			gputest.Use(t, kind)
			b.must(t, b.Chunk(t.Context(), b.job))
			if got := b.row(t).Settled; got.Encoder != "h264_nvenc" || got.Codec != "h264" {
				t.Errorf("settled on %+v", got)
			}
		})
	}
	if len(said) != 2 || said[0] != "h264_nvenc" || said[1] != said[0] {
		t.Errorf("said %q", said)
	}
}
