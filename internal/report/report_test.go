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
