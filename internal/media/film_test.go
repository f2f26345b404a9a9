package media

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestMadeUpFilmsAppearWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "film.mp4")
	if err := os.WriteFile(path, []byte("an earlier film"), 0o644); err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped")
	film := FilmRequest{Path: path, Width: 64, Height: 36, FrameRate: 24, Frames: 24, Draw: func(i int, _ []byte) error {
		if i == 12 {
			return stopped
		}
		return nil
	}}
	if err := WriteFilm(t.Context(), film); !errors.Is(err, stopped) {
		t.Errorf("half a film: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "an earlier film" {
		t.Errorf("the file that was there is %.20q, %v", text, err)
	}
	checkAlone(t, path)
	film.Draw = func(int, []byte) error { return nil }
	if err := WriteFilm(t.Context(), film); err != nil {
		t.Fatal(err)
	}
	if src, err := Probe(t.Context(), path); err != nil || src.Video.Width != 64 {
		t.Errorf("the film that replaced it: %+v, %v", src, err)
	}
	checkAlone(t, path)
}

// checkAlone demands that a file is all there is in its directory.
func checkAlone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("beside %s: %v, %v", filepath.Base(path), entries, err)
	}
}
