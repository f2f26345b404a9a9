package media

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// boxed writes a file of the given bytes.
func boxed(t testing.TB, content ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.mp4")
	if err := os.WriteFile(path, bytes.Join(content, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUserBoxesAreFoundBehindWhateverElseIsThere(t *testing.T) {
	mine, others := UserBox{1, 2, 3}, UserBox{9}
	path := boxed(t, []byte("\x00\x00\x00\x0cftypisom"), []byte("\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x14abcd"))
	for _, b := range []struct {
		UserBox
		content string
	}{{others, "another's"}, {mine, "this"}, {mine, "later"}} {
		if err := b.Append(path, []byte(b.content)); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int64]string{4: "this", 3: ""} {
		if got, err := mine.Read(path, limit); err != nil || string(got) != want {
			t.Errorf("of %d bytes at most: %q, %v; want %q", limit, got, err, want)
		}
	}
	if got, err := (UserBox{7}).Read(path, 100); got != nil || err != nil {
		t.Errorf("one that isn't there: %q, %v", got, err)
	}
}

func FuzzUserBox(f *testing.F) {
	id := UserBox([]byte("0123456789abcdef"))
	f.Add([]byte("\x00\x00\x00\x0cftypisom"))
	f.Add([]byte("\x00\x00\x00\x1auuid0123456789abcdefxy"))
	f.Add([]byte("\x00\x00\x00\x10uuid01234567"))
	f.Add([]byte("\x00\x00\x00\x00uuid0123456789abcdefxy"))
	f.Add([]byte("\x00\x00\x00\x01uuid\x00\x00\x00\x00\x00\x00\x00\x220123456789abcdefxy"))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := id.Read(boxed(t, file), 1<<20)
		if err != nil || got != nil && !bytes.Contains(file, append(id[:], got...)) {
			t.Errorf("%q, %v", got, err)
		}
	})
}
