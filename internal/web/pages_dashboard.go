package web

import (
	"net/http"
	"net/url"

	"github.com/stereospot/stereospot/internal/platform"
)

const filmsPerPage = 50

// listView is a page of the list of films.
type listView struct {
	Jobs              []filmView
	State, Search     string
	Here, First, Next string // addresses; First and Next are empty where they lead nowhere
	Newest, Filtered  bool   // whether the first page is shown, and whether films may be left out
	Filters           []filter
	Free              int64 // bytes; 0: none, or not known
	Full              bool  // whether too little is left to take work on
}

// filter is a link that shows some of the films.
type filter struct {
	Name, Href string
	Current    bool
}

func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) error {
	l, err := s.listView(r)
	if err != nil {
		return err
	}
	if fragment(r) {
		return s.write(w, http.StatusOK, "dashboard", "list", l)
	}
	if n, known := s.free(); known {
		l.Free, l.Full = n, n == 0
	}
	return s.show(w, r, http.StatusOK, "dashboard", shell{Title: "Films", Nav: "films", Body: l})
}

func (s *Server) listView(r *http.Request) (*listView, error) {
	query := r.URL.Query()
	l := &listView{State: query.Get("state"), Search: query.Get("search")}
	if statusesOf(l.State) == nil {
		l.State = "all"
	}
	token := query.Get("token")
	jobs, next, err := s.jobViews(r.Context(), platform.JobQuery{
		Statuses: statusesOf(l.State), Search: l.Search, Token: token, Limit: filmsPerPage,
	})
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		l.Jobs = append(l.Jobs, filmView{Job: j})
	}
	l.Here, l.Newest = l.address(l.State, token), token == ""
	l.Filtered = l.State != "all" || l.Search != "" || token != ""
	if token != "" {
		l.First = l.address(l.State, "")
	}
	if next != "" {
		l.Next = l.address(l.State, next)
	}
	l.filters()
	return l, nil
}

// address of the list with another state or page.
func (l *listView) address(state, token string) string {
	query := url.Values{}
	for name, value := range map[string]string{"search": l.Search, "token": token, "state": state} {
		if value != "" && value != "all" {
			query.Set(name, value)
		}
	}
	if len(query) == 0 {
		return "/"
	}
	return "/?" + query.Encode()
}

func (l *listView) filters() {
	for _, f := range []filter{{Name: "All", Href: "all"}, {Name: "In progress", Href: "live"}, {Name: "Done", Href: "completed"},
		{Name: "Failed", Href: "failed"}, {Name: "Cancelled", Href: "cancelled"}} {
		f.Current = f.Href == l.State
		f.Href = l.address(f.Href, "")
		l.Filters = append(l.Filters, f)
	}
}

// free returns the bytes left for films, and whether anybody knows.
func (s *Server) free() (n int64, known bool) {
	if s.FreeBytes == nil {
		return 0, false
	}
	n, err := s.FreeBytes()
	if err != nil {
		s.Log.Warn("free space is not known", "err", err)
		return 0, false
	}
	return max(n, 0), true
}
