package web

import (
	"fmt"
	"strconv"
	"time"

	"github.com/stereospot/stereospot/internal/job"
)

// byteWords writes a size as people do: "1.4 GB". Units are decimal, as file managers have them.
func byteWords(n int64) string {
	v := float64(n)
	for _, unit := range []string{"bytes", "kB", "MB", "GB"} {
		if v < 1000 {
			return trimmed(v) + " " + unit
		}
		v /= 1000
	}
	return trimmed(v) + " TB"
}

// trimmed writes a number with one decimal where it is small and has one.
func trimmed(v float64) string {
	if v < 10 && v != float64(int64(v)) {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// agoWords says how long before now t was, roughly; a date where that says more.
func agoWords(now, t time.Time) string {
	switch d := now.Sub(t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute") + " ago"
	case d < 24*time.Hour:
		return plural(int(d.Hours()), "hour") + " ago"
	case d < 7*24*time.Hour:
		return plural(int(d.Hours()/24), "day") + " ago"
	}
	return t.Local().Format("2 January 2006")
}

// spanWords says how long something takes, roughly.
func spanWords(seconds int) string {
	switch {
	case seconds < 90:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 90*60:
		return fmt.Sprintf("%d min", (seconds+30)/60)
	}
	return fmt.Sprintf("%d h %02d min", seconds/3600, seconds%3600/60)
}

func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return grouped(n) + " " + word
}

// grouped writes n with commas between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// formatWords returns a format's name and what it is good for.
func formatWords(f job.Format) (name, use string) {
	switch f {
	case job.FullSBS:
		return "Side by side, full", "Headsets, best quality"
	case job.HalfSBS:
		return "Side by side, half", "3D TVs, small files"
	case job.FullTB:
		return "Over-under, full", "Headsets, Bino"
	case job.HalfTB:
		return "Over-under, half", "3D TVs, small files"
	case job.CrossEyed:
		return "Cross-eyed", "Any screen, no glasses"
	case job.Anaglyph:
		return "Red-cyan", "Any screen, red-cyan glasses"
	case job.VR180:
		return "VR180", "Headsets: a cinema around you"
	case job.Depth:
		return "Depth map", "Editing, other programs"
	case job.RGBD:
		return "Picture and depth", "Light-field displays"
	}
	return string(f), ""
}

// stageWords returns a badge's word and tone, and a headline.
func stageWords(s Stage) (state, tone, headline string) {
	switch s {
	case StageUploading:
		return "waiting for its file", "wait", "Waiting for its file"
	case StageReady:
		return "ready to start", "wait", "Ready to start"
	case StageWaiting:
		return "in the queue", "work", "Waiting for its turn"
	case StageSplitting:
		return "splitting", "work", "Measuring and splitting the film"
	case StageConverting:
		return "converting", "work", "Converting"
	case StageJoining:
		return "joining", "work", "Joining the film and checking it"
	case StageDone:
		return "done", "good", "Done"
	case StageFailed:
		return "failed", "bad", "It failed"
	case StageCancelled:
		return "cancelled", "", "Cancelled"
	case StageRemoving:
		return "being removed", "", "Being removed"
	}
	return string(s), "", string(s)
}
