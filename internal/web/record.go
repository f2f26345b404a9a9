package web

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// recorder remembers the status that a handler answered with.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// record measures and logs requests, and answers where a handler panicked. Films pass by it: the kernel copies them
// from file to socket when nothing stands between.
func (s *Server) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, objectsPath) {
			next.ServeHTTP(w, r)
			return
		}
		began, rec := time.Now(), &recorder{ResponseWriter: w}
		defer func() {
			if v := recover(); v != nil {
				s.panicked(rec, r, v)
			}
			took := time.Since(began)
			s.metrics.observe(r, rec.status, took)
			s.Log.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", rec.status, "took", took, "job_id", r.PathValue("id"))
		}()
		next.ServeHTTP(rec, r)
	})
}

// traced makes a span of each request but those for films, named by method and route.
func (s *Server) traced(next http.Handler) http.Handler {
	if s.Traces == nil {
		return next
	}
	return otelhttp.NewHandler(next, "http", otelhttp.WithTracerProvider(s.Traces),
		otelhttp.WithFilter(func(r *http.Request) bool { return !strings.HasPrefix(r.URL.Path, objectsPath) }))
}

// panicked logs a handler's panic. One that means to end the connection goes on.
func (s *Server) panicked(w *recorder, r *http.Request, v any) {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	s.Log.ErrorContext(r.Context(), "handler panicked", "path", r.URL.Path, "job_id", r.PathValue("id"), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if w.status == 0 {
		refuse(w, http.StatusInternalServerError, "the server failed and has logged why: try again, and tell its operator if it stays so")
	}
}
