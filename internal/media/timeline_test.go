package media

import (
	"errors"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestEntriesAreOnlyWhereDecodingIsExact(t *testing.T) {
	for name, want := range map[string][]int{
		"cfr25.mp4":       {0, 12, 24, 36},
		"opengop.mp4":     {0, 12, 24, 36},
		"opengop.mkv":     {0, 12, 24, 36},
		"opengop.ts":      {0, 12, 24, 36},
		"opengop.m2ts":    {0, 12, 24, 36},
		"hevc.mp4":        {0, 12, 24, 36},
		"hevc.ts":         {0, 12, 24, 36},
		"beheaded.ts":     {0, 12, 24},
		"beheadedhevc.ts": {0, 12, 24},
		"mpeg2.ts":        {0, 12, 24, 36},
		"vp9.webm":        {0, 12, 24, 36},
		"refresh.mp4":     {0}, // its other key packets begin a gradual refresh
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tl, err := measure(t, caseNamed(name).source(t))
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, e := range tl.Entries {
				got = append(got, e.Frame)
			}
			if !slices.Equal(got, want) || tl.NotCopyable != "" {
				t.Errorf("entries at %v %s, want %v", got, tl.NotCopyable, want)
			}
		})
	}
}

// TestRefreshSourceHasKeyPacketsThatAreNoEntries holds what the test above stands on: FFmpeg does call the starts of gradual
// refreshes key packets.
func TestRefreshSourceHasKeyPacketsThatAreNoEntries(t *testing.T) {
	src, err := Probe(t.Context(), caseNamed("refresh.mp4").source(t))
	if err != nil {
		t.Fatal(err)
	}
	table, err := readPackets(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for _, p := range table.video {
		if p.key {
			keys++
		}
	}
	if keys < 3 {
		t.Errorf("%d key packets", keys)
	}
}

func TestPacketsOfEveryStreamAreCounted(t *testing.T) {
	path := caseNamed("opengop.mp4").source(t)
	tl, err := measure(t, path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "packet=stream_index", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]int{}
	for _, stream := range strings.Fields(string(list)) {
		want[int(stream[0]-'0')]++
	}
	if !maps.Equal(tl.Packets, want) || len(want) != 2 || want[0] != testFrames {
		t.Errorf("packets %v, want %v", tl.Packets, want)
	}
}

func TestPacketLinesAreReadAsFFprobeWritesThem(t *testing.T) {
	for line, want := range map[string]packet{
		"512,512,106,3837,_D":             {pts: 512, duration: 512, size: 106, pos: 3837, timed: true, hidden: true},
		"133200,3600,2900,564,K_,":        {pts: 133200, duration: 3600, size: 2900, pos: 564, timed: true, key: true},
		"-1024,N/A,7,N/A,KD":              {pts: -1024, size: 7, pos: -1, timed: true, key: true, hidden: true},
		"N/A,1,7,5,__":                    {duration: 1, size: 7, pos: 5},
		"9223372036854775807,1,-3,5,___,": {duration: 1, pos: 5},
	} {
		got, err := parsePacket([]byte(line))
		if err != nil || got != want {
			t.Errorf("%s gives %+v (%v), want %+v", line, got, err, want)
		}
	}
	if _, err := parsePacket([]byte("1,2,3")); err == nil {
		t.Error("takes three columns")
	}
}

func TestFramesWithoutTheirOwnTimeGetOneBetweenTheirNeighbours(t *testing.T) {
	src := testSource() // 512 ticks a frame
	no := unknownTime
	for _, c := range []struct{ given, want []int64 }{
		{[]int64{0, 512, 1024}, []int64{0, 512, 1024}},
		{[]int64{no, no, 1024}, []int64{0, 512, 1024}},
		{[]int64{0, no, 1024}, []int64{0, 512, 1024}},
		{[]int64{0, no, no, 90}, []int64{0, 30, 60, 90}},
		{[]int64{0, 0, 1024}, []int64{0, 512, 1024}},
		{[]int64{0, 512, no}, []int64{0, 512, 1024}},
		{[]int64{no, no}, []int64{0, 512}},
		{[]int64{0, 512, 500, 1536}, []int64{0, 512, 1024, 1536}},
	} {
		got := slices.Clone(c.given)
		if err := repairTimes(src, got); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v become %v (%v), want %v", c.given, got, err, c.want)
		}
	}
	oneLine(t, repairTimes(src, []int64{0, 100_000, 200}), "")
}

func TestTimesThatCopiesCannotKeepAreTold(t *testing.T) {
	at := func(pts ...int64) (video []packet) {
		for _, p := range pts {
			video = append(video, packet{pts: p, timed: true, size: 100})
		}
		return video
	}
	hide := func(video []packet, i int) []packet { video[i].hidden = true; return video }
	src := testSource()
	src.Video.TimeBase = Rational{1, 1000}
	jump := make([]int64, 200)
	for i := range jump {
		jump[i] = int64((i + 100) % 200 * 40)
	}
	for _, c := range []struct {
		video []packet
		says  string
	}{
		{at(0, 40, 80), ""},
		{at(0, 120, 40, 80), ""},
		{at(0, 1, 80), "less than 2 ms apart"},
		{at(0, 40, 40), "less than 2 ms apart"},
		{at(jump...), "its clock jumps"},
		{hide(at(-40, 0, 40), 0), ""},
		{hide(at(0, 40, 80), 1), "hides frames in the middle"},
	} {
		shown, hidden := order(c.video)
		if got := unfitTimes(src, c.video, shown, hidden); !strings.Contains(got, c.says) || (c.says == "") != (got == "") {
			t.Errorf("%+v: %q, want %q", c.video[:3], got, c.says)
		}
	}
}

func TestPacketsThatAreNoFramesAreTold(t *testing.T) {
	good := packet{pts: 1, timed: true, key: true, size: 100}
	for _, c := range []struct {
		codec, fields string
		p             packet
		says          string
	}{
		{"h264", "progressive", good, ""},
		{"h264", "tt", good, "interlaced"},
		{"mpeg2video", "tt", good, ""},
		{"vp8", "", good, "can't be shown"},
		{"h264", "", packet{size: 100}, "no timestamp"},
		{"mjpeg", "", packet{timed: true}, "placeholders"},
		{"mpeg4", "", packet{timed: true, size: 8}, "placeholders"},
	} {
		src := testSource()
		src.Video.Codec, src.Video.FieldOrder = c.codec, c.fields
		if got := unfit(src, []packet{good, c.p}); !strings.Contains(got, c.says) || (c.says == "") != (got == "") {
			t.Errorf("%s %+v: %q, want %q", c.codec, c.p, got, c.says)
		}
	}
}

func TestSourceThatChangesAfterPlanningIsRefused(t *testing.T) {
	plan := planned(t, caseNamed("opengop.mp4").source(t), PlanOptions{SegmentFrames: 10, Support: 3})
	for _, other := range []string{"cfr50.mp4", "short.mp4"} {
		dir := t.TempDir()
		err := Split(t.Context(), caseNamed(other).source(t), plan, func(Segment, string) error { return nil }, dir)
		oneLine(t, err, "")
		left, _ := readDirNames(dir)
		if len(left) > 0 {
			t.Errorf("leaves %v", left)
		}
	}
}

func TestSplitEndsWhenItsSinkFails(t *testing.T) {
	path, dir := caseNamed("opengop.mp4").source(t), t.TempDir()
	plan := planned(t, path, PlanOptions{SegmentFrames: 5, Support: 3})
	full := errors.New("the store is full")
	calls := 0
	err := Split(t.Context(), path, plan, func(Segment, string) error {
		if calls++; calls == 2 {
			return full
		}
		return nil
	}, dir)
	left, _ := readDirNames(dir)
	if !errors.Is(err, full) || calls != 2 || len(left) > 0 {
		t.Errorf("gives %v after %d calls and leaves %v", err, calls, left)
	}
}

func FuzzParsePacket(f *testing.F) {
	f.Add("512,512,106,3837,_D")
	f.Add("N/A,N/A,N/A,N/A,K_,,")
	f.Add("-9223372036854775808,1,1,1,K")
	f.Fuzz(func(t *testing.T, line string) {
		p, err := parsePacket([]byte(line))
		if err == nil && (p.size < 0 || p.pos < -1<<60 || !p.timed && p.pts != 0) {
			t.Errorf("%q gives %+v", line, p)
		}
		if pts, ok, err := parseFrame([]byte(line)); err == nil && ok && pts != unknownTime && (pts > 1<<60 || pts < -1<<60) {
			t.Errorf("%q gives %d", line, pts)
		}
	})
}

func FuzzRepairTimes(f *testing.F) {
	f.Add([]byte{0, 10, 255, 30})
	f.Add([]byte{255, 255, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		pts := make([]int64, len(data))
		for i, b := range data {
			if pts[i] = int64(b) * 1000; b == 255 {
				pts[i] = unknownTime
			}
		}
		if len(pts) == 0 || repairTimes(testSource(), pts) != nil {
			return
		}
		if err := NewTimes(pts).check(); err != nil {
			t.Errorf("%v becomes %v", data, pts)
		}
	})
}
