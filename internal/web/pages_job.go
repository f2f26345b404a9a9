package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
)

// draftView is the page of a film that waits for its file or its start; without an ID that of a new one.
type draftView struct {
	filmView
	Size      int64
	Started   bool
	Received  string // of the upload, in words; empty: nothing yet
	Formats   []formatChoice
	Strengths []strengthChoice
	Presets   []string // of the encoder
	Depths    []depthChoice
}

// strengthChoice is one of the presets to choose from: how deep.
type strengthChoice struct {
	Preset, Name, About string
	Sets                string // its options as JSON, for the page's script
	Chosen              bool
}

// strengthChoices lists the presets; chosen is the one that says what o has.
func strengthChoices(o job.StereoOptions) []strengthChoice {
	var all []strengthChoice
	for _, p := range job.Presets() {
		set := p.Stereo(o)
		text, _ := json.Marshal(set) // numbers and strings
		name := strings.ToUpper(string(p[:1])) + string(p[1:])
		all = append(all, strengthChoice{string(p), name, p.About(), string(text), set == o})
	}
	return all
}

// formatChoice is one of the pictures to choose from.
type formatChoice struct {
	Format, Name, Use string
	Chosen            bool
}

func newDraft(j Job) draftView {
	d := draftView{filmView: filmView{Job: j}, Started: j.StartedAt != nil}
	if j.Upload != nil {
		d.Size = j.Upload.Size
		if j.Upload.Received > 0 {
			d.Received = strconv.FormatInt(100*j.Upload.Received/max(j.Upload.Size, 1), 10) + "%"
		}
	}
	for _, f := range job.Formats() {
		name, use := formatWords(f)
		d.Formats = append(d.Formats, formatChoice{string(f), name, use, f == j.Options.Format})
	}
	d.Strengths = strengthChoices(j.Options.Stereo)
	d.Presets = []string{"ultrafast", "veryfast", "fast", "slow", "veryslow"}
	if own := j.Options.Encode.Preset; own != "" && !slices.Contains(d.Presets, own) { // chosen elsewhere
		d.Presets = append(d.Presets, own)
	}
	return d
}

// draft is newDraft with the depth sources that this server has.
func (s *Server) draft(j Job) (d draftView, err error) {
	d = newDraft(j)
	d.Depths, err = s.depthChoices(j.Options.Depth.Model)
	return d, err
}

func (s *Server) newFilm(w http.ResponseWriter, r *http.Request) error {
	d, err := s.draft(Job{Options: defaultOptions(), Stage: StageUploading})
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "draft", shell{Title: "New film", Nav: "new", Scripts: []string{"draft.js"}, Body: d})
}

// pathJob returns the job that the path names, if the asking person may see it.
func (s *Server) pathJob(r *http.Request) (Job, error) {
	j, err := s.visibleJob(r.Context(), r.PathValue("id"))
	if err != nil {
		return Job{}, err
	}
	return s.jobView(r.Context(), j)
}

// filmView shows a job as it stands on this machine, with the links that are for who asks.
func (s *Server) filmView(ctx context.Context, j Job) filmView {
	free, known := s.free()
	return filmView{Job: j, Full: known && free == 0 && j.Uploaded, Links: s.operatorLinks(ctx, j)}
}

func (s *Server) film(w http.ResponseWriter, r *http.Request) error {
	j, err := s.pathJob(r)
	if err != nil {
		return err
	}
	if f := s.filmView(r.Context(), j); !f.Draft() {
		return s.show(w, r, http.StatusOK, "job", shell{Title: j.Title, Nav: "films", Body: f})
	}
	d, err := s.draft(j)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "draft", shell{Title: j.Title, Nav: "films", Scripts: []string{"draft.js"}, Body: d})
}

// filmCard is a list's line, fetched again when its job changed.
func (s *Server) filmCard(w http.ResponseWriter, r *http.Request) error {
	return s.filmPart(w, r, "dashboard", "film")
}

// filmProgress is what moves on a film's page.
func (s *Server) filmProgress(w http.ResponseWriter, r *http.Request) error {
	return s.filmPart(w, r, "job", "progress")
}

func (s *Server) filmPart(w http.ResponseWriter, r *http.Request, page, name string) error {
	j, err := s.pathJob(r)
	if err != nil {
		return err
	}
	return s.write(w, http.StatusOK, page, name, s.filmView(r.Context(), j))
}

// filmAction does what a form on a page asks for and leads back to where its effect is seen.
func (s *Server) filmAction(w http.ResponseWriter, r *http.Request) error {
	j, err := s.visibleJob(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	act, ok := map[Action]func(context.Context, string) error{
		ActionStart: s.Actions.Start, ActionCancel: s.Actions.Cancel, ActionRetry: s.Actions.Retry, ActionRemove: s.Actions.Remove,
	}[Action(r.PathValue("action"))]
	if !ok {
		return platform.ErrNotFound
	}
	if r.PathValue("action") == string(ActionStart) {
		if err := s.takeOptions(r, j); err != nil {
			return err
		}
	}
	if err := act(r.Context(), j.ID); err != nil {
		return err
	}
	next := "/jobs/" + j.ID
	if r.PathValue("action") == string(ActionRemove) {
		next = "/"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// takeOptions writes a start form's fields into the job, as the page's script does through the API.
func (s *Server) takeOptions(r *http.Request, j job.Job) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	patch, err := formOptions(r.PostForm, j.Options)
	if err != nil {
		return err
	}
	_, err = s.change(r.Context(), j.ID, nil, patch)
	return err
}

// formSeconds reads "90", "1:30" or "0:01:30.5".
func formSeconds(text string) (float64, error) {
	total := 0.0
	for part := range strings.SplitSeq(text, ":") {
		v, err := finite(strings.TrimSpace(part))
		if err != nil {
			return 0, err
		}
		total = 60*total + v
	}
	return total, nil
}
