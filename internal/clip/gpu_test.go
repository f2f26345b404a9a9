package clip

import (
	"slices"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/media"
	"github.com/stereospot/stereospot/internal/media/gputest"
)

func TestFramesAreTheSameWhoeverDecodesThem(t *testing.T) {
	in, _ := segmentFile(t)
	software := request(t, in)
	if _, err := Convert(t.Context(), software); err != nil {
		t.Fatal(err)
	}
	want := frames(t, software.Output)
	for kind, says := range map[gputest.Kind]string{gputest.Exact: "on the GPU", gputest.Breaks: "again in software", gputest.Sly: "again in software"} {
		t.Run(string(kind), func(t *testing.T) {
			decoded := gputest.Use(t, kind)
			var said []string
			r := request(t, in)
			r.GPU = media.NewGPU(media.AutoDecoder, func(text string) { said = append(said, text) })
			res, err := Convert(t.Context(), r)
			if err != nil || res.Frames != len(want) || len(res.Figures) != len(want) || !slices.Equal(frames(t, r.Output), want) {
				t.Errorf("%d frames, figures of %d, %v; or others than software's", res.Frames, len(res.Figures), err)
			}
			if decoded() != 1 || !strings.Contains(strings.Join(said, "\n"), says) {
				t.Errorf("decoded %d times on the GPU, and said %q", decoded(), said)
			}
		})
	}
}
