package platformtest

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stereospot/stereospot/internal/platform"
)

var objectTests = map[string]func(*testing.T, Fixture){
	"ObjectsKeepContentMetadataAndRanges":        testObjects,
	"ReaderSeesOneVersionWhileAnotherIsWritten":  testOneVersion,
	"BrokenWritePublishesNothing":                testBrokenWrite,
	"OneOfManyRacingWritersWinsIfAbsent":         testIfAbsent,
	"RacingWritersLeaveOneWholeVersion":          testRacingWriters,
	"HostileKeysAreRefused":                      testHostileKeys,
	"OddKeysAreKept":                             testOddKeys,
	"ListPagesInKeyOrderUnderAPrefix":            testListObjects,
	"DeletedObjectsAreGoneAndAbsentOnesNoMatter": testDeleteObjects,
}

func testObjects(t *testing.T, f Fixture) {
	put(t, f.Output, "a/empty", "")
	first, err := f.Output.Put(t.Context(), "a/b.mp4", strings.NewReader("0123456789"), platform.PutOptions{Metadata: map[string]string{"k": "v"}})
	must(t, err)
	o := f.Again(t).Output
	head, err := o.Head(t.Context(), "a/b.mp4")
	if err != nil || head.Key != "a/b.mp4" || head.Size != 10 || head.Metadata["k"] != "v" || head.ETag == "" || head.ETag != first.ETag {
		t.Errorf("Head = %+v, %v; Put said %+v", head, err, first)
	}
	for _, c := range []struct {
		key            string
		offset, length int64
		want           string
	}{{"a/b.mp4", 0, -1, "0123456789"}, {"a/b.mp4", 3, 4, "3456"}, {"a/b.mp4", 8, 99, "89"}, {"a/b.mp4", 4, -1, "456789"}, {"a/empty", 0, -1, ""}} {
		if got := read(t, o, c.key, c.offset, c.length); got != c.want {
			t.Errorf("%s, range %d+%d = %q, want %q", c.key, c.offset, c.length, got, c.want)
		}
	}
	for _, offset := range []int64{-1, 10, 11} {
		_, _, err := o.Get(t.Context(), "a/b.mp4", offset, 1)
		wants(t, fmt.Sprint("offset ", offset), err, platform.ErrBadRange)
	}
	_, err = o.Head(t.Context(), "a/none")
	wants(t, "Head of nothing", err, platform.ErrNotFound)
	_, _, err = o.Get(t.Context(), "a/none", 0, -1)
	wants(t, "Get of nothing", err, platform.ErrNotFound)
	if _, err := f.Input.Head(t.Context(), "a/b.mp4"); !errors.Is(err, platform.ErrNotFound) {
		t.Errorf("the other bucket has it too: %v", err)
	}
	if second := put(t, o, "a/b.mp4", "9876543210"); second.ETag == first.ETag {
		t.Error("another content has the same ETag")
	}
}

func testOneVersion(t *testing.T, f Fixture) {
	old := strings.Repeat("old", 1<<16)
	put(t, f.Output, "k", old)
	r, _, err := f.Output.Get(t.Context(), "k", 0, -1)
	must(t, err)
	defer r.Close()
	put(t, f.Output, "k", "new")
	same(t, r, strings.NewReader(old))
	if got := read(t, f.Output, "k", 0, -1); got != "new" {
		t.Errorf("a later reader sees %.10q", got)
	}
}

var errBroken = errors.New("broken")

// broken fails after n bytes.
func broken(n int64) io.Reader { return io.MultiReader(&noise{n: n}, errorReader{}) }

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errBroken }

func testBrokenWrite(t *testing.T, f Fixture) {
	put(t, f.Output, "x/kept", "kept")
	for _, key := range []string{"x/y", "x/kept"} {
		_, err := f.Output.Put(t.Context(), key, broken(100_000), platform.PutOptions{})
		wants(t, "Put from a broken reader", err, errBroken)
	}
	_, err := f.Output.Head(t.Context(), "x/y")
	wants(t, "Head", err, platform.ErrNotFound)
	if got := read(t, f.Output, "x/kept", 0, -1); got != "kept" {
		t.Errorf("the older version became %.10q", got)
	}
}

func testIfAbsent(t *testing.T, f Fixture) {
	stores := []platform.Objects{f.Output, f.Again(t).Output}
	var wg sync.WaitGroup
	var won atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			_, err := stores[i%2].Put(lasting(t), "k", strings.NewReader(fmt.Sprint(i)), platform.PutOptions{IfAbsent: true})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, platform.ErrExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers won", won.Load())
	}
}

func testRacingWriters(t *testing.T, f Fixture) {
	const size = 100_000
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := f.Output.Put(lasting(t), "k", strings.NewReader(strings.Repeat(string(rune('a'+i)), size)), platform.PutOptions{})
			if err != nil {
				t.Error(err)
			}
			r, o, err := f.Output.Get(lasting(t), "k", 0, -1)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			data, err := io.ReadAll(r)
			if err != nil || int64(len(data)) != o.Size || strings.Count(string(data), string(data[:1])) != size {
				t.Errorf("a reader sees a mixture of versions: %d bytes, %v", len(data), err)
			}
		})
	}
	wg.Wait()
}

func testHostileKeys(t *testing.T, f Fixture) {
	for _, key := range []string{"", "/etc/passwd", "../x", "a/../b", "a/..", "a//b", "a/", "./a", "a\x00b", `a\b`, "a\nb", "a\rb", strings.Repeat("x/", 1000) + "x", "\xff"} {
		_, err := f.Input.Put(t.Context(), key, strings.NewReader("x"), platform.PutOptions{})
		wants(t, fmt.Sprintf("Put(%.20q)", key), err, platform.ErrBadKey)
		_, err = f.Input.Head(t.Context(), key)
		wants(t, fmt.Sprintf("Head(%.20q)", key), err, platform.ErrBadKey)
		_, err = f.Uploads.Begin(t.Context(), key, platform.PutOptions{})
		wants(t, fmt.Sprintf("Begin(%.20q)", key), err, platform.ErrBadKey)
		_, err = f.Links.SignGet(t.Context(), key, platform.LinkOptions{})
		wants(t, fmt.Sprintf("SignGet(%.20q)", key), err, platform.ErrBadKey)
	}
}

// oddKeys are unusual and allowed.
var oddKeys = []string{
	"x/a b+c%20d.mp4", "x/été ½ 電影.mp4", "x/...mp4", "x/~1.mp4", "x/a?b&c=d#e.mp4", "x/'quoted' \"twice\".mp4", "x/" + strings.Repeat("long", 45) + ".mp4",
}

func testOddKeys(t *testing.T, f Fixture) {
	for _, key := range oddKeys {
		put(t, f.Output, key, key)
	}
	for _, key := range oddKeys {
		if got := read(t, f.Output, key, 0, -1); got != key {
			t.Errorf("%q holds %q", key, got)
		}
	}
	list, _, err := f.Output.List(t.Context(), "x/", "", 100)
	if err != nil || len(list) != len(oddKeys) {
		t.Errorf("%d of %d keys listed, %v", len(list), len(oddKeys), err)
	}
}

// hostileTokens were never handed out.
var hostileTokens = []string{"no token", "../..", "\x00", "%", "' OR 1=1 --", strings.Repeat("A", 100_000), "2e2e2f", "MTIz", "MSAyIDM"}

func testListObjects(t *testing.T, f Fixture) {
	want := 25
	for i := range want {
		put(t, f.Output, fmt.Sprintf("jobs/%02d", i), "x")
	}
	put(t, f.Output, "jobs2/1", "x")
	put(t, f.Output, "Jobs/1", "x")
	var keys []string
	for token, page := "", 0; page == 0 || token != ""; page++ {
		list, next, err := f.Output.List(t.Context(), "jobs/", token, 10)
		must(t, err)
		if len(list) > 10 {
			t.Fatalf("%d objects in a page of 10", len(list))
		}
		for _, o := range list {
			keys = append(keys, o.Key)
		}
		token = next
	}
	if len(keys) != want {
		t.Fatalf("%d keys: %v", len(keys), keys)
	}
	for i, key := range keys {
		if key != fmt.Sprintf("jobs/%02d", i) {
			t.Errorf("key %d is %s", i, key)
		}
	}
	for _, token := range hostileTokens {
		_, _, err := f.Output.List(t.Context(), "", token, 10)
		wants(t, fmt.Sprintf("token %.20q", token), err, platform.ErrBadToken)
	}
	if list, next, err := f.Output.List(t.Context(), "none/", "", 10); len(list) != 0 || next != "" || err != nil {
		t.Errorf("under no prefix: %v, %q, %v", list, next, err)
	}
}

func testDeleteObjects(t *testing.T, f Fixture) {
	for _, key := range []string{"a", "b", "c"} {
		put(t, f.Output, key, key)
	}
	must(t, f.Output.Delete(t.Context(), "a", "none", "b"))
	must(t, f.Output.Delete(t.Context()))
	for _, key := range []string{"a", "b"} {
		_, err := f.Output.Head(t.Context(), key)
		wants(t, key, err, platform.ErrNotFound)
	}
	if read(t, f.Output, "c", 0, -1) != "c" {
		t.Error("another object changed")
	}
}

// testBigObject writes and reads an object without ever holding all of it.
func testBigObject(t *testing.T, f Fixture) {
	const size = 96 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // so that what the heap takes is about what is used
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	o, err := f.Output.Put(t.Context(), "big.mkv", &noise{n: size, seed: 1}, platform.PutOptions{})
	must(t, err)
	r, _, err := f.Output.Get(t.Context(), "big.mkv", 0, -1)
	must(t, err)
	defer r.Close()
	same(t, r, &noise{n: size, seed: 1})
	runtime.ReadMemStats(&after)
	if o.Size != size {
		t.Errorf("%d bytes, want %d", o.Size, size)
	}
	if used := after.HeapSys - before.HeapSys; !f.InMemory && after.HeapSys > before.HeapSys && used >= size {
		t.Errorf("the heap grew by %d bytes for an object of %d", used, size)
	}
	tail, _, err := f.Output.Get(t.Context(), "big.mkv", size-1000, -1)
	must(t, err)
	defer tail.Close()
	same(t, tail, &noise{n: size, at: size - 1000, seed: 1})
}
