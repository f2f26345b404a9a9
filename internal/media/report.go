package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// probeReport is what ffprobe says in JSON. Every field may be missing.
type probeReport struct {
	Frames   []probeFrame      `json:"frames"`
	Streams  []probeStream     `json:"streams"`
	Chapters []json.RawMessage `json:"chapters"`
	Format   struct {
		Name     string            `json:"format_name"`
		Start    lenientFloat      `json:"start_time"`
		Duration lenientFloat      `json:"duration"`
		Tags     map[string]string `json:"tags"`
	} `json:"format"`
}

type probeStream struct {
	Index          int               `json:"index"`
	Codec          string            `json:"codec_name"`
	Kind           string            `json:"codec_type"`
	Width          int               `json:"width"`
	Height         int               `json:"height"`
	SampleAspect   lenientRatio      `json:"sample_aspect_ratio"`
	PixelFormat    string            `json:"pix_fmt"`
	ColorRange     string            `json:"color_range"`
	ColorSpace     string            `json:"color_space"`
	ColorTransfer  string            `json:"color_transfer"`
	ColorPrimaries string            `json:"color_primaries"`
	ChromaLocation string            `json:"chroma_location"`
	FieldOrder     string            `json:"field_order"`
	RealRate       lenientRatio      `json:"r_frame_rate"`
	AverageRate    lenientRatio      `json:"avg_frame_rate"`
	TimeBase       lenientRatio      `json:"time_base"`
	Channels       int               `json:"channels"`
	SampleRate     lenientFloat      `json:"sample_rate"`
	ID             string            `json:"id"`
	Packets        lenientFloat      `json:"nb_read_packets"`
	Disposition    map[string]int    `json:"disposition"`
	Tags           map[string]string `json:"tags"`
	SideData       []probeSideData   `json:"side_data_list"`
}

type probeFrame struct {
	Kind           string          `json:"media_type"`
	Stream         int             `json:"stream_index"`
	PixelFormat    string          `json:"pix_fmt"`
	ColorRange     string          `json:"color_range"`
	ColorSpace     string          `json:"color_space"`
	ColorTransfer  string          `json:"color_transfer"`
	ColorPrimaries string          `json:"color_primaries"`
	ChromaLocation string          `json:"chroma_location"`
	SideData       []probeSideData `json:"side_data_list"`
}

type probeSideData struct {
	Type          string       `json:"side_data_type"`
	DisplayMatrix string       `json:"displaymatrix"`
	Rotation      lenientFloat `json:"rotation"`
	RedX          lenientRatio `json:"red_x"`
	RedY          lenientRatio `json:"red_y"`
	GreenX        lenientRatio `json:"green_x"`
	GreenY        lenientRatio `json:"green_y"`
	BlueX         lenientRatio `json:"blue_x"`
	BlueY         lenientRatio `json:"blue_y"`
	WhiteX        lenientRatio `json:"white_point_x"`
	WhiteY        lenientRatio `json:"white_point_y"`
	MinLuminance  lenientRatio `json:"min_luminance"`
	MaxLuminance  lenientRatio `json:"max_luminance"`
	MaxContent    lenientFloat `json:"max_content"`
	MaxAverage    lenientFloat `json:"max_average"`
}

// parseReport reads ffprobe's JSON. A field of another type than expected counts as missing.
func parseReport(data []byte) (*probeReport, error) {
	r := new(probeReport)
	err := json.Unmarshal(data, r)
	if mismatch := (*json.UnmarshalTypeError)(nil); err != nil && !errors.As(err, &mismatch) {
		return nil, fmt.Errorf("ffprobe's description can't be read: %w", err)
	}
	return r, nil
}

// firstFrame returns the first decoded frame of a video stream, or nil.
func (r *probeReport) firstFrame(stream int) *probeFrame {
	for i, f := range r.Frames {
		if f.Kind == "video" && f.Stream == stream {
			return &r.Frames[i]
		}
	}
	return nil
}

// lenientFloat reads 1.5, "1.5" and "N/A"; what is no finite number is 0.
type lenientFloat float64

func (f *lenientFloat) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	*f = lenientFloat(v)
	return nil
}

// lenientRatio reads "30000/1001", "4:3" and "0/0"; what is no fraction of positive denominator is 0/1.
type lenientRatio Rational

func (r *lenientRatio) UnmarshalJSON(data []byte) error {
	*r = lenientRatio{Den: 1}
	s := strings.Trim(string(data), `"`)
	i := strings.IndexAny(s, "/:")
	if i < 0 {
		return nil
	}
	num, err1 := strconv.ParseInt(s[:i], 10, 64)
	den, err2 := strconv.ParseInt(s[i+1:], 10, 64)
	if err1 == nil && err2 == nil && den > 0 {
		*r = lenientRatio{Num: num, Den: den}
	}
	return nil
}

// in returns the ratio in the given fraction of 1, rounded.
func (r lenientRatio) in(unit int64) int64 {
	if r.Den <= 0 || r.Num < 0 {
		return 0
	}
	return rescale(r.Num, unit, r.Den)
}

// hdr10 gathers static HDR metadata, or returns nil when there is none.
func hdr10(list []probeSideData) *HDR10 {
	var h HDR10
	for _, d := range list {
		switch d.Type {
		case "Mastering display metadata":
			h.HasMastering = true
			h.Red = [2]int64{d.RedX.in(50000), d.RedY.in(50000)}
			h.Green = [2]int64{d.GreenX.in(50000), d.GreenY.in(50000)}
			h.Blue = [2]int64{d.BlueX.in(50000), d.BlueY.in(50000)}
			h.White = [2]int64{d.WhiteX.in(50000), d.WhiteY.in(50000)}
			h.MinLuminance, h.MaxLuminance = d.MinLuminance.in(10000), d.MaxLuminance.in(10000)
		case "Content light level metadata":
			h.MaxCLL, h.MaxFALL = int64(d.MaxContent), int64(d.MaxAverage)
		}
	}
	if h == (HDR10{}) {
		return nil
	}
	return &h
}

// parseDisplayMatrix reads ffprobe's rows "00000000: a b u" of a display matrix (ISO/IEC 14496-12, 8.3.2: x' = ax + cy,
// y' = bx + dy) and returns the clockwise turn and the mirroring after it. Matrices that don't map
// the axes onto the axes are not exact and give no turn.
func parseDisplayMatrix(s string) (rotation int, flip, exact bool) {
	var m [2][2]int64
	row := 0
	for line := range strings.Lines(s) {
		_, values, ok := strings.Cut(line, ":")
		fields := strings.Fields(values)
		if !ok || len(fields) < 2 || row > 1 {
			continue
		}
		for i := range 2 {
			m[row][i], _ = strconv.ParseInt(fields[i], 10, 64)
		}
		row++
	}
	return turn(sign(m[0][0]), sign(m[0][1]), sign(m[1][0]), sign(m[1][1]))
}

func sign(v int64) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// turn names the eight ways to lay a picture on its axes.
func turn(a, b, c, d int) (rotation int, flip, exact bool) {
	flip = a*d-b*c < 0
	if flip { // undo the mirroring: x' changes its sign
		a, c = -a, -c
	}
	switch [4]int{a, b, c, d} {
	case [4]int{1, 0, 0, 1}:
		return 0, flip, true
	case [4]int{0, 1, -1, 0}:
		return 90, flip, true
	case [4]int{-1, 0, 0, -1}:
		return 180, flip, true
	case [4]int{0, -1, 1, 0}:
		return 270, flip, true
	}
	return 0, false, false
}
