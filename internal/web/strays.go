package web

import (
	"net/http"
	"strings"

	"github.com/stereospot/stereospot/internal/routes"
)

// strays answers requests to the API that none of its operations takes as the API does: programs can't read pages. What
// no route of mux takes elsewhere is left to it.
func strays(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/") || routes.Taken(mux, r, nowherePattern) {
			mux.ServeHTTP(w, r)
			return
		}
		allowed := routes.Allowed(mux, r, nowherePattern)
		if len(allowed) == 0 {
			refuse(w, http.StatusNotFound, "the API has nothing at this address: /docs lists what it has")
			return
		}
		methods := strings.Join(allowed, ", ")
		w.Header().Set("Allow", methods)
		refuse(w, http.StatusMethodNotAllowed, "this address takes "+methods+": /docs says what each does")
	})
}
