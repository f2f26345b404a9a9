// Package golden reads the arrays that scripts/models computes by other means than this program, for tests to compare
// with.
package golden

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Read fills into with the values of testdata/name, an array as numpy writes it: version 1.0, C order, of a kind such as
// "<f4". It fails the test where the array is of another kind or has fewer values.
func Read(t testing.TB, name, kind string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	end := 10 + int(binary.LittleEndian.Uint16(text[8:]))
	if header := string(text[10:end]); !strings.Contains(header, "'"+kind+"'") || strings.Contains(header, "True") {
		t.Fatalf("%s: %s", name, header)
	}
	if err := binary.Read(bytes.NewReader(text[end:]), binary.LittleEndian, into); err != nil {
		t.Fatal(err)
	}
}
