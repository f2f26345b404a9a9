package web_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/web"
)

const hostile = `<img src=x onerror=alert(1)>"'}}{{.}}</title>.mkv`

// get asks as a browser does (as htmx does, when part), and demands the status.
func (s *site) get(path string, part bool, status int) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if part {
		req.Header.Set("HX-Request", "true")
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != status {
		s.t.Fatalf("GET %s: %s, want %d: %.300s", path, resp.Status, status, text)
	}
	return string(text)
}

// addJob puts a job of a status straight into the store.
func (s *site) addJob(status job.Status, change func(*job.Job)) job.Job {
	s.t.Helper()
	now := time.Now()
	j := job.Job{
		ID: job.NewID(now), Owner: "local", Title: hostile, Status: status, Options: job.DefaultOptions(), CreatedAt: now, UpdatedAt: now,
		Uploaded: true, StartedAt: now, SourceSize: 1 << 30, TotalSegments: 3, TotalFrames: 4321, Reason: "the film has no picture",
		Warnings: []string{"subtitles were left out"},
	}
	if status == job.Completed {
		j.FinalKey, j.CompletedAt, j.CompletedSegments = job.FinalKey(j.ID, job.MP4), now.Add(time.Minute), 3
	}
	if change != nil {
		change(&j)
	}
	if err := s.platform.Jobs.Create(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
	return j
}

func TestEveryPageIsSoundForEveryStatus(t *testing.T) {
	s := newSite(t)
	paths := []string{"/jobs/new", "/settings"}
	for _, status := range job.Statuses() {
		paths = append(paths, "/jobs/"+s.addJob(status, nil).ID)
	}
	for _, f := range job.Formats() {
		j := s.addJob(job.Completed, func(j *job.Job) { j.Options.Format = f })
		paths = append(paths, "/jobs/"+j.ID, "/jobs/"+j.ID+"/play")
	}
	waiting := s.addJob(job.Created, func(j *job.Job) { j.Uploaded, j.StartedAt = false, time.Time{} })
	ready := s.addJob(job.Created, func(j *job.Job) { j.StartedAt = time.Time{} })
	paths = append(paths, "/", "/?state=failed", "/jobs/"+waiting.ID, "/jobs/"+ready.ID)
	for _, path := range paths {
		checkPage(t, s, path, s.get(path, false, http.StatusOK))
	}
	checkPage(t, s, "a missing page", s.get("/nowhere", false, http.StatusNotFound))
	checkPage(t, s, "a missing film", s.get("/jobs/"+job.NewID(time.Now()), false, http.StatusNotFound))
}

func TestAFilmsPageSaysWhoseDepthLiesInTheScreen(t *testing.T) {
	s := newSite(t)
	for want, o := range map[string]job.StereoOptions{
		"<dt>Screen plane</dt><dd>The subject&#39;s</dd>": job.Comfort.Stereo(job.DefaultOptions().Stereo), "<dt>Screen plane</dt><dd>0.50</dd>": job.DefaultOptions().Stereo,
	} {
		j := s.addJob(job.Completed, func(j *job.Job) { j.Options.Stereo = o })
		if page := s.get("/jobs/"+j.ID, false, http.StatusOK); !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
}

func TestADraftsFormHoldsEveryOptionThatTheJobHas(t *testing.T) {
	s := newSite(t)
	j := s.addJob(job.Created, func(j *job.Job) {
		j.StartedAt, j.Options.Encode.Preset, j.Options.Stereo.Divergence = time.Time{}, "faster", 8
	})
	page := s.get("/jobs/"+j.ID, false, http.StatusOK)
	for _, want := range []string{`<option value="faster" selected>`, `name="stereo.divergence" min="0" max="10" step="0.1" value="8"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s: what the form lacks is overwritten by the next change", want)
		}
	}
}

// checkPage holds what every page promises: one heading, names for everything that can be operated, ids that are
// unique, nothing inline that the content security policy would forbid, links that lead somewhere, and titles that
// stay text.
func checkPage(t *testing.T, s *site, path, text string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	p := pageCheck{t: t, path: path, labels: map[string]bool{}, ids: map[string]int{}}
	walk(doc, p.collect)
	walk(doc, p.check)
	if p.headings != 1 || p.mains != 1 {
		t.Errorf("%s has %d h1 and %d main", path, p.headings, p.mains)
	}
	for id, n := range p.ids {
		if n > 1 {
			t.Errorf("%s has the id %q %d times", path, id, n)
		}
	}
	if strings.Contains(text, "<img src=x") {
		t.Errorf("%s shows a title as markup", path)
	}
	for _, file := range p.files {
		s.get(file, false, http.StatusOK)
	}
}

type pageCheck struct {
	t               *testing.T
	path            string
	labels          map[string]bool // ids that a label names
	ids             map[string]int
	files           []string
	headings, mains int
}

func (p *pageCheck) collect(n *html.Node) {
	if n.Data == "label" {
		p.labels[attr(n, "for")] = true
	}
	if id := attr(n, "id"); id != "" {
		p.ids[id]++
	}
}

func (p *pageCheck) check(n *html.Node) {
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			p.t.Errorf("%s: <%s> has an inline %s", p.path, n.Data, a.Key)
		}
		if (a.Key == "src" || a.Key == "href" || a.Key == "data-script") && strings.HasPrefix(a.Val, "/static/") {
			p.files = append(p.files, a.Val)
		}
	}
	switch n.Data {
	case "h1":
		p.headings++
	case "main":
		p.mains++
	case "style":
		p.t.Errorf("%s has an inline style", p.path)
	case "script":
		if attr(n, "src") == "" {
			p.t.Errorf("%s has an inline script", p.path)
		}
	case "img":
		if !has(n, "alt") {
			p.t.Errorf("%s: an image has no alt", p.path)
		}
	case "input", "select", "progress":
		p.named(n)
	case "button", "a":
		if textOf(n) == "" && attr(n, "aria-label") == "" {
			p.t.Errorf("%s: a %s has no words", p.path, n.Data)
		}
	}
}

// named demands a label for a field.
func (p *pageCheck) named(n *html.Node) {
	inLabel := n.Parent != nil && n.Parent.Data == "label"
	if attr(n, "type") == "hidden" || inLabel || attr(n, "aria-label") != "" || p.labels[attr(n, "id")] && attr(n, "id") != "" {
		return
	}
	p.t.Errorf("%s: <%s name=%q id=%q> has no label", p.path, n.Data, attr(n, "name"), attr(n, "id"))
}

func walk(n *html.Node, visit func(*html.Node)) {
	if n.Type == html.ElementNode {
		visit(n)
	}
	for c := range n.ChildNodes() {
		walk(c, visit)
	}
}

func attr(n *html.Node, key string) string {
	i := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
	if i < 0 {
		return ""
	}
	return n.Attr[i].Val
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestTheListIsPagedSearchedAndFiltered(t *testing.T) {
	s := newSite(t)
	for i := range 60 {
		s.addJob(job.Completed, func(j *job.Job) {
			j.Title, j.CreatedAt = fmt.Sprintf("Film %02d.mkv", i), time.Unix(int64(1000+i), 0)
		})
	}
	first := s.get("/", false, http.StatusOK)
	if !strings.Contains(first, "Film 59") || strings.Contains(first, "Film 09") {
		t.Error("the first page isn't the 50 newest films")
	}
	second := s.get(nextPage(t, first), true, http.StatusOK)
	if !strings.Contains(second, "Film 09") || strings.Contains(second, "Film 10") || strings.Contains(second, "<html") {
		t.Errorf("the second page isn't the fragment of the 10 oldest films")
	}
	found := s.get("/?search=film+07", true, http.StatusOK)
	if !strings.Contains(found, "Film 07") || strings.Contains(found, "Film 08") {
		t.Error("searching doesn't find the one film")
	}
	if none := s.get("/?state=failed", false, http.StatusOK); !strings.Contains(none, "No film is in this state") {
		t.Error("an empty filter doesn't say so")
	}
	if none := s.get("/?search=zebra", false, http.StatusOK); !strings.Contains(none, "“zebra”") {
		t.Error("an empty search doesn't say so")
	}
	s.get("/?token=ours-it-is-not", false, http.StatusBadRequest)
}

// nextPage returns where the link to older films leads.
func nextPage(t *testing.T, text string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	next := ""
	walk(doc, func(n *html.Node) {
		if attr(n, "rel") == "next" {
			next = attr(n, "href")
		}
	})
	if next == "" {
		t.Fatal("there is no link to older films")
	}
	return next
}

func TestAnEmptyDashboardCallsForAFilm(t *testing.T) {
	text := newSite(t).get("/", false, http.StatusOK)
	if !strings.Contains(text, "Drop a film here") || !strings.Contains(text, `href="/jobs/new"`) {
		t.Error("an empty dashboard doesn't say how to begin")
	}
}

func TestFormsWorkWithoutScripts(t *testing.T) {
	s := newSite(t)
	j := s.addJob(job.Created, func(j *job.Job) { j.StartedAt, j.Uploaded = time.Time{}, false })
	post := func(path string, form url.Values, want string) {
		t.Helper()
		resp, err := s.Client().PostForm(s.URL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != want {
			t.Fatalf("POST %s leads to %s: %s", path, resp.Request.URL.Path, resp.Status)
		}
	}
	post("/jobs/"+j.ID+"/start", url.Values{"format": {"anaglyph"}, "stereo.divergence": {"3.5"}, "encode.crf": {""}, "start": {"1:30"}, "kind": {"depth"}}, "/jobs/"+j.ID)
	got, err := s.platform.Jobs.Get(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := job.DefaultOptions()
	want.Format, want.Stereo.Divergence, want.Start = job.Anaglyph, 3.5, 90
	if got.Options != want || got.StartedAt.IsZero() {
		t.Errorf("the start form made %+v, started %v", got.Options, got.StartedAt)
	}
	post("/jobs/"+j.ID+"/cancel", nil, "/jobs/"+j.ID)
	if got, err = s.platform.Jobs.Get(t.Context(), j.ID); err != nil || got.Status != job.Cancelled {
		t.Errorf("after cancel: %s, %v", got.Status, err)
	}
	post("/jobs/"+j.ID+"/remove", nil, "/")
}

func TestAReasonKeepsTheFilmsName(t *testing.T) {
	s := newSite(t)
	for reason, want := range map[string]string{
		"film.mp4 is not a video": ">film.mp4 is not a video.<", "the film has no picture": ">The film has no picture.<",
	} {
		j := s.addJob(job.Failed, func(j *job.Job) { j.Title, j.Reason = "film.mp4", reason })
		for _, path := range []string{"/jobs/" + j.ID, "/"} {
			if text := s.get(path, false, http.StatusOK); !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", path, want)
			}
		}
	}
}

func TestAStrengthIsChosenWithoutScripts(t *testing.T) {
	s := newSite(t)
	strong, comfort := job.Strong.Stereo(job.DefaultOptions().Stereo), job.Comfort.Stereo(job.DefaultOptions().Stereo)
	untouched := url.Values{"format": {"full-sbs"}, "stereo.divergence": {"2"}, "stereo.convergence": {"0.5"}, "stereo.max_near": {""}, "stereo.max_far": {""}}
	deeper := strong
	deeper.Divergence = 5
	for name, c := range map[string]struct {
		had    job.StereoOptions
		fields url.Values // beside those of the standard strength
		want   job.StereoOptions
	}{
		"another":              {job.DefaultOptions().Stereo, url.Values{"depth-preset": {"strong"}}, strong},
		"another, and a field": {job.DefaultOptions().Stereo, url.Values{"depth-preset": {"strong"}, "stereo.divergence": {"5"}}, deeper},
		"the same":             {job.DefaultOptions().Stereo, url.Values{"depth-preset": {"standard"}}, job.DefaultOptions().Stereo},
		"another than what ticks boxes": {comfort, url.Values{
			"depth-preset": {"standard"}, "stereo.divergence": {"1.5"}, "stereo.auto_convergence": {"on"}, "stereo.max_near": {"0.75"}, "stereo.max_far": {"1"},
			"stereo.floating_window": {"on"},
		}, job.DefaultOptions().Stereo},
		"no box any more": {func() job.StereoOptions { o := job.DefaultOptions().Stereo; o.FloatingWindow = true; return o }(), nil, job.DefaultOptions().Stereo},
	} {
		j := s.addJob(job.Created, func(j *job.Job) { j.StartedAt, j.Options.Stereo = time.Time{}, c.had })
		form := maps.Clone(untouched)
		maps.Copy(form, c.fields)
		resp, err := s.Client().PostForm(s.URL+"/jobs/"+j.ID+"/start", form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got, err := s.platform.Jobs.Get(t.Context(), j.ID); err != nil || got.Options.Stereo != c.want {
			t.Errorf("%s: %s, %+v, %v; want %+v", name, resp.Status, got.Options.Stereo, err, c.want)
		}
	}
}

func TestAFormWithABadNumberSaysWhichField(t *testing.T) {
	s := newSite(t)
	j := s.addJob(job.Created, func(j *job.Job) { j.StartedAt = time.Time{} })
	for _, c := range []struct{ field, text string }{{"stereo.divergence", "a lot"}, {"stereo.divergence", "NaN"}, {"start", "1:inf"}} {
		resp, err := s.Client().PostForm(s.URL+"/jobs/"+j.ID+"/start", url.Values{c.field: {c.text}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(text), c.field[1:]+" is") {
			t.Errorf("%s %s: %s: %.200s", c.field, c.text, resp.Status, text)
		}
	}
}

func TestStaticFilesAreKeptForEver(t *testing.T) {
	s := newSite(t)
	doc, err := html.Parse(strings.NewReader(s.get("/", false, http.StatusOK)))
	if err != nil {
		t.Fatal(err)
	}
	walk(doc, func(n *html.Node) {
		src := attr(n, "src")
		if n.Data != "script" {
			return
		}
		resp, err := s.Client().Get(s.URL + src)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s is kept %q", src, got)
		}
	})
	s.get("/static/", false, http.StatusNotFound)
	s.get("/static/app-OLD.js", false, http.StatusNotFound)
}

func TestTheThemeIsPaintedByTheServer(t *testing.T) {
	s := newSite(t)
	for cookie, want := range map[string]string{"dark": `data-theme="dark"`, `"><script>`: `<html lang="en">`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", "theme="+cookie)
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(text), want) {
			t.Errorf("theme %s: no %s in the page", cookie, want)
		}
	}
}

func TestATokenIsMadeShownOnceAndRevoked(t *testing.T) {
	s := newSite(t)
	resp, err := s.Client().PostForm(s.URL+"/settings/tokens", url.Values{"name": {`<b>"backup"</b>`}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	checkPage(t, s, "settings with a new token", string(text))
	doc, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	secret, revoke := "", ""
	walk(doc, func(n *html.Node) {
		if attr(n, "id") == "new-token" {
			secret = attr(n, "value")
		}
		if action := attr(n, "action"); strings.HasSuffix(action, "/remove") {
			revoke = action
		}
	})
	if secret == "" || revoke == "" {
		t.Fatalf("the page shows the token %q and revokes by %q", secret, revoke)
	}
	if again := s.get("/settings", false, http.StatusOK); strings.Contains(again, secret) || !strings.Contains(again, "&lt;b&gt;") {
		t.Error("the token is shown again, or its name isn't")
	}
	if resp, err = s.Client().PostForm(s.URL+revoke, nil); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if after := s.get("/settings", false, http.StatusOK); strings.Contains(after, "&lt;b&gt;") {
		t.Error("a revoked token is still listed")
	}
}

func TestAFullDiskIsSaidWhereWorkWaitsForIt(t *testing.T) {
	free := int64(0)
	s := newSite(t, func(c *web.Config) { c.FreeBytes = func() (int64, error) { return free, nil } })
	busy := "/jobs/" + s.addJob(job.ChunkingComplete, nil).ID
	done := "/jobs/" + s.addJob(job.Completed, nil).ID
	for path, want := range map[string]bool{"/": true, busy: true, busy + "/progress": true, done: false} {
		if said := strings.Contains(s.get(path, false, http.StatusOK), "The disk is nearly full"); said != want {
			t.Errorf("%s says so: %v", path, said)
		}
	}
	free = 1 << 30
	if strings.Contains(s.get(busy, false, http.StatusOK), "The disk is nearly full") {
		t.Error("a disk with room is called full")
	}
}

func TestTheQuestionBeforeACancelHasNoAnswerThatReadsBothWays(t *testing.T) {
	s := newSite(t)
	page := s.get("/jobs/"+s.addJob(job.ChunkingComplete, nil).ID, false, http.StatusOK)
	if !strings.Contains(page, `data-confirm-button="Stop"`) || strings.Contains(page, `data-confirm-button="Cancel"`) {
		t.Error("the question whether to stop is answered by “Cancel”")
	}
}
