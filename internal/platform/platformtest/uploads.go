package platformtest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

var uploadTests = map[string]func(*testing.T, Fixture){
	"PartsInAnyOrderBecomeOneObject":         testAnyOrder,
	"PartsWithoutAKnownSizeBecomeOneObject":  testUnknownPartSize,
	"PartsSentAgainReplaceOrKeep":            testRepeatedParts,
	"PartsSentTwiceAtOnceStayWhole":          testRacingParts,
	"UploadSurvivesItsProcess":               testReopenedUpload,
	"CompletionNamesWhatArrived":             testRefusedCompletion,
	"AbortedUploadIsGone":                    testAbort,
	"PartLinksAreSignedAndExpire":            testPartLinks,
	"IncompletePartIsNotKept":                testIncompletePart,
	"UploadIfAbsentRespectsWhatIsThere":      testUploadIfAbsent,
	"UploadsAreCompletedOnceByManyAtOnce":    testRacingCompletion,
	"UnevenPartsAndSkippedNumbersAreAllowed": testUnevenParts,
}

const partSize = platform.MinPartSize

// sending is an upload under way.
type sending struct {
	f       Fixture
	key, id string
}

func begin(t *testing.T, f Fixture, key string, opts platform.PutOptions) sending {
	t.Helper()
	id, err := f.Uploads.Begin(t.Context(), key, opts)
	must(t, err)
	return sending{f, key, id}
}

func (s sending) url(t *testing.T, number int) string {
	t.Helper()
	signed, err := s.f.Uploads.SignPart(t.Context(), s.key, s.id, number, time.Minute)
	must(t, err)
	return s.f.URL(signed)
}

// send PUTs size bytes of the noise of seed as one part and returns what the answer says of it.
func (s sending) send(t *testing.T, number int, size int64, seed uint64) platform.Part {
	t.Helper()
	answer, text := request(t, "PUT", s.url(t, number), &noise{n: size, seed: seed}, size, nil)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("ETag") == "" {
		t.Fatalf("part %d: %s %s", number, answer.Status, text)
	}
	return platform.Part{Number: number, Size: size, ETag: answer.Header.Get("ETag")}
}

// complete completes the upload and compares the object with the noises joined.
func (s sending) complete(t *testing.T, parts []platform.Part, want ...*noise) {
	t.Helper()
	o, err := s.f.Uploads.Complete(t.Context(), s.key, s.id, parts)
	must(t, err)
	var size int64
	var content []io.Reader
	for _, w := range want {
		size += w.n
		content = append(content, w)
	}
	if o.Size != size || o.Key != s.key {
		t.Errorf("object %+v, want %d bytes", o, size)
	}
	r, _, err := s.f.Input.Get(t.Context(), s.key, 0, -1)
	must(t, err)
	defer r.Close()
	same(t, r, io.MultiReader(content...))
}

func testAnyOrder(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{PartSize: partSize, Metadata: map[string]string{"k": "v"}})
	last := s.send(t, 3, 1000, 3)
	first := s.send(t, 1, partSize, 1)
	middle := s.send(t, 2, partSize, 2)
	listed, err := f.Uploads.Parts(t.Context(), s.key, s.id)
	must(t, err)
	for i, p := range []platform.Part{first, middle, last} {
		p.ETag = strings.Trim(p.ETag, `"`)
		if len(listed) != 3 || strings.Trim(listed[i].ETag, `"`) != p.ETag || listed[i].Number != i+1 || listed[i].Size != p.Size {
			t.Fatalf("listed %+v, sent %+v", listed, p)
		}
	}
	_, err = f.Input.Head(t.Context(), s.key)
	wants(t, "Head before completion", err, platform.ErrNotFound)
	s.complete(t, []platform.Part{middle, last, first}, &noise{n: partSize, seed: 1}, &noise{n: partSize, seed: 2}, &noise{n: 1000, seed: 3})
	if o, err := f.Input.Head(t.Context(), s.key); err != nil || o.Metadata["k"] != "v" {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := f.Uploads.Complete(t.Context(), s.key, s.id, listed); err == nil && o.Size != 2*partSize+1000 {
		t.Errorf("completed again: %+v", o)
	} else if err != nil {
		wants(t, "completed again", err, platform.ErrNotFound)
	}
}

func testUnknownPartSize(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{})
	last := s.send(t, 3, 1000, 3)
	middle := s.send(t, 2, partSize, 2)
	first := s.send(t, 1, partSize, 1)
	s.complete(t, []platform.Part{first, middle, last}, &noise{n: partSize, seed: 1}, &noise{n: partSize, seed: 2}, &noise{n: 1000, seed: 3})
}

func testRepeatedParts(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{PartSize: partSize})
	first := s.send(t, 1, partSize, 1)
	if again := s.send(t, 1, partSize, 1); again != first {
		t.Errorf("the same part again is %+v, was %+v", again, first)
	}
	s.send(t, 2, 500, 9)
	s.send(t, 2, 400, 8)
	changed := s.send(t, 2, 400, 8)
	s.complete(t, []platform.Part{first, changed}, &noise{n: partSize, seed: 1}, &noise{n: 400, seed: 8})
}

func testRacingParts(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{PartSize: partSize})
	url := s.url(t, 1)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			answer, text := request(t, "PUT", url, &noise{n: partSize, seed: uint64(i % 2)}, partSize, nil)
			if answer.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", answer.Status, text)
			}
		})
	}
	wg.Wait()
	parts, err := f.Uploads.Parts(t.Context(), s.key, s.id)
	must(t, err)
	if len(parts) != 1 {
		t.Fatalf("%d parts", len(parts))
	}
	_, err = f.Uploads.Complete(t.Context(), s.key, s.id, parts)
	must(t, err)
	r, _, err := f.Input.Get(t.Context(), s.key, 0, -1)
	must(t, err)
	defer r.Close()
	head := make([]byte, 8)
	_, err = io.ReadFull(r, head)
	must(t, err)
	seed := uint64(0) // whichever came last, but one of the two, whole
	if want, _ := io.ReadAll(&noise{n: 8, seed: 1}); slices.Equal(head, want) {
		seed = 1
	}
	same(t, r, &noise{n: partSize, at: 8, seed: seed})
}

func testReopenedUpload(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{PartSize: partSize})
	first := s.send(t, 1, partSize, 1)
	later := s
	later.f.Platform = f.Again(t)
	parts, err := later.f.Uploads.Parts(t.Context(), s.key, s.id)
	if err != nil || len(parts) != 1 || parts[0].Size != partSize {
		t.Fatalf("%+v, %v", parts, err)
	}
	second := later.send(t, 2, 10, 2)
	later.complete(t, []platform.Part{first, second}, &noise{n: partSize, seed: 1}, &noise{n: 10, seed: 2})
}

func testRefusedCompletion(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{PartSize: partSize})
	first, second := s.send(t, 1, partSize, 1), s.send(t, 2, 100, 2)
	tiny := s.send(t, 3, 10, 3)
	wrong := first
	wrong.ETag = `"00000000000000000000000000000000"`
	for what, parts := range map[string][]platform.Part{
		"no part": {}, "a missing part": {first, second, {Number: 4, ETag: first.ETag}}, "another ETag": {wrong, second},
		"a small part in the middle": {first, second, tiny}, "a part twice": {first, first}, "part 0": {{Number: 0, ETag: first.ETag}, first},
	} {
		_, err := f.Uploads.Complete(t.Context(), s.key, s.id, parts)
		wants(t, what, err, platform.ErrCondition)
	}
	_, err := f.Input.Head(t.Context(), s.key)
	wants(t, "Head", err, platform.ErrNotFound)
	if !f.Lenient {
		_, err = f.Uploads.Complete(t.Context(), "up/other.mp4", s.id, []platform.Part{first})
		wants(t, "under another key", err, platform.ErrNotFound)
	}
	s.complete(t, []platform.Part{first, second}, &noise{n: partSize, seed: 1}, &noise{n: 100, seed: 2})
}

func testUnevenParts(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{PartSize: partSize})
	sizes := map[int]int64{2: partSize + 7, 4: partSize, 9: partSize + 100_000, 10: 1}
	var parts []platform.Part
	var want []*noise
	for _, number := range []int{2, 4, 9, 10} {
		parts = append(parts, s.send(t, number, sizes[number], uint64(number)))
		want = append(want, &noise{n: sizes[number], seed: uint64(number)})
	}
	s.complete(t, parts, want...)
}

func testAbort(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{})
	url := s.url(t, 1)
	part := s.send(t, 1, 100, 1)
	must(t, f.Uploads.Abort(t.Context(), s.key, s.id))
	must(t, f.Uploads.Abort(t.Context(), s.key, s.id))
	must(t, f.Uploads.Abort(t.Context(), "up/none", "none"))
	_, err := f.Uploads.Parts(t.Context(), s.key, s.id)
	wants(t, "Parts", err, platform.ErrNotFound)
	if signed, err := f.Uploads.SignPart(t.Context(), s.key, s.id, 1, time.Minute); err != nil {
		wants(t, "SignPart", err, platform.ErrNotFound)
	} else if answer, _ := request(t, "PUT", f.URL(signed), &noise{n: 100}, 100, nil); answer.StatusCode != http.StatusNotFound {
		t.Errorf("PUT by a later link: %s", answer.Status)
	}
	_, err = f.Uploads.Complete(t.Context(), s.key, s.id, []platform.Part{part})
	wants(t, "Complete", err, platform.ErrNotFound)
	if answer, _ := request(t, "PUT", url, &noise{n: 100}, 100, nil); answer.StatusCode != http.StatusNotFound {
		t.Errorf("PUT: %s", answer.Status)
	}
	_, err = f.Input.Head(t.Context(), s.key)
	wants(t, "Head", err, platform.ErrNotFound)
}

func testPartLinks(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{})
	for _, number := range []int{0, -1, platform.MaxParts + 1} {
		_, err := f.Uploads.SignPart(t.Context(), s.key, s.id, number, time.Minute)
		wants(t, fmt.Sprint("part ", number), err, platform.ErrCondition)
	}
	if !f.Lenient {
		refusePartLinks(t, f, s)
	}
	if parts, err := f.Uploads.Parts(t.Context(), s.key, s.id); err != nil || len(parts) != 0 {
		t.Errorf("%+v arrived, %v", parts, err)
	}
}

// refusePartLinks sends parts by links that were changed or have expired.
func refusePartLinks(t *testing.T, f Fixture, s sending) {
	t.Helper()
	signed, err := f.Uploads.SignPart(t.Context(), s.key, s.id, 1, 3*time.Second)
	must(t, err)
	for what, url := range tampered(t, f.URL(signed)) {
		if answer, _ := request(t, "PUT", url, strings.NewReader("x"), 1, nil); answer.StatusCode < 400 {
			t.Errorf("%s: %s", what, answer.Status)
		}
	}
	if answer, _ := request(t, "GET", f.URL(signed), nil, 0, nil); answer.StatusCode < 400 {
		t.Errorf("GET by a link for writing: %s", answer.Status)
	}
	f.Advance(4 * time.Second)
	if answer, _ := request(t, "PUT", f.URL(signed), strings.NewReader("x"), 1, nil); answer.StatusCode != http.StatusForbidden {
		t.Errorf("expired: %s", answer.Status)
	}
}

func testIncompletePart(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{PartSize: partSize})
	kept := s.send(t, 2, 100, 2)
	for _, number := range []int{1, 2} {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", s.url(t, number), broken(3_000_000))
		must(t, err)
		r.ContentLength = partSize
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answer.Body.Close()
			t.Errorf("a part of half its length: %s", answer.Status)
		}
	}
	first := s.send(t, 1, partSize, 1)
	s.complete(t, []platform.Part{first, kept}, &noise{n: partSize, seed: 1}, &noise{n: 100, seed: 2})
}

func testUploadIfAbsent(t *testing.T, f Fixture) {
	s := begin(t, f, "up/film.mp4", platform.PutOptions{IfAbsent: true})
	part := s.send(t, 1, 100, 1)
	put(t, f.Input, s.key, "first")
	_, err := f.Uploads.Complete(t.Context(), s.key, s.id, []platform.Part{part})
	wants(t, "Complete", err, platform.ErrExists)
	if got := read(t, f.Input, s.key, 0, -1); got != "first" {
		t.Errorf("the object became %.10q", got)
	}
}

func testRacingCompletion(t *testing.T, f Fixture) {
	s := begin(t, f, "input/film.mp4", platform.PutOptions{PartSize: partSize})
	parts := []platform.Part{s.send(t, 1, partSize, 1), s.send(t, 2, 100, 2)}
	stores := []platform.Uploads{f.Uploads, f.Again(t).Uploads}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 6 {
		wg.Go(func() {
			_, err := stores[i%2].Complete(lasting(t), s.key, s.id, parts)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				wants(t, "Complete", err, platform.ErrNotFound)
			}
		})
	}
	wg.Wait()
	if won < 1 {
		t.Error("nobody completed it")
	}
	r, _, err := f.Input.Get(t.Context(), s.key, 0, -1)
	must(t, err)
	defer r.Close()
	same(t, r, io.MultiReader(&noise{n: partSize, seed: 1}, &noise{n: 100, seed: 2}))
	if got := events(t, f, platform.ChunkingQueue, 1); len(got) != 1 {
		t.Errorf("%d events", len(got))
	}
}
