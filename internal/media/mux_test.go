package media

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// description is what ffprobe says of a file.
type description struct {
	Streams []struct {
		Index       int
		Kind        string            `json:"codec_type"`
		Codec       string            `json:"codec_name"`
		Aspect      string            `json:"sample_aspect_ratio"`
		Range       string            `json:"color_range"`
		Transfer    string            `json:"color_transfer"`
		Disposition map[string]int    `json:"disposition"`
		Tags        map[string]string `json:"tags"`
		SideData    []map[string]any  `json:"side_data_list"`
	}
	Chapters []struct {
		Start string            `json:"start_time"`
		Tags  map[string]string `json:"tags"`
	}
	Format struct{ Tags map[string]string }
}

func probeFinal(t *testing.T, path string) (p description) {
	t.Helper()
	if err := json.Unmarshal([]byte(run(t, "ffprobe", "-v", "error", "-show_streams", "-show_chapters", "-show_format", "-of", "json", path)), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// kinds lists a file's streams as "audio aac eng".
func (p description) kinds() []string {
	var list []string
	for _, s := range p.Streams {
		list = append(list, strings.TrimSpace(s.Kind+" "+s.Codec+" "+s.Tags["language"]))
	}
	return list
}

// heard is a packet of sound as ffprobe, which no code under test runs for this, sees it.
type heard struct {
	Stream int    `json:"stream_index"`
	Time   string `json:"pts_time"`
	Hash   string `json:"data_hash"`
}

// soundOf returns the packets of every sound track.
func soundOf(t *testing.T, path string) [][]heard {
	t.Helper()
	var got struct{ Packets []heard }
	out := run(t, "ffprobe", "-v", "error", "-select_streams", "a", "-show_packets", "-show_data_hash", "sha256", "-of", "json", path)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	var tracks [][]heard
	number := map[int]int{}
	for _, p := range got.Packets {
		if _, ok := number[p.Stream]; !ok {
			number[p.Stream] = len(tracks)
			tracks = append(tracks, nil)
		}
		tracks[number[p.Stream]] = append(tracks[number[p.Stream]], p)
	}
	// Interleaving may show the tracks in another order than the streams have.
	slices.SortFunc(tracks, func(a, b []heard) int { return a[0].Stream - b[0].Stream })
	return tracks
}

// sameSound holds a film's sound against the source's, shifted by origin seconds.
func sameSound(t *testing.T, final, source string, origin float64) {
	t.Helper()
	got, want := soundOf(t, final), soundOf(t, source)
	if len(got) != len(want) {
		t.Fatalf("%d sound tracks, want %d", len(got), len(want))
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Errorf("track %d has %d packets, want %d", i, len(got[i]), len(want[i]))
			continue
		}
		for k, w := range want[i] {
			if got[i][k].Hash != w.Hash {
				t.Errorf("track %d packet %d differs", i, k)
				break
			}
			var is, should float64
			fmt.Sscan(got[i][k].Time, &is)
			fmt.Sscan(w.Time, &should)
			if math.Abs(is-(should-origin)) > 0.00101 {
				t.Errorf("track %d packet %d at %v s, want %v s", i, k, is, should-origin)
				break
			}
		}
	}
}

// film is a source that sound and company are carried from.
type film struct {
	name      string
	args      []string
	container string // the automatic one, which alone is tried; empty: both
}

const filmFrames = 30

func films() []film {
	picture := cat([]string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=64x36:r=25:d=%.2f", filmFrames/25.0)})
	sine := func(seconds string) []string { return []string{"-f", "lavfi", "-t", seconds, "-i", "sine=r=48000"} }
	video := with(x264, "-g", "10", "-bf", "2")
	return []film{
		{name: "priming.aac.mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "aac"})},
		{name: "ac3.mkv", container: "mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "ac3"})},
		{name: "eac3.mp4", container: "mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "eac3"})},
		{name: "mp3.mp4", container: "mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "libmp3lame"})},
		{name: "mp3.avi", args: cat(picture, sine("1.2"), []string{"-c:v", "mpeg4", "-c:a", "libmp3lame"})},
		{name: "opus.webm", args: cat(picture, sine("1.2"), []string{"-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-c:a", "libopus"})},
		{name: "vorbis.webm", container: "mkv", args: cat(picture, sine("1.2"), []string{"-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-c:a", "libvorbis"})},
		{name: "flac.mkv", container: "mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "flac"})},
		{name: "truehd.mkv", container: "mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "truehd", "-strict", "-2"})},
		{name: "dts.mkv", container: "mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "dca", "-strict", "-2"})},
		{name: "alac.mov", container: "mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "alac"})},
		{name: "pcm.avi", container: "mkv", args: cat(picture, sine("1.2"), []string{"-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"})},
		{name: "pcm.mov", container: "mkv", args: cat(picture, sine("1.2"), video, []string{"-c:a", "pcm_s24be"})},
		{name: "wma.asf", container: "mkv", args: cat(picture, sine("1.2"), []string{"-c:v", "mpeg4", "-c:a", "wmav2"})},
		{name: "adpcm.avi", container: "mkv", args: cat(picture, sine("1.2"), []string{"-c:v", "mpeg4", "-c:a", "adpcm_ms"})},
		{name: "mp2.ts", args: cat(picture, sine("1.2"), video, []string{"-c:a", "mp2"})},
		{name: "ac3.offset.ts", container: "mp4", args: cat(picture, sine("1.2"), video, []string{"-c:a", "ac3", "-output_ts_offset", "3723.6"})},
		{name: "longer.mkv", container: "mp4", args: cat(picture, sine("3"), video, []string{"-c:a", "ac3"})},
		{name: "shorter.mp4", args: cat(picture, sine("0.3"), video, []string{"-c:a", "aac"})},
		{name: "later.mkv", args: cat(picture, []string{"-itsoffset", "0.37"}, sine("1"), video, []string{"-c:a", "flac"})},
		{name: "video.later.mp4", args: cat([]string{"-itsoffset", "0.31"}, picture, sine("1.2"), video, []string{"-c:a", "aac"})},
		{name: "two.mkv", args: cat(picture, sine("1.2"), sine("1"), video, []string{"-map", "0", "-map", "1", "-map", "2", "-c:a:0", "aac", "-c:a:1", "ac3",
			"-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:a:1", "title=Kommentar"})},
	}
}

// converted returns two segments of converted video with so many frames in all: what they show doesn't matter here.
func converted(t *testing.T, frames int) (outputs []SegmentOutput) {
	for _, n := range []int{frames / 2, frames - frames/2} {
		path := sources.file(t, fmt.Sprintf("converted%d.mp4", n), func(path string) error {
			return ffmpeg(append(cat(scene("64x36", "25", n), x264, []string{"-bf", "2", "-write_btrt", "0"}), path)...)
		})
		outputs = append(outputs, SegmentOutput{Path: path, Frames: n})
	}
	return outputs
}

// zeroOf is the time in a source that is 0 in the film: transport streams begin anywhere.
func zeroOf(src *Source) float64 {
	if src.Format == "mpegts" {
		return src.Start
	}
	return 0
}

// source makes the film's file.
func (f film) source(t *testing.T) string {
	return sources.file(t, "film."+f.name, func(path string) error { return ffmpeg(append(f.args, path)...) })
}

func TestSoundIsCarriedByteForByteAtItsTime(t *testing.T) {
	for _, f := range films() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			path := f.source(t)
			plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 1})
			outputs := converted(t, plan.Frames())
			for _, container := range []string{"mp4", "mkv"} {
				if auto := AutoContainer(&plan.Source); f.container != "" && auto != f.container {
					t.Errorf("automatic container is %s, want %s", auto, f.container)
				}
				if f.container != "" && f.container != container {
					continue
				}
				sameSound(t, assemble(t, path, plan, outputs, container, Mono), path, zeroOf(&plan.Source))
			}
		})
	}
}

// TestBroadcastAACLosesItsWrapping: ADTS headers belong to transport streams, not into MP4 and Matroska. FFmpeg unwraps
// for comparison.
func TestBroadcastAACLosesItsWrapping(t *testing.T) {
	path := film{name: "aac.ts", args: cat([]string{"-f", "lavfi", "-t", "0.4", "-i", "sine=r=48000"}, scene("64x36", "25", 10), x264, []string{"-c:a", "aac"})}.source(t)
	plain := filepath.Join(t.TempDir(), "plain.mkv")
	if err := ffmpeg(append(append([]string{"-copyts", "-i", path, "-map", "0:a", "-c", "copy"}, timesKept...), plain)...); err != nil {
		t.Fatal(err)
	}
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 1})
	for _, container := range []string{"mp4", "mkv"} {
		sameSound(t, assemble(t, path, plan, converted(t, plan.Frames()), container, Mono), plain, plan.Source.Start)
	}
}

// TestPlainSoundKeepsItsSamples converts uncompressed sound that Matroska lacks a form for.
func TestPlainSoundKeepsItsSamples(t *testing.T) {
	f := film{name: "float.mov", args: cat(scene("64x36", "25", 10), x264)}
	f.args = cat([]string{"-f", "lavfi", "-t", "0.4", "-i", "anoisesrc=r=48000:seed=3"}, f.args, []string{"-c:a", "pcm_f32be"})
	path := f.source(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 1})
	final := assemble(t, path, plan, converted(t, plan.Frames()), "mkv", Mono)
	samples := func(path string) string {
		return run(t, "ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-c:a", "pcm_f32le", "-f", "md5", "-")
	}
	if got, want := samples(final), samples(path); got != want {
		t.Errorf("samples %s, want %s", got, want)
	}
}

// TestSoundFromBeforeTheFilmKeepsItsPlace cuts a film whose sound starts long before 0, by an edit list.
func TestSoundFromBeforeTheFilmKeepsItsPlace(t *testing.T) {
	path := caseNamed("trimmed.mp4").source(t)
	first := soundOf(t, path)[0][0].Time
	if !strings.HasPrefix(first, "-0.4") {
		t.Fatalf("the source's sound starts at %s s", first)
	}
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 1})
	for _, container := range []string{"mp4", "mkv"} {
		sameSound(t, assemble(t, path, plan, converted(t, plan.Frames()), container, Mono), path, 0)
	}
}

// rich makes a film with all that can come along: two languages, two kinds of subtitles, chapters, a font, a
// cover, a title and a turned picture.
func rich(t *testing.T) string {
	return sources.file(t, "rich.mkv", func(path string) error {
		dir := filepath.Dir(path)
		write := func(name, content string) string {
			p := filepath.Join(dir, name)
			if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			return p
		}
		srt := write("rich.srt", "1\n00:00:00,200 --> 00:00:00,600\nHello\n\n2\n00:00:00,800 --> 00:00:01,100\nWorld\n")
		ass := write("rich.ass", "[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Sans,20\n"+
			"[Events]\nFormat: Layer, Start, End, Style, Text\nDialogue: 0,0:00:00.10,0:00:00.90,Default,{\\b1}Hallo{\\b0}\n")
		meta := write("rich.meta", ";FFMETADATA1\ntitle=A Film\nartist=Nobody\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1200\ntitle=Two\n")
		font := write("rich.ttf", "no font, but bytes")
		cover := filepath.Join(dir, "rich.jpg")
		if err := ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", cover); err != nil {
			return err
		}
		return ffmpeg(cat([]string{"-f", "lavfi", "-i", "testsrc2=s=64x36:r=25:d=1.2", "-f", "lavfi", "-t", "1.2", "-i", "sine=r=48000", "-i", srt, "-i", ass, "-i", meta,
			"-map", "0", "-map", "1", "-map", "1", "-map", "2", "-map", "3", "-map_metadata", "4", "-map_chapters", "4"}, x264,
			[]string{"-c:a", "aac", "-c:s:0", "srt", "-c:s:1", "ass", "-metadata:s:v:0", "language=jpn", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre",
				"-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger", "-disposition:a:1", "default", "-disposition:a:0", "0",
				"-attach", font, "-metadata:s:t:0", "mimetype=font/ttf", "-metadata:s:t:0", "filename=rich.ttf",
				"-attach", cover, "-metadata:s:t:1", "mimetype=image/jpeg", "-metadata:s:t:1", "filename=cover.jpg", path})...)
	})
}

func TestEverythingElseComesAlong(t *testing.T) {
	path := rich(t)
	plan := planned(t, path, PlanOptions{SegmentFrames: 1000, Support: 1})
	outputs := converted(t, plan.Frames())
	for container, want := range map[string][]string{
		"mp4": {"video h264 jpn", "audio aac eng", "audio aac fre", "subtitle mov_text eng", "subtitle mov_text ger", "video mjpeg"},
		"mkv": {"video h264 jpn", "audio aac eng", "audio aac fre", "subtitle subrip eng", "subtitle ass ger", "attachment", "video mjpeg"},
	} {
		final := assemble(t, path, plan, outputs, container, SideBySide)
		p := probeFinal(t, final)
		got := slices.DeleteFunc(p.kinds(), func(s string) bool { return strings.HasPrefix(s, "data bin_data") }) // MP4's chapter names
		if !slices.Equal(got, want) {
			t.Errorf("%s: streams %q, want %q", container, got, want)
		}
		if p.Streams[2].Disposition["default"] != 1 || p.Streams[1].Disposition["default"] != 0 {
			t.Errorf("%s: default tracks are lost: %+v", container, p.Streams)
		}
		if p.Format.Tags["title"] != "A Film" || len(p.Chapters) != 2 || p.Chapters[1].Start != "0.500000" || p.Chapters[1].Tags["title"] != "Two" {
			t.Errorf("%s: tags %v, chapters %+v", container, p.Format.Tags, p.Chapters)
		}
		if got, want := subtitles(t, final), subtitles(t, path); got != want || !strings.Contains(got, "Hello") {
			t.Errorf("%s: subtitles are\n%s\nwant\n%s", container, got, want)
		}
		sameSound(t, final, path, 0)
	}
}

// subtitles returns the first text track with its times.
func subtitles(t *testing.T, path string) string {
	return run(t, "ffmpeg", "-v", "error", "-copyts", "-i", path, "-map", "0:s:0", "-f", "srt", "-")
}

func TestCarrySaysWhatIsLost(t *testing.T) {
	path := rich(t)
	src, err := Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for container, want := range map[string]string{"mp4": "ass (ger): rewritten, without its styling|attachment: left out, MP4 has no attachments", "mkv": ""} {
		_, warnings := Carry(src, container)
		if want == "" && len(warnings) > 0 {
			t.Errorf("%s warns %q", container, warnings)
		}
		for _, part := range strings.Split(want, "|") {
			if !strings.Contains(strings.Join(warnings, "\n"), part) {
				t.Errorf("%s: warnings %q lack %q", container, warnings, part)
			}
		}
	}
	for _, c := range []struct {
		stream    Stream
		container string
		fate      Fate
	}{
		{Stream{Kind: "subtitle", Codec: "hdmv_pgs_subtitle"}, "mp4", LeftOut},
		{Stream{Kind: "subtitle", Codec: "hdmv_pgs_subtitle"}, "mkv", Copied},
		{Stream{Kind: "subtitle", Codec: "dvb_teletext"}, "mkv", LeftOut},
		{Stream{Kind: "subtitle", Codec: "mov_text"}, "mkv", Rewritten},
		{Stream{Kind: "audio", Codec: "aac_latm", SampleRate: 48000, Channels: 2}, "mkv", LeftOut},
		{Stream{Kind: "audio", Codec: "aac"}, "mp4", LeftOut},
		{Stream{Kind: "audio", Codec: "pcm_bluray", SampleRate: 48000, Channels: 2}, "mkv", Rewritten},
		{Stream{Kind: "audio", Codec: "pcm_s16le", SampleRate: 48000, Channels: 2}, "mp4", LeftOut},
		{Stream{Kind: "data", Codec: "bin_data"}, "mkv", LeftOut},
		{Stream{Kind: "video", Codec: "h264"}, "mkv", LeftOut},
		{Stream{Kind: "video", Codec: "bmp", AttachedPic: true}, "mkv", LeftOut},
	} {
		streams, warnings := Carry(&Source{Video: Video{Stream: 9}, Streams: []Stream{c.stream}}, c.container)
		if streams[0].Fate != c.fate || c.fate == LeftOut && len(warnings) != 1 {
			t.Errorf("%s %s in %s: %v, %q", c.stream.Kind, c.stream.Codec, c.container, streams[0], warnings)
		}
	}
}
