package job

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

const anID = "0193a5b2-7c1d-7abc-8def-0123456789ab"

func TestKeysAreReadBackAsTheyWereBuilt(t *testing.T) {
	if id, ok := ParseSourceKey(SourceKey(anID)); !ok || id != anID {
		t.Errorf("source key: %q, %v", id, ok)
	}
	for _, f := range Formats() {
		want := SegmentRef{JobID: anID, Index: 7, Total: 100_000, Format: f}
		if got, ok := ParseSegmentKey(SegmentKey(anID, 7, 100_000, f)); !ok || got != want {
			t.Errorf("segment key: %+v, %v", got, ok)
		}
	}
	if id, index, ok := ParseOutputKey(OutputKey(anID, 123_456)); !ok || id != anID || index != 123_456 {
		t.Errorf("output key: %q %d %v", id, index, ok)
	}
}

func TestKeysOfOtherShapesAreRefused(t *testing.T) {
	for _, key := range []string{
		"", "input//source.mp4", "input/" + anID + "/source.mkv", "input/../source.mp4", "xinput/" + anID + "/source.mp4",
		"segments/" + anID + "/00001_00001_full-sbs.mp4", // index beyond total
		"segments/" + anID + "/1_2_full-sbs.mp4", "segments/" + anID + "/00001_00002_4d.mp4", "segments/" + anID + "/000001_00002_full-sbs.mp4",
		"jobs/" + anID + "/final.mp4", "jobs/" + anID + "/segments/1.mp4", "jobs/" + strings.ToUpper(anID) + "/segments/00001.mp4",
	} {
		if _, ok := ParseSourceKey(key); ok {
			t.Errorf("%q is taken for a source", key)
		}
		if _, ok := ParseSegmentKey(key); ok {
			t.Errorf("%q is taken for a segment", key)
		}
		if _, _, ok := ParseOutputKey(key); ok {
			t.Errorf("%q is taken for an output", key)
		}
	}
}

func FuzzParsedKeysBuildTheSameKey(f *testing.F) {
	f.Add(SegmentKey(anID, 0, 1, FullSBS))
	f.Add(OutputKey(anID, 3))
	f.Add(SourceKey(anID))
	f.Fuzz(func(t *testing.T, key string) {
		if r, ok := ParseSegmentKey(key); ok && SegmentKey(r.JobID, r.Index, r.Total, r.Format) != key {
			t.Errorf("segment key %q", key)
		}
		if id, i, ok := ParseOutputKey(key); ok && OutputKey(id, i) != key {
			t.Errorf("output key %q", key)
		}
		if id, ok := ParseSourceKey(key); ok && SourceKey(id) != key {
			t.Errorf("source key %q", key)
		}
	})
}

func TestDeadJobsStayDead(t *testing.T) {
	for _, to := range []Status{ChunkingInProgress, Reassembling, Completed} {
		for _, dead := range []Status{Completed, Failed, Cancelled, Deleting} {
			if slices.Contains(to.From(), dead) {
				t.Errorf("a job that is %s may become %s", dead, to)
			}
		}
	}
	for _, s := range Statuses() {
		if s != Deleting && slices.Contains(s.From(), Deleting) {
			t.Errorf("a job that is being deleted may become %s", s)
		}
		if s.Live() && !slices.Contains(Failed.From(), s) {
			t.Errorf("a job that is %s can't fail", s)
		}
	}
}

func TestDefaultOptionsAreValidAndEachBadOneIsNamed(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Options){
		"format":           func(o *Options) { o.Format = "4d" },
		"divergence":       func(o *Options) { o.Stereo.Divergence = math.NaN() },
		"convergence":      func(o *Options) { o.Stereo.Convergence = 1.1 },
		"foreground scale": func(o *Options) { o.Stereo.ForegroundScale = -4 },
		"eyes":             func(o *Options) { o.Stereo.Eyes = "three" },
		"anaglyph":         func(o *Options) { o.Stereo.Anaglyph = "blue" },
		"depth":            func(o *Options) { o.Depth.Model = "" },
		"codec":            func(o *Options) { o.Encode.Codec = "mpeg1" },
		"crf":              func(o *Options) { o.Encode.CRF = 52 },
		"container":        func(o *Options) { o.Encode.Container = "avi" },
		"start":            func(o *Options) { o.Start = math.Inf(1) },
		"duration":         func(o *Options) { o.Duration = -1 },
		"segment frames":   func(o *Options) { o.SegmentFrames = 0 },
	} {
		o := DefaultOptions()
		spoil(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestEveryFormatHasASuffixOfItsOwn(t *testing.T) {
	seen := map[string]Format{}
	for _, f := range Formats() {
		s := f.Suffix("")
		if other, taken := seen[s]; taken || s == "_3D" {
			t.Errorf("%s and %s share %q", f, other, s)
		}
		seen[s] = f
	}
}

func TestIDsAreValidUniqueAndSortByAge(t *testing.T) {
	begin := time.UnixMilli(1_700_000_000_000)
	last := ""
	for i := range 1000 {
		id := NewID(begin.Add(time.Duration(i) * time.Millisecond))
		if !ValidID(id) || id[14] != '7' || !strings.ContainsRune("89ab", rune(id[19])) {
			t.Fatalf("%q is no UUIDv7", id)
		}
		if id <= last {
			t.Fatalf("%q doesn't sort after %q", id, last)
		}
		last = id
	}
}
