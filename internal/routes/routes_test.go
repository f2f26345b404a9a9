package routes

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func TestMethodsOfAnAddressAreThoseOfItsRoutes(t *testing.T) {
	mux := http.NewServeMux()
	for _, pattern := range []string{"GET /films/{id}", "DELETE /films/{id}", "POST /films", "GET /"} {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	for _, c := range []struct {
		method, path string
		taken        bool
		allowed      []string
	}{
		{"GET", "/films/7", true, []string{"DELETE", "GET", "HEAD"}},
		{"HEAD", "/films/7", true, []string{"DELETE", "GET", "HEAD"}},
		{"PUT", "/films/7", false, []string{"DELETE", "GET", "HEAD"}},
		{"GET", "/films", false, []string{"POST"}},
		{"GET", "/elsewhere", false, nil},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		if got := Taken(mux, r, "GET /"); got != c.taken {
			t.Errorf("%s %s is taken: %v", c.method, c.path, got)
		}
		if got := Allowed(mux, r, "GET /"); !slices.Equal(got, c.allowed) {
			t.Errorf("%s takes %v, want %v", c.path, got, c.allowed)
		}
		if r.Method != c.method {
			t.Errorf("the request became a %s", r.Method)
		}
	}
}
