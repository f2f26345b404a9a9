package webhook

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/platform/local"
)

// pythonExample is the indented code in the API's document that begins with an import.
var pythonExample = regexp.MustCompile(`(?m)^    import hashlib.*\n(?:(?:    .*)?\n)+`)

func TestDocumentedPythonTellsGenuineDeliveries(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	document, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	example := strings.ReplaceAll("\n"+pythonExample.FindString(string(document)), "\n    ", "\n")
	store, err := local.Open(t.Context(), t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	secret, err := Secret(t.Context(), store.Platform().Secrets)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), store.Platform().Outbox, store.Platform().Secrets, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const at, body = 1_700_000_000, `{"event":"job.completed"}`
	header := Sign(s.secret, time.Unix(at, 0), []byte(body))
	script := filepath.Join(t.TempDir(), "genuine.py")
	text := example + `
import sys
secret, header, body, now = sys.argv[1:]
print(genuine(secret.encode(), header, body.encode(), float(now)))
`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, secret, header, body string
		now                        int64
		want                       string
	}{
		{"as it was sent", secret, header, body, at + 2, "True"},
		{"another body", secret, header, body + " ", at + 2, "False"},
		{"another secret", secret + "0", header, body, at + 2, "False"},
		{"sent again much later", secret, header, body, at + 3600, "False"},
		{"a later time than was signed", secret, strings.Replace(header, "t=17", "t=18", 1), body, at + 100_000_000, "False"},
	} {
		out, err := exec.CommandContext(t.Context(), python, script, c.secret, c.header, c.body, fmt.Sprint(c.now)).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != c.want {
			t.Errorf("%s: %s, %v", c.what, out, err)
		}
	}
}
