package media

import (
	"fmt"
	"runtime"
	"strings"
)

// decodeThreads is how many threads one decoder gets: beyond eight, frame threads cost more memory than they bring.
func decodeThreads() int { return min(runtime.NumCPU(), 8) }

// strictArgs makes FFmpeg's H.264 decoder reorder by what the stream may do instead of guessing from what it
// has done: a wrong guess drops frames at the start of a segment.
func strictArgs(v Video) []string {
	args := []string{"-noautorotate"}
	if v.Codec == "h264" {
		args = append(args, "-strict", "strict")
	}
	return args
}

// processedFormat is the pixel format in which frames are processed: 4:2:0 with 8 or 10 bits. Full range is
// a matter of tags there, also where FFmpeg has a format of its own for it.
func processedFormat(v Video) string {
	if v.Bits == 10 {
		return "yuv420p10le"
	}
	return "yuv420p"
}

// conversion returns the filters that turn stored pictures into the processed format with range and
// matrix kept, or "" when they are in it.
func conversion(v Video) string {
	if v.PixelFormat == processedFormat(v) {
		return ""
	}
	if v.PixelFormat == "yuvj420p" { // the same samples under another name
		return "format=yuvj420p"
	}
	scale := "scale=flags=bicubic+accurate_rnd+full_chroma_int"
	if isRGB(v.PixelFormat) {
		scale += ":out_color_matrix=bt709:out_range=tv"
	} else {
		r := v.Color.Range
		if r == "" {
			r = "tv"
		}
		scale += fmt.Sprintf(":in_range=%s:out_range=%s", r, r)
	}
	return scale + ",format=" + processedFormat(v)
}

// upright returns the filters that turn the stored picture upright, or "".
func upright(v Video) string {
	turn := map[int]string{90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}[v.Rotation]
	if v.Flip {
		return joinFilters(turn, "hflip")
	}
	return turn
}

// joinFilters chains filters; empty ones are left out.
func joinFilters(filters ...string) string {
	var chain []string
	for _, f := range filters {
		if f != "" {
			chain = append(chain, f)
		}
	}
	return strings.Join(chain, ",")
}
