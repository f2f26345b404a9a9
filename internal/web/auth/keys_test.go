package auth

import (
	"context"
	"errors"
	"testing"
	"time"
)

// turning are secrets whose keys are what the test says.
type turning struct {
	keys [][]byte
	err  error
}

func (s *turning) Secret(context.Context, string) ([]byte, error) { return s.keys[0], s.err }

func (s *turning) Keys(context.Context, string) ([][]byte, error) {
	return append([][]byte{}, s.keys...), s.err
}

func TestSessionsOutliveARotationOfTheirKeyButNotTwo(t *testing.T) {
	one, two, three := []byte("one"), []byte("two"), []byte("three")
	s := &turning{keys: [][]byte{one}}
	ring, err := newKeyRing(t.Context(), s, Password{"correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	text, err := sealFirst(t.Context(), ring, "session", Principal{Owner: "ann"}, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	opens := func() bool {
		t.Helper()
		p, ok, err := openAny[Principal](t.Context(), ring, "session", text, now)
		if err != nil || ok && p.Owner != "ann" {
			t.Errorf("%+v, %v", p, err)
		}
		return ok
	}
	for _, step := range []struct {
		keys [][]byte
		want bool
	}{{[][]byte{one}, true}, {[][]byte{one, two}, true}, {[][]byte{two, one}, true}, {[][]byte{three, two}, false}} {
		s.keys = step.keys
		if got := opens(); got != step.want {
			t.Errorf("%q: opens %t", step.keys, got)
		}
	}
	s.keys, s.err = nil, errors.New("out of reach")
	if _, err := sealFirst(t.Context(), ring, "session", Principal{}, now); !errors.Is(err, s.err) {
		t.Errorf("%v", err)
	}
	if _, ok, err := openAny[Principal](t.Context(), ring, "session", text, now); ok || !errors.Is(err, s.err) {
		t.Errorf("%t, %v", ok, err)
	}
	if _, err := newKeyRing(t.Context(), s, Password{}); !errors.Is(err, s.err) {
		t.Errorf("the server starts without a key: %v", err)
	}
}
