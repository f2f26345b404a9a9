package aws

import (
	"errors"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

func FuzzParsePlace(f *testing.F) {
	now := time.Now()
	f.Add(place{now.UnixMilli(), job.NewID(now)}.token())
	f.Add(place{0, job.NewID(now)}.token())
	f.Add(place{-1, job.NewID(now)}.token())
	f.Add(place{1, "x"}.token())
	for _, hostile := range []string{"", "MSAyIDM", "MTIz", "%", "\x00", "+1"} {
		f.Add(hostile)
	}
	f.Fuzz(func(t *testing.T, token string) {
		p, err := parsePlace(token)
		if err != nil {
			if !errors.Is(err, platform.ErrBadToken) {
				t.Fatalf("%q: %v", token, err)
			}
			return
		}
		if p.token() != token || !job.ValidID(p.id) {
			t.Fatalf("%q is read as %+v, which is %q", token, p, p.token())
		}
	})
}

func TestPlaceComesBackFromItsToken(t *testing.T) {
	now := time.Now()
	want := placeOf(job.Job{ID: job.NewID(now), CreatedAt: now})
	if got, err := parsePlace(want.token()); got != want || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestPlacesAreInTheOrderOfLists(t *testing.T) {
	list := []place{{3, "a"}, {2, "b"}, {2, "a"}, {1, "z"}}
	for i, p := range list {
		for j, q := range list {
			if got := p.after(q); got != (i > j) {
				t.Errorf("%+v after %+v: %t", p, q, got)
			}
		}
	}
}

func FuzzParseAfter(f *testing.F) {
	f.Add(afterToken("jobs/1/é.mp4"), "jobs/")
	f.Add(afterToken("jobs/1"), "other/")
	for _, hostile := range []string{"", "2e2e2f", "MTIz", "%", "6A6F62732F31", "00", "ff"} {
		f.Add(hostile, "")
	}
	f.Fuzz(func(t *testing.T, token, prefix string) {
		key, err := parseAfter(token, prefix)
		if err != nil {
			if !errors.Is(err, platform.ErrBadToken) {
				t.Fatalf("%q: %v", token, err)
			}
			return
		}
		if afterToken(key) != token || platform.CheckKey(key) != nil || key[:len(prefix)] != prefix {
			t.Fatalf("%q under %q is read as %q", token, prefix, key)
		}
	})
}
