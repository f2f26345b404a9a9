package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written as 500MB, 2GiB or 0.
type Size int64

// units of Size; longer endings first.
var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	number, factor := strings.TrimSpace(string(text)), 1.0
	for _, u := range units {
		if before, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(before), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0) || v*factor > math.MaxInt64/2 {
		return fmt.Errorf("%q is no size: use one such as 500MB, 2GiB or 0", text)
	}
	*s = Size(v * factor)
	return nil
}

// Span is a length of time, written as 90m, 36h, 30d or 0.
type Span time.Duration

const day = 24 * time.Hour

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	number := strings.TrimSpace(string(text))
	if days, ok := strings.CutSuffix(number, "d"); ok {
		v, err := strconv.ParseFloat(days, 64)
		if err != nil || !(v >= 0) || v > 100*365 {
			return badSpan(text)
		}
		*s = Span(v * float64(day))
		return nil
	}
	v, err := time.ParseDuration(number)
	if err != nil || v < 0 {
		return badSpan(text)
	}
	*s = Span(v)
	return nil
}

func badSpan(text []byte) error {
	return fmt.Errorf("%q is no length of time: use one such as 90m, 36h, 30d or 0", text)
}
