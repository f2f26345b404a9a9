package static_test

import (
	"bytes"
	"cmp"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/web/static"
)

func TestUnknownFilesHaveNoAddress(t *testing.T) {
	files, err := static.Open()
	if err != nil {
		t.Fatal(err)
	}
	if url, err := files.URL("app.css"); err != nil || !strings.HasPrefix(url, "/static/app-") {
		t.Errorf("app.css is at %q, %v", url, err)
	}
	if url, err := files.URL("absent.js"); err == nil {
		t.Errorf("absent.js is at %q", url)
	}
}

func TestTheBuiltFilesAreThoseOfTheSources(t *testing.T) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm isn't installed: the committed scripts and styles can't be compared with a fresh build")
	}
	work := t.TempDir()
	copySources(t, filepath.Join(work, "assets"))
	run := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), npm, args...)
		cmd.Dir = filepath.Join(work, "assets")
		return cmd.CombinedOutput()
	}
	if text, err := run("ci", "--ignore-scripts", "--prefer-offline", "--fetch-retries=0"); err != nil {
		t.Skipf("npm can't fetch the packages here (%v), so there is nothing to compare with: %.300s", err, text)
	}
	built := filepath.Join(work, "dist")
	if text, err := run("run", "build", "--", built); err != nil {
		t.Fatalf("the build failed: %v: %s", err, text)
	}
	compare(t, built, "dist")
}

// copySources copies ../assets without what npm put there.
func copySources(t *testing.T, to string) {
	t.Helper()
	from := os.DirFS("../assets")
	err := fs.WalkDir(from, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() == "node_modules" {
			return cmp.Or(err, fs.SkipDir)
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// compare demands that two directories hold the same files.
func compare(t *testing.T, fresh, committed string) {
	t.Helper()
	want, got := read(t, fresh), read(t, committed)
	for name, text := range want {
		if !bytes.Equal(got[name], text) {
			t.Errorf("%s isn't what the sources give: run `make assets` and commit the result", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is left over from older sources: run `make assets` and commit the result", name)
		}
	}
}

func read(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
