package cli

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/report"
)

// twoShots makes a film of two shots with a cut at frame 20 of 45.
func twoShots(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ffmpeg(t, dir, "-f lavfi -i testsrc2=s=160x90:d=0.8:r=25 -f lavfi -i mandelbrot=s=160x90:r=25 -filter_complex '[1]trim=end_frame=25,setpts=PTS-STARTPTS[b];[0][b]concat=n=2:v=1[v]' -map '[v]' -pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 2 -g 12 film.mkv")
	return filepath.Join(dir, "film.mkv")
}

func TestProbeListsTheScenesThatConvertLists(t *testing.T) {
	film := twoShots(t)
	dir := filepath.Dir(film)
	for _, ending := range []string{".csv", ".json", ".edl", ".ffmeta"} {
		converted, probed := filepath.Join(dir, "converted"+ending), filepath.Join(dir, "probed"+ending)
		mustConvert(t, film, filepath.Join(dir, "out.mp4"), "--depth", "classic", "-y", "--scenes", converted)
		r := stereospot(t, "probe", film, "--scenes", "-o", probed, "--segment-frames", "7")
		if r.code != exitDone || !strings.Contains(r.out, "00:00:00.800, frame 20: 25 frames, 1.000 s") {
			t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
		}
		if got, want := readFile(t, probed), readFile(t, converted); !bytes.Equal(got, want) {
			t.Errorf("%s: probe wrote\n%s\nand convert\n%s", ending, got, want)
		}
	}
	var f struct{ Scenes []report.Scene }
	if r := stereospot(t, "probe", film, "--scenes", "--json"); json.Unmarshal([]byte(r.out), &f) != nil || len(f.Scenes) != 2 || f.Scenes[1].First != 20 {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
}

func TestChaptersOfTheSceneListAreWhatFFmpegReads(t *testing.T) {
	film := twoShots(t)
	dir := filepath.Dir(film)
	if r := stereospot(t, "probe", film, "--scenes", "-o", filepath.Join(dir, "scenes.ffmeta")); r.code != exitDone {
		t.Fatal(r.err)
	}
	ffmpeg(t, dir, "-i film.mkv -i scenes.ffmeta -map_chapters 1 -c copy chapters.mkv")
	p := probeFile(t, filepath.Join(dir, "chapters.mkv"))
	if len(p.Chapters) != 2 || seconds(t, p.Chapters[1].Start) != 0.8 {
		t.Errorf("%+v", p.Chapters)
	}
}

func TestProbeRefusesAListOfScenesThatItCannotWrite(t *testing.T) {
	film := tinyFilm(t)
	there := filepath.Join(filepath.Dir(film), "there.csv")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"ask for it with --scenes": {"-o", filepath.Join(t.TempDir(), "new.csv")},
		".edl or .ffmeta":          {"--scenes", "-o", film},
		"exists":                   {"--scenes", "-o", there},
	} {
		if r := stereospot(t, append([]string{"probe", film}, args...)...); r.code == exitDone || !strings.Contains(r.err, want) {
			t.Errorf("%v: exit %d: %s", args, r.code, r.err)
		}
	}
}

// TestPreviewScalesThePictureAsConvertDoes: disparity is a share of the width, so that of the doubled picture is the double.
func TestPreviewScalesThePictureAsConvertDoes(t *testing.T) {
	film := tinyFilm(t) // 64×36
	dir := filepath.Dir(film)
	for height, want := range map[string]string{"0": "-0.6 px (far) to +0.6 px (near)", "144": "-2.6 px (far) to +2.6 px (near)"} {
		sheet := filepath.Join(dir, height+".png")
		r := stereospot(t, "preview", film, "--depth", "classic", "--height", height, "-o", sheet)
		if r.code != exitDone || !strings.Contains(r.out, want) {
			t.Errorf("--height %s: exit %d: %s%s", height, r.code, r.out, r.err)
		}
		if _, err := png.Decode(bytes.NewReader(readFile(t, sheet))); err != nil {
			t.Error(err)
		}
	}
}
