package web

import (
	"context"
	"net/http"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// playView is the player's page.
type playView struct {
	filmView
	Play, Download, Link string // signed; Link is absolute, for other programs
	Expires              time.Time
	Stereo               bool // whether a frame holds two views
}

// linkLife is how long a player's page may stay open.
const linkLife = 24 * time.Hour

func (s *Server) play(w http.ResponseWriter, r *http.Request) error {
	row, err := s.visibleJob(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if row.Status != job.Completed {
		http.Redirect(w, r, "/jobs/"+row.ID, http.StatusSeeOther)
		return nil
	}
	v := playView{filmView: filmView{viewOf(row)}, Expires: s.Now().Add(linkLife), Stereo: stereo(row.Options.Format)}
	if v.Play, err = s.signFinal(r.Context(), row, true); err != nil {
		return err
	}
	if v.Download, err = s.signFinal(r.Context(), row, false); err != nil {
		return err
	}
	v.Link = s.absolute(r, v.Play)
	return s.show(w, r, http.StatusOK, "play", shell{Title: row.Title, Nav: "films", Scripts: []string{"player.js"}, Body: v})
}

func (s *Server) signFinal(ctx context.Context, j job.Job, inline bool) (string, error) {
	return s.Platform.Links.SignGet(ctx, j.FinalKey, platform.LinkOptions{Expires: linkLife, FileName: fileName(j), Inline: inline})
}

// stereo reports whether a format's frames hold two views that a player can tell apart.
func stereo(f job.Format) bool {
	switch f {
	case job.Anaglyph, job.Depth, job.RGBD:
		return false
	}
	return true
}

// absolute makes a path below the server's root an address that other programs can open.
func (s *Server) absolute(r *http.Request, path string) string {
	if path == "" || path[0] != '/' {
		return path
	}
	if s.PublicURL != "" {
		return s.PublicURL + path
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + path
}
