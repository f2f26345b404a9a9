package media

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestScratchOfKilledProcessesIsSwept(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	long := time.Now().Add(-time.Hour)
	age := func(dir string) {
		t.Helper()
		if err := os.Chtimes(dir, long, long); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(tmp, scratchName+"left")
	fresh := filepath.Join(tmp, scratchName+"fresh") // not locked yet
	other := filepath.Join(tmp, "stereospot-of-a-person")
	for _, dir := range []string{left, fresh, other} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, left, "segment.mkv", "half a segment")
	age(left)
	age(other)
	used, err := NewScratch() // sweeps
	if err != nil {
		t.Fatal(err)
	}
	age(used.Dir)
	second, err := NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{left: false, fresh: true, other: true, used.Dir: true, second.Dir: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: %v, want there: %v", filepath.Base(dir), err, want)
		}
	}
	for _, s := range []*Scratch{used, second} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", s.Dir, err)
		}
	}
}
