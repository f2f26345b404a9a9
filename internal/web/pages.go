package web

import "net/http"

// pages adds what a person's browser asks for.
func (s *Server) pages(*http.ServeMux) {}
