package job

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// SourceKey returns the input bucket's key of a job's upload.
func SourceKey(id string) string { return "input/" + id + "/source.mp4" }

// PlanKey returns the input bucket's key of a job's plan.
func PlanKey(id string) string { return "segments/" + id + "/plan.json" }

// SegmentKey returns the input bucket's key of segment index of total.
func SegmentKey(id string, index, total int, f Format) string {
	return fmt.Sprintf("segments/%s/%05d_%05d_%s.mp4", id, index, total, f)
}

// OutputKey returns the output bucket's key of converted segment index.
func OutputKey(id string, index int) string {
	return fmt.Sprintf("jobs/%s/segments/%05d.mp4", id, index)
}

// ReportKey returns the output bucket's key of a job's report.
func ReportKey(id string) string { return "jobs/" + id + "/report.json" }

// ReportPictureKey returns the output bucket's key of the picture of a job's report.
func ReportPictureKey(id string) string { return "jobs/" + id + "/report.png" }

// FinalKey returns the output bucket's key of the final file. AutoContainer counts as MP4.
func FinalKey(id string, c Container) string {
	if c == MKV {
		return "jobs/" + id + "/final.mkv"
	}
	return "jobs/" + id + "/final.mp4"
}

// PreviewKey returns the output bucket's key of a job's thumbnail.
func PreviewKey(id string) string { return "jobs/" + id + "/preview.jpg" }

// SegmentRef is what a segment's key says.
type SegmentRef struct {
	JobID        string
	Index, Total int
	Format       Format
}

var (
	idPattern      = `([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})`
	sourcePattern  = regexp.MustCompile(`^input/` + idPattern + `/source\.mp4$`)
	segmentPattern = regexp.MustCompile(`^segments/` + idPattern + `/([0-9]{5,7})_([0-9]{5,7})_([a-z0-9-]+)\.mp4$`)
	outputPattern  = regexp.MustCompile(`^jobs/` + idPattern + `/segments/([0-9]{5,7})\.mp4$`)
	jobIDPattern   = regexp.MustCompile(`^` + idPattern + `$`)
)

// ValidID reports whether id has the form of a UUID in lower case, the only form keys carry.
func ValidID(id string) bool { return jobIDPattern.MatchString(id) }

// ParseSourceKey is the inverse of SourceKey.
func ParseSourceKey(key string) (id string, ok bool) {
	m := sourcePattern.FindStringSubmatch(key)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// ParseSegmentKey is the inverse of SegmentKey; it refuses keys that SegmentKey would not have built.
func ParseSegmentKey(key string) (SegmentRef, bool) {
	m := segmentPattern.FindStringSubmatch(key)
	if m == nil {
		return SegmentRef{}, false
	}
	index, _ := strconv.Atoi(m[2])
	total, _ := strconv.Atoi(m[3])
	ref := SegmentRef{JobID: m[1], Index: index, Total: total, Format: Format(m[4])}
	if index >= total || !ref.Format.Valid() || SegmentKey(ref.JobID, index, total, ref.Format) != key {
		return SegmentRef{}, false
	}
	return ref, true
}

// ParseOutputKey is the inverse of OutputKey.
func ParseOutputKey(key string) (id string, index int, ok bool) {
	m := outputPattern.FindStringSubmatch(key)
	if m == nil || !strings.HasPrefix(key, "jobs/") {
		return "", 0, false
	}
	index, _ = strconv.Atoi(m[2])
	if OutputKey(m[1], index) != key {
		return "", 0, false
	}
	return m[1], index, true
}
