package platform_test

import (
	"mime"
	"strings"
	"testing"

	"github.com/stereospot/stereospot/internal/platform"
)

func FuzzDispositionNamesTheFile(f *testing.F) {
	for _, name := range []string{"", "Film.mp4", "Été ½ 電影.mp4", `a "b" \c; d=e.mp4`, "100% + 'x'.mp4", "line\r\nX-Evil: 1", "\xff"} {
		f.Add(name, name == "")
	}
	f.Fuzz(func(t *testing.T, name string, inline bool) {
		header := platform.Disposition(name, inline)
		kind, params, err := mime.ParseMediaType(header)
		if err != nil || (kind == "inline") != inline || params["filename"] != strings.ToValidUTF8(name, "_") {
			t.Fatalf("%q: %q is read as %s of %q, %v", name, header, kind, params["filename"], err)
		}
		for _, c := range []byte(header) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q: byte %#x in a header", name, c)
			}
		}
	})
}
