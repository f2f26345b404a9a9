package media

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pieces encodes n frames in segments of about equal length.
func pieces(t *testing.T, codec string, n, segments int) (outputs []SegmentOutput) {
	t.Helper()
	for i := range segments {
		frames := (i+1)*n/segments - i*n/segments
		path := sources.file(t, fmt.Sprintf("piece.%s.%d.%d.mp4", codec, frames, i), func(path string) error {
			r := small(codec, 8)
			r.Path, r.Preset = path, "veryfast"
			encodeFrames(t, r, rawFrames(r.Width, r.Height, 8, n)[:frames])
			return nil
		})
		outputs = append(outputs, SegmentOutput{Path: path, Frames: frames})
	}
	return outputs
}

// shown returns when and what a decoder shows of a file: times in seconds, hashes of pictures.
func shown(t *testing.T, path string) (times []float64, sums []string) {
	t.Helper()
	for _, s := range strings.Fields(run(t, "ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0", path)) {
		at, err := strconv.ParseFloat(strings.TrimRight(s, ","), 64)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, at)
	}
	for line := range strings.Lines(run(t, "ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-")) {
		if line[0] != '#' {
			fields := strings.Split(line, ",")
			sums = append(sums, strings.TrimSpace(fields[len(fields)-1]))
		}
	}
	return times, sums
}

// clocks are kinds of timestamps that sources have, for n frames.
func clocks(n int) map[string]*Plan {
	steps := func(from int64, step func(i int) int64) Times {
		pts := []int64{from}
		for i := 1; i < n; i++ {
			pts = append(pts, pts[i-1]+step(i))
		}
		return NewTimes(pts)
	}
	even := func(step int64) func(int) int64 { return func(int) int64 { return step } }
	jitter := func(i int) int64 { return []int64{3003, 1, 9009, 2990, 3016, 90000}[i*7%6] }
	return map[string]*Plan{
		"constant":               {TimeBase: Rational{1, 30000}, Times: steps(0, even(1001)), LastDuration: 1001},
		"ticks of 1001/30000":    {TimeBase: Rational{1001, 30000}, Times: steps(0, even(1)), LastDuration: 1},
		"variable":               {TimeBase: Rational{1, 90000}, Times: steps(0, jitter), LastDuration: 5000},
		"starts late":            {TimeBase: Rational{1, 90000}, Times: steps(123457, jitter), LastDuration: 3000},
		"origin of a stream":     {TimeBase: Rational{1, 90000}, Times: steps(8589934000, jitter), Origin: 8589933000, LastDuration: 3000},
		"starts before 0":        {TimeBase: Rational{1, 1000}, Times: steps(-40, even(40)), LastDuration: 40},
		"very fine":              {TimeBase: Rational{1, 10_000_000}, Times: steps(333667, even(333667)), LastDuration: 333667},
		"nanoseconds and a wait": {TimeBase: Rational{1, 1_000_000_000}, Times: steps(0, func(i int) int64 { return int64(i) * 1_000_000_007 }), LastDuration: 1},
	}
}

// TestFramesGetTheirTimestampsBack joins pieces under each kind of clock and lets FFmpeg say what is shown when.
func TestFramesGetTheirTimestampsBack(t *testing.T) {
	const n = 14
	var want []string
	for _, piece := range pieces(t, "h264", n, 3) {
		_, sums := shown(t, piece.Path)
		want = append(want, sums...)
	}
	for name, plan := range clocks(n) {
		for _, container := range []string{"mp4", "mkv"} {
			if container == "mkv" && (name == "very fine" || strings.HasPrefix(name, "ticks")) {
				continue // alike on a clock of milliseconds
			}
			t.Run(name+" "+container, func(t *testing.T) {
				t.Parallel()
				plan := *plan
				plan.Video = Video{Width: 64, Height: 36, SAR: Rational{1, 1}}
				times, sums := shown(t, assemble(t, "", &plan, pieces(t, "h264", n, 3), container, Mono))
				if !slices.Equal(sums, want) {
					t.Errorf("%d pictures differ from the pieces' %d", len(sums), len(want))
				}
				checkShown(t, &plan, container, times)
			})
		}
	}
}

func checkShown(t *testing.T, plan *Plan, container string, times []float64) {
	t.Helper()
	if len(times) != plan.Frames() {
		t.Fatalf("%d frames, want %d", len(times), plan.Frames())
	}
	tolerance := 1e-6 // FFmpeg prints microseconds
	if container == "mkv" {
		tolerance = 0.00051
	}
	zero := min(plan.Origin, plan.Times.At(0))
	for i, is := range times {
		if should := float64(plan.Times.At(i)-zero) * plan.TimeBase.Float(); math.Abs(is-should) > tolerance {
			t.Fatalf("frame %d is shown at %.6f s, want %.6f s", i, is, should)
		}
	}
}

// TestAnyNumberOfSegmentsGivesTheSameFilm joins 1 to 7 segments of both codecs.
func TestAnyNumberOfSegmentsGivesTheSameFilm(t *testing.T) {
	const n = 14
	for _, codec := range []string{"h264", "hevc"} {
		for segments := 1; segments <= 7; segments++ {
			if codec == "hevc" && segments%3 != 1 {
				continue
			}
			t.Run(fmt.Sprint(codec, segments), func(t *testing.T) {
				t.Parallel()
				plan := *clocks(n)["variable"]
				plan.Video = Video{Width: 64, Height: 36, SAR: Rational{1, 1}}
				outputs := pieces(t, codec, n, segments)
				var want []string
				for _, o := range outputs {
					_, sums := shown(t, o.Path)
					want = append(want, sums...)
				}
				times, sums := shown(t, assemble(t, "", &plan, outputs, "mp4", TopBottom))
				if !slices.Equal(sums, want) {
					t.Errorf("%d pictures differ from the pieces' %d", len(sums), len(want))
				}
				checkShown(t, &plan, "mp4", times)
			})
		}
	}
}

func TestOneFrameMakesAFilm(t *testing.T) {
	for _, codec := range []string{"h264", "hevc"} {
		plan := *clocks(1)["starts late"]
		plan.Video = Video{Width: 64, Height: 36, SAR: Rational{1, 1}}
		times, _ := shown(t, assemble(t, "", &plan, pieces(t, codec, 1, 1), "mp4", SideBySide))
		checkShown(t, &plan, "mp4", times)
	}
}

// TestIndexMovesToTheFrontWhenItsRoomIsTooSmall promises fewer chapters than none, so that too little room is left.
func TestIndexMovesToTheFrontWhenItsRoomIsTooSmall(t *testing.T) {
	plan := *clocks(14)["variable"]
	plan.Video = Video{Width: 64, Height: 36, SAR: Rational{1, 1}}
	plan.Source.Chapters = -64
	final := readAll(t, assemble(t, "", &plan, pieces(t, "h264", 14, 2), "mp4", Mono))
	if moov, mdat := strings.Index(string(final), "moov"), strings.Index(string(final), "mdat"); moov < 0 || mdat < moov {
		t.Errorf("moov at %d, mdat at %d", moov, mdat)
	}
}

func TestPausesTooLongForMP4AreNamed(t *testing.T) {
	plan := &Plan{TimeBase: Rational{1, 90000}, Times: NewTimes([]int64{0, 1 << 33}), LastDuration: 1, Video: Video{Width: 64, Height: 36, SAR: Rational{1, 1}}}
	_, err := Assemble(t.Context(), AssembleRequest{Plan: plan, Segments: pieces(t, "h264", 2, 1), Container: "mp4", Output: filepath.Join(t.TempDir(), "final.mp4")})
	oneLine(t, err, "")
	if err != nil && !strings.Contains(err.Error(), "pause after frame 0") {
		t.Error(err)
	}
}
