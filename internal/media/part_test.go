package media

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestChosenPartsKeepTheirOwnSound(t *testing.T) {
	const seconds = 24
	base := cat([]string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=64x36:r=25:d=%d", seconds), "-f", "lavfi", "-t", strconv.Itoa(seconds), "-i", "sine=r=48000"},
		x264, []string{"-g", "50", "-bf", "2"})
	for _, f := range []film{
		{name: "part.mp4", args: with(base, "-c:a", "aac")},
		{name: "part.mkv", args: with(base, "-c:a", "ac3")},
		{name: "part.ts", args: with(base, "-c:a", "mp2")},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			path := f.source(t)
			plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 1, Start: 15, Duration: 2})
			for _, container := range []string{"mp4", "mkv"} {
				final := assemble(t, path, plan, converted(t, plan.Frames()), container, Mono)
				checkPart(t, path, final, plan)
			}
		})
	}
}

// checkPart looks for exactly the packets that begin within the part, moved to its beginning.
func checkPart(t *testing.T, source, final string, plan *Plan) {
	t.Helper()
	lo := float64(plan.Origin) * plan.TimeBase.Float()
	hi := float64(plan.End()) * plan.TimeBase.Float()
	var want []heard
	for _, p := range soundOf(t, source)[0] {
		if at, _ := strconv.ParseFloat(p.Time, 64); at >= lo-1e-6 && at < hi {
			want = append(want, p)
		}
	}
	got := soundOf(t, final)[0]
	if d := len(got) - len(want); d < -1 || d > 1 { // one may lie on the border, within rounding
		t.Fatalf("%d packets of sound, want %d", len(got), len(want))
	}
	first, _ := strconv.ParseFloat(want[0].Time, 64)
	is, _ := strconv.ParseFloat(got[0].Time, 64)
	if got[0].Hash != want[0].Hash || math.Abs(is-(first-lo)) > 0.00101 {
		t.Errorf("first packet at %v s, want %v s", is, first-lo)
	}
}

func TestChosenPartsKeepTheirOwnTextAndChapters(t *testing.T) {
	path := rich(t) // text at 0.2 to 0.6 and 0.8 to 1.1 seconds, chapters from 0 and 0.5
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 1, Start: 0.7, Duration: 0.3})
	for _, container := range []string{"mp4", "mkv"} {
		final := assemble(t, path, plan, converted(t, plan.Frames()), container, Mono)
		if text := subtitles(t, final); strings.Contains(text, "Hello") || !strings.Contains(text, "World") {
			t.Errorf("%s: subtitles are\n%s", container, text)
		}
		if p := probeFinal(t, final); len(p.Chapters) != 1 || p.Chapters[0].Tags["title"] != "Two" || p.Chapters[0].Start != "0.000000" {
			t.Errorf("%s: chapters %+v", container, p.Chapters)
		}
	}
}

// TestFinalTagsAreReadByOthers reads HDR10, pixel shapes and rotation from finals with ffprobe, mediainfo and mkvinfo.
func TestFinalTagsAreReadByOthers(t *testing.T) {
	path := caseNamed("hdr10.mkv").source(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 3})
	outputs := reencode(t, path, plan, SideBySideHalf)
	for _, container := range []string{"mp4", "mkv"} {
		said := run(t, "mediainfo", assemble(t, path, plan, outputs, container, SideBySideHalf))
		for _, want := range []string{"SMPTE ST 2086", "Maximum Content Light Level", "1000 cd/m2", "BT.2020", "PQ", "Limited"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: mediainfo says no %q in\n%s", container, want, said)
			}
		}
		if container == "mkv" && !strings.Contains(said, "Side by Side") {
			t.Errorf("mediainfo finds no stereo mode in\n%s", said)
		}
		if container == "mkv" {
			continue
		}
		p := probeFinal(t, assemble(t, path, plan, outputs, container, SideBySideHalf))
		kinds := fmt.Sprint(p.Streams[0].SideData)
		for _, want := range []string{"Mastering display metadata", "Content light level metadata", "Stereo 3D"} {
			if !strings.Contains(kinds, want) {
				t.Errorf("ffprobe finds no %q: %s", want, kinds)
			}
		}
	}
	turned := caseNamed("rotated90.mp4").source(t)
	plan = planned(t, turned, PlanOptions{SegmentFrames: 1000, Support: 3})
	for _, container := range []string{"mp4", "mkv"} {
		p := probeFinal(t, assemble(t, turned, plan, converted(t, plan.Frames()), container, Mono))
		if p.Streams[0].Tags["rotate"] != "" || len(p.Streams[0].SideData) > 0 {
			t.Errorf("%s: the upright film is turned again: %+v", container, p.Streams[0])
		}
	}
}

// TestHalfFormatsShowWholeViewsInMatroska reads the shape in which one view is displayed, which is the source's.
func TestHalfFormatsShowWholeViewsInMatroska(t *testing.T) {
	plan := *clocks(14)["constant"]
	plan.Video = Video{Width: 64, Height: 36, SAR: Rational{1, 1}}
	for _, layout := range []Layout{SideBySideHalf, TopBottomHalf} {
		said := run(t, "mkvinfo", "--ui-language", "en_US", assemble(t, "", &plan, pieces(t, "h264", 14, 1), "mkv", layout))
		var w, h int
		for line := range strings.Lines(said) {
			fmt.Sscanf(strings.TrimLeft(line, "| +"), "Display width: %d", &w)
			fmt.Sscanf(strings.TrimLeft(line, "| +"), "Display height: %d", &h)
		}
		if w*36 != h*64 || w == 0 {
			t.Errorf("%s: a view is shown in %d:%d", layout, w, h)
		}
		if cues, cluster := strings.Index(said, "+ Cues"), strings.Index(said, "+ Cluster"); cues < 0 || cues > cluster {
			t.Errorf("%s: the index doesn't come first", layout)
		}
	}
}

// TestRareSubtitlesDoNotTearSoundFromPicture has one subtitle near the end of a film. Sound and picture of the same moment
// must lie close to each other in the file, or players stall and the muxer holds minutes of it in memory.
func TestRareSubtitlesDoNotTearSoundFromPicture(t *testing.T) {
	text := write(t, t.TempDir(), "late.srt", "1\n00:00:22,000 --> 00:00:23,000\nEnd\n")
	path := film{name: "late.mkv", args: cat([]string{"-f", "lavfi", "-i", "testsrc2=s=64x36:r=25:d=24", "-f", "lavfi", "-t", "24", "-i", "sine=r=48000", "-i", text},
		x264, []string{"-c:a", "ac3", "-c:s", "srt"})}.source(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 1})
	for _, container := range []string{"mp4", "mkv"} {
		final := assemble(t, path, plan, converted(t, plan.Frames()), container, Mono)
		if d := farthest(t, final); d > 2 {
			t.Errorf("%s: sound and picture are %.1f s apart in the file", container, d)
		}
	}
}

// farthest returns by how many seconds sound and picture that stand side by side in a file differ.
func farthest(t *testing.T, path string) (seconds float64) {
	t.Helper()
	type packet struct {
		pos  int64
		kind string
		at   float64
	}
	var packets []packet
	for _, line := range strings.Fields(run(t, "ffprobe", "-v", "error", "-show_entries", "packet=codec_type,pts_time,pos", "-of", "csv=p=0", path)) {
		fields := strings.Split(line, ",")
		pos, err1 := strconv.ParseInt(fields[2], 10, 64)
		at, err2 := strconv.ParseFloat(fields[1], 64)
		if err1 == nil && err2 == nil {
			packets = append(packets, packet{pos, fields[0], at})
		}
	}
	slices.SortFunc(packets, func(a, b packet) int { return int(a.pos - b.pos) })
	last := map[string]float64{}
	for _, p := range packets {
		last[p.kind] = p.at
		if len(last) > 1 {
			seconds = max(seconds, math.Abs(last["video"]-last["audio"]))
		}
	}
	return seconds
}
