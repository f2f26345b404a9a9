package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
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

// finish fills in what follows from the first frame, and the first of the next scene.
func (s *Scene) finish(number, end int, times func(int) float64) {
	s.Number, s.Frames = number, end-s.First
	s.Seconds = milli(times(s.First))
	s.Length = milli(times(end) - times(s.First))
	s.Timecode = timecode(s.Seconds)
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
