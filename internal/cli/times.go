package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseTime reads seconds ("90", "12.5") or clock time ("1:30", "0:10:00.5"); empty is 0.
func parseTime(flag, s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return 0, usagef("%s is %q: use seconds or hh:mm:ss", flag, s)
	}
	total := 0.0
	for i, part := range parts {
		v, err := strconv.ParseFloat(part, 64)
		minor := i > 0 && v >= 60                                // minutes and seconds after a colon
		fraction := i < len(parts)-1 && v != math.Trunc(v)       // only seconds may have one
		signed := strings.ContainsAny(part, "+-eExXpP_infINFnN") // ParseFloat takes more than a clock shows
		if err != nil || minor || fraction || signed {
			return 0, usagef("%s is %q: use seconds or hh:mm:ss", flag, s)
		}
		total = total*60 + v
	}
	return total, nil
}

// clock writes a duration as people read it on a progress line: 42s, 3m05s, 1h02m.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}
