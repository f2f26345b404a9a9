package media

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// testSource is a film at 24 frames per second on a clock of 12800 ticks.
func testSource() *Source {
	v := Video{CodedWidth: 64, CodedHeight: 64, Width: 64, Height: 64, Bits: 8, TimeBase: Rational{1, 12288}, FrameRate: Rational{24, 1}, SAR: Rational{1, 1}}
	return &Source{Path: "/films/film.mp4", Format: "mov,mp4,m4a,3gp,3g2,mj2", Duration: 100, Video: v}
}

// testTimeline has n frames of 512 ticks, an entry every gop frames, and B-frames: each odd frame is
// stored after the even one that follows it.
func testTimeline(n, gop int) *Timeline {
	tl := &Timeline{LastDuration: 512, Packets: map[int]int{0: n}}
	for i := range n {
		tl.PTS = append(tl.PTS, int64(i)*512)
		position := i
		if i%2 == 1 && i+1 < n {
			position = i + 1
		} else if i%2 == 0 && i > 0 {
			position = i - 1
		}
		tl.Order = append(tl.Order, int32(position))
		if i%gop == 0 {
			tl.Entries = append(tl.Entries, Entry{Frame: i, Packet: position})
		}
	}
	return tl
}

func mustPlan(t *testing.T, src *Source, tl *Timeline, o PlanOptions) *Plan {
	t.Helper()
	p, err := NewPlan(src, tl, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.check(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSegmentsAreBalancedAndCoverEveryFrameOnce(t *testing.T) {
	for frames := 1; frames < 200; frames += 7 {
		for length := 1; length < 60; length += 5 {
			p := mustPlan(t, testSource(), testTimeline(frames, 12), PlanOptions{SegmentFrames: length, Support: 3})
			shortest, longest := frames, 0
			for _, s := range p.Segments {
				shortest, longest = min(shortest, s.Frames), max(longest, s.Frames)
			}
			if longest > length || longest-shortest > 1 {
				t.Errorf("%d frames in segments of %d: from %d to %d", frames, length, shortest, longest)
			}
		}
	}
}

func TestSegmentFilesHoldThePacketsThatTheirFramesNeed(t *testing.T) {
	tl := testTimeline(100, 12)
	p := mustPlan(t, testSource(), tl, PlanOptions{SegmentFrames: 9, Support: 4})
	for _, s := range p.Segments {
		in, out := p.Lead(s)
		if in != min(4, s.First) || out != min(4, 100-s.First-s.Frames) {
			t.Errorf("segment %d has leads of %d and %d frames", s.Index, in, out)
		}
		if s.FileFirst%12 != 0 || s.First-in-s.FileFirst >= 12 {
			t.Errorf("segment %d starts at frame %d, no or not the nearest entry before %d", s.Index, s.FileFirst, s.First-in)
		}
		for f := s.FileFirst; f < s.FileFirst+s.FileFrames; f++ {
			if at := int(tl.Order[f]); at < s.PacketFirst || at >= s.PacketFirst+s.Packets {
				t.Errorf("segment %d lacks frame %d", s.Index, f)
			}
		}
	}
}

func TestPartOfASourceStartsAtItsFirstFrame(t *testing.T) {
	src, tl := testSource(), testTimeline(240, 24)
	for _, c := range []struct {
		start, duration float64
		first, frames   int
	}{
		{0, 0, 0, 240}, {0, 1, 0, 24}, {2, 0, 48, 192}, {2, 1, 48, 24}, {2.01, 0.5, 49, 12}, {9.9, 100, 238, 2}, {1.0 / 24, 1.0 / 24, 1, 1},
	} {
		p := mustPlan(t, src, tl, PlanOptions{SegmentFrames: 7, Support: 3, Start: c.start, Duration: c.duration})
		want := tl.PTS[c.first : c.first+c.frames]
		if !slices.Equal(p.PTS(), want) {
			t.Errorf("%v + %v: frames %d from %d, want %d from %d", c.start, c.duration, p.Frames(), p.Times.At(0), c.frames, want[0])
			continue
		}
		if c.start > 0 && p.Origin != want[0] || c.start == 0 && p.Origin != 0 {
			t.Errorf("%v + %v: origin %d", c.start, c.duration, p.Origin)
		}
		if p.Partial != (c.frames != 240) || p.End() != want[c.frames-1]+512 {
			t.Errorf("%v + %v: partial %v, ends at %d", c.start, c.duration, p.Partial, p.End())
		}
	}
}

func TestPartBeyondTheEndIsRefused(t *testing.T) {
	_, err := NewPlan(testSource(), testTimeline(24, 12), PlanOptions{SegmentFrames: 7, Start: 60})
	oneLine(t, err, "")
}

func TestOnlyStreamsWithoutAZeroHaveTheirStartAsOrigin(t *testing.T) {
	src, tl := testSource(), testTimeline(24, 12)
	src.Start = 1.5
	if p := mustPlan(t, src, tl, PlanOptions{SegmentFrames: 7}); p.Origin != 0 {
		t.Errorf("MP4 that starts late has origin %d", p.Origin)
	}
	src.Format = "mpegts"
	if p := mustPlan(t, src, tl, PlanOptions{SegmentFrames: 7}); p.Origin != 18432 {
		t.Errorf("transport stream has origin %d, want 18432", p.Origin)
	}
}

func TestTenThousandSegmentsArePlannedAndReadBack(t *testing.T) {
	p := mustPlan(t, testSource(), testTimeline(1_440_000, 240), PlanOptions{SegmentFrames: 144, Support: 12})
	if len(p.Segments) != 10_000 {
		t.Fatalf("%d segments", len(p.Segments))
	}
	roundTrip(t, p)
}

func roundTrip(t *testing.T, p *Plan) {
	t.Helper()
	data, err := EncodePlan(p)
	if err != nil {
		t.Fatal(err)
	}
	q, err := DecodePlan(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := EncodePlan(q)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Errorf("plan changes when it is read back: %.300s, then %.300s", data, again)
	}
	if !slices.Equal(p.PTS(), q.PTS()) || !slices.Equal(p.Segments, q.Segments) {
		t.Error("frames or segments change when the plan is read back")
	}
}

func TestPlanIsTheSameEachTime(t *testing.T) {
	path := caseNamed("opengop.mkv").source(t)
	var first []byte
	for range 2 {
		data, err := EncodePlan(planned(t, path, PlanOptions{SegmentFrames: 10, Support: 3}))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, data) {
			t.Error("two plans of one source differ")
		}
		first = data
	}
}

func TestFilmOfConstantRateNeedsFewBytes(t *testing.T) {
	data, err := NewTimes(testTimeline(200_000, 240).PTS).MarshalJSON()
	if err != nil || len(data) > 100 {
		t.Errorf("timestamps need %d bytes (%v)", len(data), err)
	}
}

func TestTimesGiveBackWhatTheyWereMadeOf(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 300; n += 13 {
		pts := make([]int64, n)
		at := int64(-5000)
		for i := range pts {
			at += 1 + int64(random.IntN(3))*random.Int64N(1000)
			pts[i] = at
		}
		times := NewTimes(pts)
		if !slices.Equal(times.All(), pts) || times.Len() != n {
			t.Fatalf("%d timestamps change", n)
		}
		for i := range pts {
			if times.At(i) != pts[i] {
				t.Fatalf("timestamp %d of %d is %d, want %d", i, n, times.At(i), pts[i])
			}
		}
	}
}

func TestRescaleRoundsLikeFFmpeg(t *testing.T) {
	for _, c := range [][4]int64{ // a·b/c = want
		{1001, 1000, 30000, 33}, {-1001, 1000, 30000, -33}, {1, 1, 2, 1}, {-1, 1, 2, -1}, {3, 1, 2, 2}, {0, 5, 7, 0},
		{math.MaxInt64, 1000, 1, math.MaxInt64}, {math.MinInt64, 1000, 1, -math.MaxInt64}, {math.MaxInt64, 1, math.MaxInt64, 1},
	} {
		if got := rescale(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%d·%d/%d = %d, want %d", c[0], c[1], c[2], got, c[3])
		}
	}
}

func TestDamagedPlansAreRefused(t *testing.T) {
	data, err := EncodePlan(mustPlan(t, testSource(), testTimeline(100, 12), PlanOptions{SegmentFrames: 30, Support: 3}))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"version":1`, `"version":9`}, {`"times":[0,512,100]`, `"times":[0,512,99]`}, {`"times":[0,512,100]`, `"times":[0,0,100]`},
		{`"times":[0,512,100]`, `"times":[0,9000000000000000000,100]`}, {`"frames":25`, `"frames":-25`}, {`"first":25`, `"first":26`},
		{`"file_first":12`, `"file_first":24`}, {`"packets":`, `"packets":-`}, {`"time_base":{"num":1,"den":12288},"times"`, `"time_base":{"num":1,"den":0},"times"`},
	} {
		if !strings.Contains(string(data), change[0]) {
			t.Errorf("plan has no %s: %s", change[0], data)
			continue
		}
		if _, err := DecodePlan([]byte(strings.Replace(string(data), change[0], change[1], 1))); err == nil {
			t.Errorf("takes %s", change[1])
		}
	}
}

func FuzzDecodePlan(f *testing.F) {
	for _, n := range []int{1, 100} {
		p, err := NewPlan(testSource(), testTimeline(n, 12), PlanOptions{SegmentFrames: 30, Support: 3})
		if err != nil {
			f.Fatal(err)
		}
		data, err := EncodePlan(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"version":1,"times":[0,1,200000000]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodePlan(data)
		if err != nil || p.Frames() > 10_000 {
			return
		}
		roundTrip(t, p)
		for _, s := range p.Segments {
			_ = p.info(s)
		}
	})
}
