package media

import (
	"strings"
	"testing"
)

func probed(t *testing.T, name string) *Source {
	t.Helper()
	src, err := Probe(t.Context(), caseNamed(name).source(t))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestTurnedPicturesAreDescribedUpright(t *testing.T) {
	for name, want := range map[string]Video{
		"opengop.mp4":    {Rotation: 0, Width: 160, Height: 90},
		"rotated90.mp4":  {Rotation: 90, Width: 90, Height: 160},
		"rotated180.mp4": {Rotation: 180, Width: 160, Height: 90},
		"rotated270.mp4": {Rotation: 270, Width: 90, Height: 160},
		"odd.mkv":        {Rotation: 0, Width: 162, Height: 92},
	} {
		v := probed(t, name).Video
		if v.Rotation != want.Rotation || v.Flip || v.Width != want.Width || v.Height != want.Height {
			t.Errorf("%s: turned by %d, %d×%d, want %d, %d×%d", name, v.Rotation, v.Width, v.Height, want.Rotation, want.Width, want.Height)
		}
	}
}

func TestSampleAspectTurnsWithThePicture(t *testing.T) {
	if sar := probed(t, "anamorphic.mp4").Video.SAR; sar != (Rational{64, 45}) {
		t.Errorf("%v, want 64/45", sar)
	}
	path := sources.file(t, "anamorphic90.mp4", func(p string) error {
		return ffmpeg("-i", caseNamed("anamorphic.mp4").source(t), "-c", "copy", "-metadata:s:v", "rotate=270", p)
	})
	src, err := Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if src.Video.SAR != (Rational{45, 64}) {
		t.Errorf("turned: %v, want 45/64", src.Video.SAR)
	}
}

func TestHDR10IsReadFromTheFirstFrame(t *testing.T) {
	v := probed(t, "hdr10.mkv").Video
	want := HDR10{
		Red: [2]int64{34000, 16000}, Green: [2]int64{13250, 34500}, Blue: [2]int64{7500, 3000}, White: [2]int64{15635, 16450},
		MinLuminance: 1, MaxLuminance: 10000000, HasMastering: true, MaxCLL: 1000, MaxFALL: 400,
	}
	if v.HDR10 == nil || *v.HDR10 != want {
		t.Errorf("HDR10 %+v, want %+v", v.HDR10, want)
	}
	if v.Bits != 10 || v.Color.Transfer != "smpte2084" || v.Color.Primaries != "bt2020" || v.Color.Matrix != "bt2020nc" {
		t.Errorf("%d bits, %+v", v.Bits, v.Color)
	}
}

func TestLanguagesChaptersAndSoundAreListed(t *testing.T) {
	path := sources.file(t, "tracks.mkv", func(p string) error {
		chapters := p + ".txt"
		if err := writeFile(chapters, ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\n"); err != nil {
			return err
		}
		return ffmpeg(cat(tone(25), []string{"-i", chapters, "-i", caseNamed("cfr25.mp4").source(t), "-map", "2", "-map", "0", "-map", "0", "-map_chapters", "1", "-c:v", "copy", "-c:a", "aac", "-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra", "-metadata:s:a:1", "title=Commentary", p})...)
	})
	src, err := Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if src.Chapters != 2 || len(src.Streams) != 3 || src.Streams[1].Language != "deu" || src.Streams[2].Language != "fra" ||
		src.Streams[2].Title != "Commentary" || src.Streams[1].Kind != "audio" || src.Streams[1].SampleRate != 44100 {
		t.Errorf("%d chapters, streams %+v", src.Chapters, src.Streams)
	}
}

func TestCoverPicturesAreNotTheVideo(t *testing.T) {
	jpg := sources.file(t, "cover.jpg", func(p string) error { return ffmpeg(append(scene("48x48", "1", 1), p)...) })
	path := sources.file(t, "withcover.mp4", func(p string) error {
		return ffmpeg("-i", jpg, "-i", caseNamed("opengop.mp4").source(t), "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", p)
	})
	src, err := Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if src.Video.Codec != "h264" || src.Video.CodedWidth != 160 {
		t.Errorf("the video is %s with %d pixels", src.Video.Codec, src.Video.CodedWidth)
	}
	tl, err := ReadTimeline(t.Context(), src)
	if err != nil || len(tl.PTS) != testFrames {
		t.Errorf("%d frames, %v", len(tl.PTS), err)
	}
}

func TestFrameRatesThatCannotBeAreLeftToTheTimestamps(t *testing.T) {
	for _, c := range []struct {
		rates []Rational
		want  Rational
	}{
		{[]Rational{{24000, 1001}, {24, 1}}, Rational{24000, 1001}},
		{[]Rational{{0, 1}, {25, 1}}, Rational{25, 1}},
		{[]Rational{{90000, 1}, {90000, 1}}, Rational{}},
		{[]Rational{{1, 1000}, {1000, 1}}, Rational{}},
		{[]Rational{{-25, 1}, {25, 0}}, Rational{}},
	} {
		if got := sane(c.rates...); got != c.want {
			t.Errorf("%v gives %v, want %v", c.rates, got, c.want)
		}
	}
	src := testSource()
	src.Video.FrameRate = Rational{}
	p := mustPlan(t, src, testTimeline(48, 12), PlanOptions{SegmentFrames: 24})
	if rate := p.Video.FrameRate.Float(); rate < 23.99 || rate > 24.01 {
		t.Errorf("rate from timestamps is %v, want 24", rate)
	}
}

func TestDisplayMatricesNameAllEightTurns(t *testing.T) {
	matrix := func(a, b, c, d string) string {
		return "\n00000000: " + a + " " + b + " 0\n00000001: " + c + " " + d + " 0\n00000002: 0 0 1073741824\n"
	}
	for _, c := range []struct {
		matrix   string
		rotation int
		flip, ok bool
	}{
		{matrix("65536", "0", "0", "65536"), 0, false, true},
		{matrix("0", "65536", "-65536", "0"), 90, false, true},
		{matrix("-65536", "0", "0", "-65536"), 180, false, true},
		{matrix("0", "-65536", "65536", "0"), 270, false, true},
		{matrix("-65536", "0", "0", "65536"), 0, true, true},
		{matrix("0", "65536", "65536", "0"), 90, true, true},
		{matrix("65536", "0", "0", "-65536"), 180, true, true},
		{matrix("0", "-65536", "-65536", "0"), 270, true, true},
		{matrix("46341", "46341", "-46341", "46341"), 0, false, false},
		{"nonsense", 0, false, false},
	} {
		rotation, flip, ok := parseDisplayMatrix(c.matrix)
		if rotation != c.rotation || flip != c.flip || ok != c.ok {
			t.Errorf("%q: %d %v %v, want %d %v %v", c.matrix, rotation, flip, ok, c.rotation, c.flip, c.ok)
		}
	}
}

func TestPixelFormatsAreProcessedWithEightOrTenBits(t *testing.T) {
	for format, want := range map[string]int{
		"yuv420p": 8, "yuvj420p": 8, "nv12": 8, "gray": 8, "rgb24": 8, "bgr0": 8, "rgb565le": 8, "yuv444p": 8, "pal8": 8,
		"yuv420p10le": 10, "yuv422p10le": 10, "yuv444p12le": 10, "p010le": 10, "gray16le": 10, "rgb48le": 10, "gbrpf32le": 10, "yuv420p9be": 10,
	} {
		if got := processedBits(format); got != want {
			t.Errorf("%s: %d bits, want %d", format, got, want)
		}
	}
}

func FuzzParseReport(f *testing.F) {
	f.Add(`{"streams":[{"index":0,"codec_type":"video","width":16,"height":16,"time_base":"1/25","avg_frame_rate":"25/1","side_data_list":[{"side_data_type":"Display Matrix","displaymatrix":"00000000: 0 1 0\n","rotation":90}]}],"format":{"start_time":"1.5","duration":"N/A"}}`)
	f.Add(`{"streams":[{"width":"wide","codec_type":7}],"frames":[{"media_type":"video","side_data_list":[{"side_data_type":"Mastering display metadata","red_x":"1/0"}]}]}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, data string) {
		report, err := parseReport([]byte(data))
		if err != nil {
			return
		}
		src := report.source("film.mp4", 100)
		stream, err := report.pick(src)
		if err != nil {
			return
		}
		src.describe(stream, report.firstFrame(stream.Index))
		if err := src.refuse(); err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		v := src.Video
		if v.Width%2 != 0 || v.Height%2 != 0 || v.Width < v.Height-1 && v.CodedWidth > v.CodedHeight && v.Rotation%180 == 0 || v.SAR.Num <= 0 || v.SAR.Den <= 0 {
			t.Errorf("video %+v", v)
		}
		_ = frameTicks(src)
	})
}
