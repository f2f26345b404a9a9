package report

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/stereo"
)

const filmFrames = 2000

// figure says of frame i of a film that it has all points at one parallax, which grows.
func figure(i int) stereo.Figures {
	p := -1 + 2*float64(i)/(filmFrames-1)
	f := stereo.Figures{
		Cut: i%500 == 0, Convergence: 0.5, Least: p, Low: p, Median: p, High: p, Most: p, AskedLow: p, AskedHigh: p, LeftCut: p, RightCut: -1,
	}
	f.Histogram[min(int((p+1)/2*stereo.FigureBins), stereo.FigureBins-1)] = 1000
	return f
}

func segment(from, to int) Segment {
	s := Segment{Request: "r", From: -1, To: 1}
	for i := from; i < to; i++ {
		s.Frames = append(s.Frames, figure(i))
	}
	return s
}

func build(pieces ...int) *Report {
	b := NewBuilder(filmFrames, func(i int) float64 { return float64(i) / 25 }, job.DefaultOptions().Stereo)
	for i := range len(pieces) - 1 {
		b.Add(pieces[i], segment(pieces[i], pieces[i+1]))
	}
	return b.Report()
}

func TestReportOfPiecesIsThatOfTheWhole(t *testing.T) {
	whole := build(0, filmFrames)
	if pieces := build(0, 7, 999, 1000, filmFrames); !reflect.DeepEqual(pieces, whole) {
		t.Error("the report of pieces differs")
	}
}

func TestFilmIsDepthlessOnlyIfEveryFrameIsKnownToBeFlat(t *testing.T) {
	const frames = 4
	flat := stereo.Figures{Least: -0.2, Low: -0.2, Median: -0.2, High: -0.19, Most: -0.19, AskedLow: -0.2, AskedHigh: -0.19}
	small, held := flat, flat
	small.Most = 0.5 // a few points, as a title on black has
	held.AskedHigh = 0.5
	usual, subtle, none := job.StereoOptions{Divergence: 2}, job.StereoOptions{Divergence: 0.05}, job.StereoOptions{}
	for _, c := range []struct {
		name    string
		options job.StereoOptions
		frames  []stereo.Figures
		want    bool
	}{
		{"flat", usual, []stereo.Figures{flat, flat, flat, flat}, true},
		{"one frame has a little", usual, []stereo.Figures{flat, flat, small, flat}, false},
		{"limits make it flat", usual, []stereo.Figures{held, held, held, held}, false},
		{"a frame isn't known", usual, []stereo.Figures{flat, flat, flat}, false},
		{"hardly any is asked for", subtle, []stereo.Figures{flat, flat, flat, flat}, false},
		{"none is asked for", none, []stereo.Figures{{}, {}, {}, {}}, false},
	} {
		b := NewBuilder(frames, func(i int) float64 { return float64(i) }, c.options)
		b.Add(0, Segment{Frames: c.frames[:2]})
		b.Add(2, Segment{Frames: c.frames[2:]})
		if r := b.Report(); r.Depthless() != c.want {
			t.Errorf("%s: %d of %d frames are flat, depthless: %v", c.name, r.Flat, r.Frames, r.Depthless())
		}
	}
}

func TestReportTellsSpreadComfortAndScenes(t *testing.T) {
	r := build(0, filmFrames)
	for name, v := range map[string][2]float64{
		"min": {r.Parallax.Least, -1}, "1%": {r.Parallax.Low, -0.98}, "median": {r.Parallax.Median, 0}, "99%": {r.Parallax.High, 0.98}, "max": {r.Parallax.Most, 1},
		"seconds": {r.Seconds, 80}, "over near": {r.Comfort.OverNear, 0}, "violations": {r.Comfort.Violations, 0.45},
	} {
		if math.Abs(v[0]-v[1]) > 0.005 {
			t.Errorf("%s: %v, want %v", name, v[0], v[1])
		}
	}
	if len(r.Scenes) != 4 || r.Scenes[3] != (Scene{Number: 4, First: 1500, Frames: 500, Timecode: "00:01:00.000", Seconds: 60, Length: 20}) {
		t.Errorf("%+v", r.Scenes)
	}
	if len(r.Columns) != maxColumns || r.Columns[maxColumns-1].First+r.Columns[maxColumns-1].Frames != filmFrames {
		t.Errorf("%d columns", len(r.Columns))
	}
}

func TestLimitsOfTheJobAreWhatCounts(t *testing.T) {
	o := job.DefaultOptions().Stereo
	o.MaxNear, o.MaxFar = 0.5, 0.75
	b := NewBuilder(filmFrames, func(i int) float64 { return float64(i) }, o)
	b.Add(0, segment(0, filmFrames))
	if c := b.Report().Comfort; !c.Held || math.Abs(c.OverNear-0.25) > 0.001 || math.Abs(c.OverFar-0.125) > 0.001 {
		t.Errorf("%+v", c)
	}
}

func TestLimitOfOneSideIsNotSaidToHoldTheOther(t *testing.T) {
	for want, limits := range map[string][2]float64{
		"25.0% of the frames were held back at 0.50 in front of the screen, 0.0% exceed the advised 2.00 behind it.": {0.5, 0},
		"0.0% of the frames exceed the advised 1.00 in front of the screen, 12.5% were held back at 0.75 behind it.": {0, 0.75},
		"0.0% of the frames exceed the advised 1.00 in front of the screen, 0.0% exceed the advised 2.00 behind it.": {0, 0},
		"25.0% of the frames were held back at 0.50 in front of the screen, 12.5% were held back at 0.75 behind it.": {0.5, 0.75},
	} {
		o := job.DefaultOptions().Stereo
		o.MaxNear, o.MaxFar = limits[0], limits[1]
		b := NewBuilder(filmFrames, func(i int) float64 { return float64(i) }, o)
		b.Add(0, segment(0, filmFrames))
		if said := strings.Join(b.Report().words(), "\n"); !strings.Contains(said, want) {
			t.Errorf("with limits of %v: %s", limits, said)
		}
	}
}

func TestMissingSegmentsLeaveAGap(t *testing.T) {
	b := NewBuilder(filmFrames, func(i int) float64 { return float64(i) }, job.DefaultOptions().Stereo)
	b.Add(0, segment(0, 1000))
	b.Missing(1)
	r := b.Report()
	if !reflect.DeepEqual(r.Missing, []int{1}) || r.Columns[maxColumns/2+1].Known != 0 || r.Parallax.Most > 0.01 {
		t.Errorf("missing %v, most %v", r.Missing, r.Parallax.Most)
	}
	img := r.Picture()
	if at := img.RGBAAt(plotLeft+plotW*3/4, plotTop+plotH*2/3); at != empty {
		t.Errorf("the gap is drawn as %v", at)
	}
}

func TestPictureIsBrightWhereThePointsAre(t *testing.T) {
	r := build(0, filmFrames)
	img := r.Picture()
	p := plot{img: img, low: r.From, high: r.To}
	p.widen()
	for _, i := range []int{200, 900, 1700} {
		x, y := plotLeft+i*plotW/filmFrames, p.y(figure(i).Median)
		if c := img.RGBAAt(x, y); int(c.R)+int(c.G) < 300 {
			t.Errorf("frame %d: %v at its parallax", i, c)
		}
		if c := img.RGBAAt(x, y-60); c != empty && c != ink && c != strain && y-60 > plotTop {
			t.Errorf("frame %d: %v beside it", i, c)
		}
	}
	if _, err := (&Report{}).PNG(); err != nil {
		t.Errorf("a report of nothing: %v", err)
	}
}

func TestScenesAreWrittenForSpreadsheets(t *testing.T) {
	var out bytes.Buffer
	if err := WriteScenesCSV(&out, build(0, filmFrames).Scenes[:2]); err != nil {
		t.Fatal(err)
	}
	want := "scene,frame,frames,timecode,seconds,length\n1,0,500,00:00:00.000,0.000,20.000\n2,500,500,00:00:20.000,20.000,20.000\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

// chapters are two scenes of a film of 25 frames a second, the second of which begins an hour later.
func chapters() []Scene {
	return Scenes([]int{90007}, 90107, func(i int) float64 { return float64(i) / 25 })
}

func TestScenesAreWrittenForEditors(t *testing.T) {
	for ending, want := range map[string]string{
		".edl": "TITLE: SCENES\nFCM: NON-DROP FRAME\n\n001  AX       V     C        00:00:00:00 01:00:00:07 00:00:00:00 01:00:00:07\n" +
			"002  AX       V     C        01:00:00:07 01:00:04:07 01:00:00:07 01:00:04:07\n",
		".ffmeta": ";FFMETADATA1\n\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=3600280\ntitle=Scene 1\n" +
			"\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=3600280\nEND=3604280\ntitle=Scene 2\n",
	} {
		write, err := SceneWriter(ending)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := write(&out, chapters()); err != nil || out.String() != want {
			t.Errorf("%s: %v\n%s", ending, err, out.String())
		}
	}
	if _, err := SceneWriter(".xml"); err == nil || !strings.Contains(err.Error(), ".csv, .json, .edl or .ffmeta") {
		t.Errorf("another ending: %v", err)
	}
}

func TestFilmOfVariableRateHasNoEditDecisionList(t *testing.T) {
	varying := Scenes([]int{50}, 100, func(i int) float64 { return float64(i) * (1 + float64(i)/100) / 25 })
	if err := WriteScenesEDL(&bytes.Buffer{}, varying); err == nil || !strings.Contains(err.Error(), "varies") {
		t.Error(err)
	}
	// 29.97 frames a second, with times that are rounded to milliseconds.
	if err := WriteScenesEDL(&bytes.Buffer{}, Scenes([]int{1001, 5555}, 9000, func(i int) float64 { return float64(i) * 1001 / 30000 })); err != nil {
		t.Error(err)
	}
}

func FuzzParseSegment(f *testing.F) {
	s := segment(3, 5)
	text, err := s.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`{"from":1,"to":0}`)
	f.Add(strings.Replace(string(text), "1000", "-1", 1))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSegment([]byte(text))
		if err != nil {
			return
		}
		b := NewBuilder(10, func(i int) float64 { return float64(i) }, job.DefaultOptions().Stereo)
		b.Add(0, s)
		b.Report().Picture()
	})
}
