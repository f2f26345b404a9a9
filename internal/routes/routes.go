// Package routes says which requests the routes of a mux take, for servers whose answer to a stray request is for programs:
// http.ServeMux's own is plain text.
package routes

import (
	"net/http"
	"slices"
)

// Taken reports whether a route of mux other than those of the patterns except takes r.
func Taken(mux *http.ServeMux, r *http.Request, except ...string) bool {
	_, pattern := mux.Handler(r)
	return pattern != "" && !slices.Contains(except, pattern)
}

// Allowed returns the methods by which r's address would be taken as Taken has it, as the header Allow lists them
// (RFC 9110, 10.2.1); none where nothing is there.
func Allowed(mux *http.ServeMux, r *http.Request, except ...string) []string {
	methods := []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut}
	return slices.DeleteFunc(methods, func(method string) bool {
		asked := *r
		asked.Method = method
		return !Taken(mux, &asked, except...)
	})
}
