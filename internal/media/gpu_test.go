package media

import (
	"context"
	"crypto/md5"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/media/gputest"
)

// heardGPU is a GPU, and what it said.
func heardGPU(d Decoder) (*GPU, *[]string) {
	said := &[]string{}
	g := NewGPU(d, func(text string) { *said = append(*said, text) })
	g.patience = time.Hour // a busy machine is no fault of the GPU's, and where there is none nothing is waited for
	return g, said
}

// read returns the hash of every frame that a way to decode gives, and its error.
func read(t *testing.T, decode func(context.Context, int, int) (*FrameReader, error), first, n int) (sums [][md5.Size]byte, _ error) {
	t.Helper()
	r, err := decode(t.Context(), first, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	buf := make([]byte, r.FrameBytes())
	for {
		switch err := r.ReadFrame(buf); {
		case errors.Is(err, io.EOF):
			return sums, nil
		case err != nil:
			return sums, err
		}
		sums = append(sums, md5.Sum(buf))
	}
}

func TestMachineWithoutAGPUDecodesInSoftwareWithoutAWord(t *testing.T) {
	gputest.Use(t, gputest.Absent)
	file := oneSegment(t, "opengop.mp4")
	g, said := heardGPU(AutoDecoder)
	if g.Decodes(t.Context(), file) || len(*said) > 0 {
		t.Errorf("it decodes, and says %q", *said)
	}
	err := g.Require(t.Context())
	oneLine(t, err, "")
	if err != nil && !strings.Contains(err.Error(), "--decoder cuda") {
		t.Errorf("says %q", err)
	}
	if NewGPU(SoftwareDecoder, nil).Decodes(t.Context(), file) {
		t.Error("software is not software")
	}
}

// TestGPUGivesTheFramesOfSoftware holds what surrounds a GPU's decoder against software: the way of its frames into the
// processed format, whatever their size, depth, range and rotation.
func TestGPUGivesTheFramesOfSoftware(t *testing.T) {
	gputest.Use(t, gputest.Exact)
	g, said := heardGPU(CUDADecoder)
	if err := g.Require(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, resize := range map[string]int{"opengop.mp4": 0, "hevc.mp4": 0, "hdr10.mkv": 120, "rotated90.mp4": 0, "beheaded.ts": 60, "full.mp4": 0} {
		file := oneSegment(t, name)
		if resize > 0 {
			if err := file.Resize(resize); err != nil {
				t.Fatal(err)
			}
		}
		if !g.Decodes(t.Context(), file) {
			t.Errorf("%s isn't decoded on the GPU", name)
		}
		first, n := 3, file.info.Frames-5
		want, err := read(t, file.Decode, first, n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(t, file.DecodeOnGPU, first, n)
		if err != nil || !slices.Equal(got, want) || len(got) != n {
			t.Errorf("%s: %d frames of %d, %v; or others than software's", name, len(got), n, err)
		}
	}
	if len(*said) != 3 || !strings.HasPrefix((*said)[0], "decoding: h264, 8 bits, on the GPU") {
		t.Errorf("says %q", *said)
	}
	for _, name := range []string{"vp9.webm", "packed.avi", "interlaced.ts"} { // the last two become FFV1
		if file := oneSegment(t, name); g.Decodes(t.Context(), file) {
			t.Errorf("%s is decoded on the GPU", name)
		}
	}
}

func TestGPUThatCanNotBeTrustedIsFoundOut(t *testing.T) {
	file := oneSegment(t, "opengop.mp4")
	for kind, reason := range map[gputest.Kind]string{gputest.Wrong: "other than software", gputest.Hangs: "took longer"} {
		t.Run(string(kind), func(t *testing.T) {
			gputest.Use(t, kind)
			g, said := heardGPU(AutoDecoder)
			if kind == gputest.Hangs {
				g.patience = 300 * time.Millisecond
			}
			if g.Decodes(t.Context(), file) || len(*said) > 0 {
				t.Errorf("it decodes, and says %q", *said)
			}
			if err := g.Require(t.Context()); err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("required: %v", err)
			}
		})
	}
	for kind, reason := range map[gputest.Kind]string{gputest.Sly: "first frame", gputest.Breaks: "gave 5 frames"} {
		t.Run(string(kind), func(t *testing.T) {
			gputest.Use(t, kind)
			g, _ := heardGPU(AutoDecoder)
			for range mostFailures {
				if !g.Decodes(t.Context(), file) {
					t.Fatal("it isn't tried")
				}
				_, err := read(t, file.DecodeOnGPU, 0, file.info.Frames)
				if !errors.Is(err, ErrGPU) || !strings.Contains(err.Error(), reason) {
					t.Errorf("decoding: %v", err)
				}
				g.Failed(err)
			}
			if g.Decodes(t.Context(), file) {
				t.Error("it is tried for ever")
			}
		})
	}
}

func TestMessagesOfTheGPUAreNotLost(t *testing.T) {
	for said, trouble := range map[string]bool{
		"": false, "[h264 @ 0x55d0] mmco: unref short failure": false,
		"[hevc @ 0x55d0] hardware accelerator failed to decode picture\nError while decoding stream #0:0: Generic error": true,
		"[h264 @ 0x55d0] No decoder surfaces left": true,
	} {
		if err := gpuTrouble(said); (err != nil) != trouble {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func TestEncoderOfTheGPUIsOneThatWorks(t *testing.T) {
	for _, c := range []struct {
		kind    gputest.Kind
		codec   string
		bits    int
		encoder string
	}{
		{gputest.Exact, "", 8, "h264_nvenc"}, {gputest.Exact, "", 10, "hevc_nvenc"}, {gputest.Exact, "hevc", 8, "hevc_nvenc"},
		{gputest.Absent, "", 8, "libx264"}, {gputest.Absent, "", 10, "libx265"},
	} {
		t.Run(c.encoder, func(t *testing.T) {
			gputest.Use(t, c.kind)
			if _, got, err := ChooseEncoder(t.Context(), c.codec, GPUEncoder, c.bits); err != nil || got != c.encoder {
				t.Errorf("%s, %d bits: %s, %v", c.codec, c.bits, got, err)
			}
		})
	}
	gputest.Use(t, gputest.Absent)
	oneLine(t, tryEncoder(t.Context(), "h264", "h264_nvenc", 8), "")
}
