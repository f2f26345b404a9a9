package local

import (
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/platform"
)

// handler serves signed links: objects to read and parts to write.
type handler struct{ s *Store }

// Handler serves the paths that SignGet and SignPart return, below /objects/. It refuses everything else.
func (s *Store) Handler() http.Handler { return handler{s} }

// partPatience is how long a sender of a part may be silent.
const partPatience = time.Minute

// ServeHTTP implements http.Handler.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if method != http.MethodGet && method != http.MethodPut {
		w.Header().Set("Allow", "GET, HEAD, PUT")
		http.Error(w, "only GET, HEAD and PUT", http.StatusMethodNotAllowed)
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, "this link is damaged", http.StatusBadRequest)
		return
	}
	if allowed, err := h.s.allowed(r.Context(), method, r.URL.Path, query); err != nil || !allowed {
		refuse(w, err, "this link has expired or is damaged: ask for a new one")
		return
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, objectsPath), "/") // signed, so the form is ours
	b := &Bucket{s: h.s, name: name}
	if method == http.MethodPut {
		h.put(w, r, b, key, query)
		return
	}
	h.get(w, r, b, key, query)
}

// refuse answers with err's status, or 403 when there is no error.
func refuse(w http.ResponseWriter, err error, otherwise string) {
	status, text := http.StatusForbidden, otherwise
	tooLarge := new(http.MaxBytesError)
	switch {
	case err == nil:
	case errors.Is(err, platform.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		status, text = http.StatusNotFound, "not found"
	case errors.Is(err, platform.ErrFull):
		status, text = http.StatusInsufficientStorage, platform.ErrFull.Error()
	case errors.As(err, &tooLarge):
		status, text = http.StatusRequestEntityTooLarge, "the part is too large"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded):
		status, text = http.StatusBadRequest, "the part arrived incomplete: send it again"
	default:
		status, text = http.StatusInternalServerError, "internal error: try again"
	}
	http.Error(w, text, status)
}

func (h handler) get(w http.ResponseWriter, r *http.Request, b *Bucket, key string, query url.Values) {
	f, found, err := b.open(r.Context(), key)
	if err != nil {
		refuse(w, err, "")
		return
	}
	defer f.Close()
	header := w.Header()
	header.Set("ETag", strconv.Quote(found.ETag))
	header.Set("Content-Type", contentType(found))
	header.Set("Content-Disposition", platform.Disposition(query.Get("name"), query.Get("inline") != ""))
	header.Set("Cache-Control", "private")
	http.ServeContent(w, r, "", found.Modified, io.NewSectionReader(f, 0, found.Size))
}

// contentType is what the object is served as: by its writer's word or its key's ending, but never as anything that
// a browser would run.
func contentType(r record) string {
	known := map[string]string{
		".mp4": "video/mp4", ".mkv": "video/x-matroska", ".jpg": "image/jpeg", ".png": "image/png", ".json": "application/json",
	}
	kind, _, _ := mime.ParseMediaType(r.typ)
	if strings.HasPrefix(kind, "video/") || strings.HasPrefix(kind, "audio/") || kind == "image/jpeg" || kind == "image/png" {
		return kind
	}
	if kind, ok := known[filepath.Ext(r.Key)]; ok {
		return kind
	}
	return "application/octet-stream"
}

func (h handler) put(w http.ResponseWriter, r *http.Request, b *Bucket, key string, query url.Values) {
	if r.ContentLength < 0 {
		http.Error(w, "Content-Length is missing", http.StatusLengthRequired)
		return
	}
	if r.ContentLength > platform.MaxPartSize {
		refuse(w, &http.MaxBytesError{Limit: platform.MaxPartSize}, "")
		return
	}
	number, err := strconv.Atoi(query.Get("part"))
	if err != nil {
		http.Error(w, "not a part", http.StatusBadRequest)
		return
	}
	body := steadyReader{http.NewResponseController(w), http.MaxBytesReader(w, r.Body, r.ContentLength)}
	p, err := uploads{b}.putPart(r.Context(), key, query.Get("upload"), number, r.ContentLength, body)
	if err != nil {
		refuse(w, err, "")
		return
	}
	w.Header().Set("ETag", strconv.Quote(p.ETag))
}

// steadyReader fails when nothing arrives for partPatience, however long the whole takes.
type steadyReader struct {
	control *http.ResponseController
	r       io.Reader
}

func (s steadyReader) Read(p []byte) (int, error) {
	if err := s.control.SetReadDeadline(time.Now().Add(partPatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.r.Read(p)
}
