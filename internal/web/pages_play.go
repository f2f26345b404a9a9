package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/stereospot/stereospot/internal/job"
)

// playView is the player's page.
type playView struct {
	filmView
	Play, Download, Link string // signed; Link is absolute, for other programs
	Expires              time.Time
	Stereo               bool // whether a frame holds two views
	Elsewhere            bool // whether the film comes from another origin, which must allow its frames to be drawn
}

func (s *Server) play(w http.ResponseWriter, r *http.Request) error {
	row, err := s.visibleJob(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if row.Status != job.Completed {
		http.Redirect(w, r, "/jobs/"+row.ID, http.StatusSeeOther)
		return nil
	}
	v := playView{filmView: filmView{Job: viewOf(row)}, Expires: s.Now().Add(s.linkExpiry(r.Context())), Stereo: stereo(row.Options.Format)}
	if v.Play, err = s.signFilm(r.Context(), row, true); err != nil {
		return err
	}
	v.Elsewhere = !strings.HasPrefix(v.Play, "/")
	if v.Download, err = s.signFilm(r.Context(), row, false); err != nil {
		return err
	}
	if v.Link, err = s.absolute(baseOf(r), v.Play); err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "play", shell{Title: row.Title, Nav: "films", Scripts: []string{"player.js"}, Body: v})
}

// stereo reports whether a format's frames hold two views that a player can tell apart.
func stereo(f job.Format) bool {
	switch f {
	case job.Anaglyph, job.Depth, job.RGBD:
		return false
	}
	return true
}
