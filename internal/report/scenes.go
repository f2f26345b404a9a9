package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Scene is a shot: the frames from one cut to the next.
type Scene struct {
	Number   int     `json:"scene"` // from 1
	First    int     `json:"frame"` // number of the first frame, from 0
	Frames   int     `json:"frames"`
	Timecode string  `json:"timecode"` // of the first frame in the result, hh:mm:ss.mmm
	Seconds  float64 `json:"seconds"`  // the same
	Length   float64 `json:"length"`   // seconds
}

// Scenes lists the scenes of a film of so many frames. cuts are the frames that begin a new one, in order, without frame
// 0; times is as NewBuilder takes it.
func Scenes(cuts []int, frames int, times func(frame int) float64) []Scene {
	firsts := append([]int{0}, cuts...)
	scenes := make([]Scene, len(firsts))
	for i, first := range firsts {
		end := frames
		if i+1 < len(firsts) {
			end = firsts[i+1]
		}
		s := &scenes[i]
		s.Number, s.First, s.Frames = i+1, first, end-first
		s.Seconds, s.Length = milli(times(first)), milli(times(end)-times(first))
		s.Timecode = timecode(s.Seconds)
	}
	return scenes
}

// timecode writes seconds as hh:mm:ss.mmm.
func timecode(seconds float64) string {
	ms := int64(math.Round(seconds * 1000))
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
}

// WriteScenesJSON writes the list of scenes as one JSON array.
func WriteScenesJSON(w io.Writer, scenes []Scene) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(scenes)
}

// WriteScenesCSV writes the list of scenes as comma-separated values (RFC 4180), with a line of names.
func WriteScenesCSV(w io.Writer, scenes []Scene) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"scene", "frame", "frames", "timecode", "seconds", "length"}}
	for _, s := range scenes {
		rows = append(rows, []string{
			strconv.Itoa(s.Number), strconv.Itoa(s.First), strconv.Itoa(s.Frames), s.Timecode,
			strconv.FormatFloat(s.Seconds, 'f', 3, 64), strconv.FormatFloat(s.Length, 'f', 3, 64),
		})
	}
	return out.WriteAll(rows)
}

// WriteScenesChapters writes the list of scenes as chapters in FFmpeg's metadata format, which
// `ffmpeg -i film -i scenes.ffmeta -map_chapters 1 -c copy` puts into a film.
func WriteScenesChapters(w io.Writer, scenes []Scene) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, ";FFMETADATA1")
	for _, s := range scenes {
		begin := math.Round(s.Seconds * 1000)
		fmt.Fprintf(out, "\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=%.0f\nEND=%.0f\ntitle=Scene %d\n", begin, begin+math.Round(s.Length*1000), s.Number)
	}
	return out.Flush()
}

// WriteScenesEDL writes the list of scenes as an edit decision list (CMX 3600), which editors cut a film by. Its timecodes
// count frames, without dropping any, so it fails for a film whose frame rate varies.
func WriteScenesEDL(w io.Writer, scenes []Scene) error {
	rate, err := frameRate(scenes)
	if err != nil {
		return err
	}
	nominal := max(1, int(math.Round(rate)))
	code := func(frame int) string {
		s := frame / nominal
		return fmt.Sprintf("%02d:%02d:%02d:%02d", s/3600, s/60%60, s%60, frame%nominal)
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "TITLE: SCENES\nFCM: NON-DROP FRAME\n\n")
	for _, s := range scenes {
		from, to := code(s.First), code(s.First+s.Frames)
		fmt.Fprintf(out, "%03d  AX       V     C        %s %s %s %s\n", s.Number, from, to, from, to)
	}
	return out.Flush()
}

// frameRate returns the frames per second of the film that the scenes make up.
func frameRate(scenes []Scene) (float64, error) {
	last := scenes[len(scenes)-1]
	seconds := last.Seconds + last.Length - scenes[0].Seconds
	if seconds <= 0 {
		return 0, errors.New("a film that lasts no time has no frame rate")
	}
	rate := float64(last.First+last.Frames) / seconds
	for _, s := range scenes {
		// Times are rounded to milliseconds.
		if off := s.Seconds - scenes[0].Seconds - float64(s.First)/rate; math.Abs(off) > 0.5/rate+0.002 {
			return 0, fmt.Errorf("the frame rate varies, and an EDL counts frames: scene %d would be off by %.3f s; use .csv, .json or .ffmeta", s.Number, math.Abs(off))
		}
	}
	return rate, nil
}

// sceneWriters are the formats of the list of scenes by the ending of a file's name.
var sceneWriters = []struct {
	ending string
	write  func(io.Writer, []Scene) error
}{{".csv", WriteScenesCSV}, {".json", WriteScenesJSON}, {".edl", WriteScenesEDL}, {".ffmeta", WriteScenesChapters}}

// SceneWriter returns what writes the list of scenes to files of that ending, or an error that names those there are.
func SceneWriter(ending string) (func(io.Writer, []Scene) error, error) {
	var known []string
	for _, w := range sceneWriters {
		if w.ending == ending {
			return w.write, nil
		}
		known = append(known, w.ending)
	}
	return nil, fmt.Errorf("name it %s or %s", strings.Join(known[:len(known)-1], ", "), known[len(known)-1])
}
