// Package static holds the pages' scripts and styles, built by `make assets` from ../assets and embedded, so that
// `go build` alone makes the whole program.
package static

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed dist
var dist embed.FS

// Prefix is where Files serves.
const Prefix = "/static/"

// licences is the one file whose name doesn't change with its content.
const licences = "LICENSES.txt"

// Files serves the built files.
type Files struct {
	files  fs.FS
	names  map[string]string // by the name in the sources
	server http.Handler
}

// Open reads the manifest of what was built.
func Open() (*Files, error) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(files, "manifest.json")
	if err != nil {
		return nil, err
	}
	f := &Files{files: files, server: http.StripPrefix(Prefix, http.FileServerFS(files))}
	if err := json.Unmarshal(text, &f.names); err != nil {
		return nil, fmt.Errorf("the pages' manifest: %w", err)
	}
	f.names[licences] = licences
	return f, nil
}

// URL returns the path of a file, which changes with the file's content. An unknown name is an error, so that a
// template that asks for one fails its test.
func (f *Files) URL(name string) (string, error) {
	file, ok := f.names[name]
	if !ok {
		return "", fmt.Errorf("no static file %q: run `make assets`", name)
	}
	return Prefix + file, nil
}

// ServeHTTP implements http.Handler. Names change with contents, so browsers may keep them for ever.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, Prefix)
	about, err := fs.Stat(f.files, name)
	if err != nil || about.IsDir() {
		http.NotFound(w, r)
		return
	}
	if name != licences {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	f.server.ServeHTTP(w, r)
}
