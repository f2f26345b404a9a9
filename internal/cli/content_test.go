package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Everything here reads media through ffprobe and ffmpeg directly, never through the code under test.

// ffmpeg makes a test source; args are separated by spaces, and name the output last.
func ffmpeg(t testing.TB, dir string, args string) {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, splitArgs(args)...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", args, err, out)
	}
}

// splitArgs splits at spaces; a ' quotes.
func splitArgs(s string) []string {
	var args []string
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

func probeJSON(t testing.TB, path string, into any, args ...string) {
	t.Helper()
	cmd := exec.Command("ffprobe", append(append([]string{"-v", "error", "-of", "json"}, args...), path)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffprobe %v %s: %v", args, path, err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

// frameTimes returns the presentation times of all frames that a decoder shows, in seconds. The last frames of an
// AVI with B-frames have none in the file: they go on at the distance of those before.
func frameTimes(t testing.TB, path string) []float64 {
	t.Helper()
	var got struct {
		Frames []struct {
			Time string `json:"best_effort_timestamp_time"`
		}
	}
	probeJSON(t, path, &got, "-select_streams", "v:0", "-show_frames", "-show_entries", "frame=best_effort_timestamp_time")
	var times []float64
	for _, f := range got.Frames {
		if n := len(times); f.Time == "" && n > 1 {
			times = append(times, 2*times[n-1]-times[n-2])
			continue
		}
		times = append(times, seconds(t, f.Time))
	}
	return times
}

func seconds(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("no time: %q", s)
	}
	return v
}

type packet struct {
	at   float64
	hash string
}

// soundPackets returns every audio track's packets in order.
func soundPackets(t testing.TB, path string) [][]packet {
	t.Helper()
	var got struct {
		Packets []struct {
			Stream int    `json:"stream_index"`
			Time   string `json:"pts_time"`
			Hash   string `json:"data_hash"`
		}
	}
	probeJSON(t, path, &got, "-select_streams", "a", "-show_packets", "-show_data_hash", "sha256",
		"-show_entries", "packet=stream_index,pts_time,data_hash")
	var tracks [][]packet
	track := map[int]int{}
	for _, p := range got.Packets {
		i, ok := track[p.Stream]
		if !ok {
			i = len(tracks)
			track[p.Stream] = i
			tracks = append(tracks, nil)
		}
		tracks[i] = append(tracks[i], packet{seconds(t, p.Time), p.Hash})
	}
	return tracks
}

type probed struct {
	Streams []struct {
		Kind        string            `json:"codec_type"`
		Codec       string            `json:"codec_name"`
		Width       int               `json:"width"`
		Height      int               `json:"height"`
		SAR         string            `json:"sample_aspect_ratio"`
		PixelFormat string            `json:"pix_fmt"`
		TimeBase    string            `json:"time_base"`
		Transfer    string            `json:"color_transfer"`
		Tags        map[string]string `json:"tags"`
		SideData    []map[string]any  `json:"side_data_list"`
	}
	Chapters []struct {
		Start string            `json:"start_time"`
		Tags  map[string]string `json:"tags"`
	}
	Format struct {
		Start string `json:"start_time"`
	}
}

func probeFile(t testing.TB, path string) probed {
	t.Helper()
	var p probed
	probeJSON(t, path, &p, "-show_streams", "-show_chapters", "-show_format")
	return p
}

func (p probed) video() int {
	for i, s := range p.Streams {
		if s.Kind == "video" {
			return i
		}
	}
	return -1
}

// decodedHash returns the hash of every decoded frame.
func decodedHash(t testing.TB, path string) []string {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-noautorotate", "-i", path, "-map", "0:v:0", "-vsync", "passthrough", "-f", "framemd5", "-").Output()
	if err != nil {
		t.Fatalf("decode %s: %v", path, err)
	}
	var hashes []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			fields := strings.Split(strings.TrimSpace(line), ",")
			hashes = append(hashes, strings.TrimSpace(fields[len(fields)-1]))
		}
	}
	return hashes
}

// result is what one run of the command line printed and returned.
type result struct {
	code     int
	out, err string
}

func stereospot(t testing.TB, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(context.Background(), args, streams{strings.NewReader(""), &out, &errOut})
	return result{code, out.String(), errOut.String()}
}

// mustConvert converts with settings for speed and fails the test when that fails.
func mustConvert(t testing.TB, in, out string, args ...string) result {
	t.Helper()
	r := stereospot(t, append([]string{"convert", in, "-o", out, "--encoder-preset", "ultrafast"}, args...)...)
	if r.code != exitDone {
		t.Fatalf("convert %s %v: exit %d: %s", filepath.Base(in), args, r.code, r.err)
	}
	return r
}

// sameTimes compares two lists of times with a tolerance in seconds.
func sameTimes(t testing.TB, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d frames, want %d", len(got), len(want))
		return
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > tolerance {
			t.Errorf("frame %d at %.6f s, want %.6f s", i, got[i], want[i])
			return
		}
	}
}
