package platformtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

var eventTests = map[string]func(*testing.T, Fixture){
	"EveryWayToWriteAnObjectSendsItsEvent": testEventsOfAllPaths,
	"ExactlyTheMatchingKeysSendEvents":     testMatchingEvents,
	"KeysArriveInEventsAsTheyAre":          testEventKeys,
	"FailedWritesSendNoEvent":              testNoEvents,
}

// events receives the events of want different objects and returns them by key.
func events(t *testing.T, f Fixture, name platform.QueueName, want int) map[string]job.ObjectCreated {
	t.Helper()
	created := map[string]job.ObjectCreated{}
	for _, body := range drain(t, f, f.Queues[name], want) {
		records, err := job.ParseObjectCreated([]byte(body))
		must(t, err)
		for _, r := range records {
			created[r.Key] = r
		}
	}
	return created
}

func testEventsOfAllPaths(t *testing.T, f Fixture) {
	now := time.Now()
	ids := []string{job.NewID(now), job.NewID(now), job.NewID(now)}
	want := map[string]platform.Object{}
	keep := func(o platform.Object, err error) {
		t.Helper()
		must(t, err)
		want[o.Key] = o
	}
	keep(f.Input.Put(t.Context(), job.SourceKey(ids[0]), strings.NewReader("put"), platform.PutOptions{}))
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, []byte("a file"), 0o644))
	keep(platform.PutFile(t.Context(), f.Input, job.SourceKey(ids[1]), file, platform.PutOptions{}))
	up := begin(t, f, job.SourceKey(ids[2]), platform.PutOptions{})
	part := up.send(t, 1, 100, 1)
	keep(f.Uploads.Complete(t.Context(), up.key, up.id, []platform.Part{part}))
	got := events(t, f, platform.ChunkingQueue, 3)
	for key, o := range want {
		e := got[key]
		if e.Size != o.Size || strings.Trim(e.ETag, `"`) != strings.Trim(o.ETag, `"`) || e.Bucket == "" || e.Time.IsZero() {
			t.Errorf("event %+v of %+v", e, o)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d events for %d objects", len(got), len(want))
	}
	put(t, f.Input, job.SourceKey(ids[0]), "again")
	if again := events(t, f, platform.ChunkingQueue, 1); again[job.SourceKey(ids[0])].Size != 5 {
		t.Errorf("another version: %v", again)
	}
}

func testMatchingEvents(t *testing.T, f Fixture) {
	id := job.NewID(time.Now())
	segment, output := job.SegmentKey(id, 0, 2, job.FullSBS), job.OutputKey(id, 0)
	for _, key := range []string{job.SourceKey(id), job.PlanKey(id), segment, output, "inputs/x.mp4", "x/input/y.mp4", "input/x.mkv", "input/x.mp4.part"} {
		put(t, f.Input, key, "x")
	}
	for _, key := range []string{job.SourceKey(id), segment, output, job.PreviewKey(id), job.FinalKey(id, job.MKV), job.FinalKey(id, job.MP4)} {
		put(t, f.Output, key, "x")
	}
	for name, want := range map[platform.QueueName][]string{
		platform.ChunkingQueue:      {job.SourceKey(id)},
		platform.VideoWorkerQueue:   {segment},
		platform.SegmentOutputQueue: {job.FinalKey(id, job.MP4), output},
		platform.ReassemblyQueue:    nil,
	} {
		var keys []string
		for key := range events(t, f, name, len(want)) {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		if !slices.Equal(keys, want) {
			t.Errorf("%s: %v, want %v", name, keys, want)
		}
	}
}

func testEventKeys(t *testing.T, f Fixture) {
	for i, key := range oddKeys {
		put(t, f.Input, fmt.Sprintf("input/%d/%s", i, key), "x")
	}
	got := events(t, f, platform.ChunkingQueue, len(oddKeys))
	for i, key := range oddKeys {
		if _, ok := got[fmt.Sprintf("input/%d/%s", i, key)]; !ok {
			t.Errorf("no event of %q", key)
		}
	}
}

func testNoEvents(t *testing.T, f Fixture) {
	put(t, f.Input, "input/kept.mp4", "x")
	events(t, f, platform.ChunkingQueue, 1)
	_, err := f.Input.Put(t.Context(), "input/kept.mp4", strings.NewReader("y"), platform.PutOptions{IfAbsent: true})
	wants(t, "Put if absent", err, platform.ErrExists)
	_, err = f.Input.Put(t.Context(), "input/broken.mp4", broken(1000), platform.PutOptions{})
	wants(t, "broken Put", err, errBroken)
	up := begin(t, f, "input/aborted.mp4", platform.PutOptions{})
	up.send(t, 1, 100, 1)
	must(t, f.Uploads.Abort(t.Context(), up.key, up.id))
	must(t, f.Input.Delete(t.Context(), "input/kept.mp4"))
	nothing(t, f, f.Queues[platform.ChunkingQueue], "nothing was written")
}
