package cli

import (
	"errors"
	"testing"
	"time"
)

func TestParseTimeReadsSecondsAndClockTime(t *testing.T) {
	for s, want := range map[string]float64{
		"": 0, "0": 0, "90": 90, "12.5": 12.5, "1:30": 90, "0:10:00.5": 600.5, "2:00:00": 7200, "100:00": 6000,
	} {
		got, err := parseTime("--start", s)
		if err != nil || got != want {
			t.Errorf("parseTime(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
}

func TestParseTimeRefusesWhatIsNoTime(t *testing.T) {
	for _, s := range []string{"x", "-1", "1:60", "1:2:3:4", "1.5:00", "NaN", "Inf", "1e3", "0x10", ":", "1:", "+5"} {
		_, err := parseTime("--start", s)
		if !errors.As(err, &usageError{}) {
			t.Errorf("parseTime(%q) gave %v, want a usage error", s, err)
		}
	}
}

func FuzzParseTimeIsNeverNegative(f *testing.F) {
	for _, s := range []string{"", "1:30", "0:10:00.5", "9999999999:59:59", "1..5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := parseTime("--start", s); err == nil && !(v >= 0) {
			t.Errorf("parseTime(%q) = %v", s, v)
		}
	})
}

func TestClockReadsLikeAPersonWouldWriteIt(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0s", 42 * time.Second: "42s", 185 * time.Second: "3m05s", 3725 * time.Second: "1h02m",
	} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %q, want %q", d, got, want)
		}
	}
}
