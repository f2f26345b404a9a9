package stereo

import (
	"strings"
	"testing"
)

func TestPanicOfAWorkerIsThatOfWhoAskedForTheWork(t *testing.T) {
	var c crew
	c.hire(4)
	panicked := func() (said string) {
		defer func() {
			if f, ok := recover().(error); ok {
				said = f.Error()
			}
		}()
		c.do(100, func(_, i int) {
			if i == 50 {
				panic("a row that isn't there")
			}
		})
		return ""
	}
	for range 2 {
		if said := panicked(); !strings.HasPrefix(said, "a row that isn't there") || !strings.Contains(said, "crew_test.go") {
			t.Errorf("it panicked with %q", said)
		}
	}
	done := make([]bool, 100)
	c.do(100, func(_, i int) { done[i] = true })
	for i, ok := range done {
		if !ok {
			t.Errorf("piece %d was left undone afterwards", i)
		}
	}
}
