package media

import (
	"slices"
	"strings"
	"testing"
)

func TestVerificationSaysWhatDiffers(t *testing.T) {
	path := caseNamed("opengop.mp4").source(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 3})
	final := assemble(t, path, plan, reencode(t, path, plan, SideBySide), "mp4", SideBySide)
	clock, _, err := newClock(plan)
	if err != nil {
		t.Fatal(err)
	}
	sound, err := readFinalSound(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	right := func() expectation {
		track := soundTrack{base: sound[0].base, packets: slices.Clone(sound[0].packets)}
		return expectation{times: slices.Clone(clock.times), scale: clock.scale, sound: []soundTrack{track}, layout: SideBySide, container: "mp4", movieScale: 48000}
	}
	if _, err := verifyFinal(t.Context(), final, right()); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*expectation){
		"frames, want":               func(e *expectation) { e.times = append(e.times, 1<<20) },
		"frame 7 is shown":           func(e *expectation) { e.times[7] += 2 },
		"packets, the source":        func(e *expectation) { e.sound[0].packets = e.sound[0].packets[1:] },
		"another packet 5":           func(e *expectation) { e.sound[0].packets[5].sum++ },
		"packet 6 at":                func(e *expectation) { e.sound[0].packets[6].pts += 200 },
		"1 sound tracks, want 0":     func(e *expectation) { e.sound = nil },
		"stereo tag is":              func(e *expectation) { e.layout = TopBottom },
		"stereo tag is \"side by si": func(e *expectation) { e.layout = Mono },
	} {
		wrong := right()
		spoil(&wrong)
		_, err := verifyFinal(t.Context(), final, wrong)
		oneLine(t, err, "")
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestSoundListsAreRead reads a list as FFmpeg's framecrc muxer writes it, and ones that it doesn't write.
func TestSoundListsAreRead(t *testing.T) {
	const good = "#software: Lavf\n#tb 0: 1/48000\n#media_type 0: audio\n#tb 1: 1/1000\n" +
		"0,      -1024,      -1024,     1024,       23, 0x4f1c00ff, S=1,       10\n1,          0,          0,       24,        5, 0x00000001\n"
	tracks, err := readSound(strings.NewReader(good))
	if err != nil || len(tracks) != 2 || len(tracks[0].packets) != 1 || len(tracks[1].packets) != 1 {
		t.Fatalf("%+v, %v", tracks, err)
	}
	if p := tracks[0].packets[0]; p != (soundPacket{pts: -1024, size: 23, sum: 0x4f1c00ff}) || tracks[0].base != (Rational{1, 48000}) {
		t.Errorf("%+v", tracks[0])
	}
	for _, bad := range []string{"#tb 0: 1/0\n", "#tb 0: x\n", "0, 1, 2, 3, 4, 0x5\n", "#tb 0: 1/5\n1, 0, 0, 1, 1, 0x1\n", "#tb 0: 1/5\n0, 0, 0\n"} {
		if _, err := readSound(strings.NewReader(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func FuzzSoundList(f *testing.F) {
	f.Add([]byte("#tb 0: 1/48000\n0,      -1024,      -1024,     1024,       23, 0x4f1c00ff\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tracks, err := readSound(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		for _, track := range tracks {
			if track.base.Num <= 0 || track.base.Den <= 0 {
				t.Fatalf("time base %v", track.base)
			}
		}
	})
}
