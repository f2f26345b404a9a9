package web_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/web/browsertest"
)

// household fills a site with films in every state.
func household(s *site) map[string]string {
	films := map[string]string{}
	add := func(name, title string, status job.Status, change func(*job.Job)) {
		j := s.addJob(status, func(j *job.Job) {
			j.Title, j.Reason, j.Warnings = title, "", nil
			if change != nil {
				change(j)
			}
		})
		films[name] = j.ID
	}
	add("done", "Der Himmel über dem Fluss (1987).mkv", job.Completed, func(j *job.Job) {
		j.Options.Format = job.Anaglyph
		j.Warnings = []string{"bitmap subtitles of track 4 can't be kept in MP4: choose Matroska to keep them"}
	})
	add("failed", "broken download.avi", job.Failed, func(j *job.Job) {
		j.Reason, j.TotalFrames, j.TotalSegments = "the file ends in the middle of a frame: copy it again and start a new film", 0, 0
	})
	add("cancelled", "Holiday 2019.mov", job.Cancelled, func(j *job.Job) { j.Options.Format = job.HalfTB })
	add("joining", "Concert.mp4", job.Reassembling, func(j *job.Job) { j.Options.Format = job.VR180 })
	add("queued", "Another_film_with_a_name_that_has_no_spaces_and_is_longer_than_any_line_on_a_telephone.mkv", job.Created, nil)
	add("waiting", "Waiting for its file.mkv", job.Created, func(j *job.Job) { j.Uploaded, j.StartedAt = false, time.Time{} })
	add("ready", "Ready.mkv", job.Created, func(j *job.Job) { j.StartedAt = time.Time{} })
	add("converting", "The Long Walk.mkv", job.ChunkingComplete, func(j *job.Job) {
		j.StartedAt, j.TotalSegments, j.TotalFrames = time.Now().Add(-12*time.Minute), 40, 57600
	})
	halfway(s, films["converting"])
	return films
}

// halfway records some segments of a job as done and one as under way, and a thumbnail.
func halfway(s *site, id string) {
	ctx := s.t.Context()
	for i := range 17 {
		_, err := s.platform.Completions.Record(ctx, platform.Completion{
			JobID: id, Index: i, Key: job.OutputKey(id, i), Frames: 1440, Seconds: 40, Completed: time.Now().Add(time.Duration(i-17) * 40 * time.Second),
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	report := platform.SegmentProgress{Index: 17, Frames: 700, Started: time.Now().Add(-20 * time.Second), Updated: time.Now()}
	if err := s.platform.Progress.Report(ctx, id, report); err != nil {
		s.t.Fatal(err)
	}
	giveThumbnail(s, id)
}

// giveThumbnail puts a picture where the first converted segment leaves it.
func giveThumbnail(s *site, id string) {
	s.t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 320, 180))
	for i := range 320 * 180 {
		picture.Set(i%320, i/320, color.RGBA{uint8(i % 320 / 2), uint8(i / 320), 120, 255})
	}
	var text bytes.Buffer
	if err := jpeg.Encode(&text, picture, nil); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.platform.Output.Put(s.t.Context(), job.PreviewKey(id), &text, platform.PutOptions{ContentType: "image/jpeg"}); err != nil {
		s.t.Fatal(err)
	}
}

func TestPagesFitAPhoneAndADesk(t *testing.T) {
	empty, closed, s := newSite(t), newSite(t, withPassword(t)), newSite(t)
	films := household(s)
	pages := []struct{ name, url string }{
		{"empty", empty.URL + "/"}, {"login", closed.URL + "/settings"}, {"films", s.URL + "/"}, {"search", s.URL + "/?search=zebra"}, {"new", s.URL + "/jobs/new"},
		{"settings", s.URL + "/settings"}, {"docs", s.URL + "/docs"}, {"missing", s.URL + "/nowhere"}, {"play", s.URL + "/jobs/" + films["done"] + "/play"},
	}
	for name, id := range films {
		pages = append(pages, struct{ name, url string }{"film-" + name, s.URL + "/jobs/" + id})
	}
	browser := browsertest.Open(t)
	browser.Expect("404 (Not Found)") // thumbnails and films that these jobs don't have
	browser.Expect("/preview?")       // nor sources
	for _, look := range []struct {
		name, scheme  string
		width, height int64
		some          bool // only the pages that differ most
	}{
		{"desk-light", "light", 1280, 800, true}, {"desk-dark", "dark", 1280, 800, false},
		{"phone-light", "light", 360, 740, false}, {"phone-dark", "dark", 360, 740, true},
	} {
		browser.Size(look.width, look.height)
		browser.Prefer("prefers-color-scheme", look.scheme)
		for _, page := range pages {
			if look.some && !slices.Contains([]string{"films", "new", "play", "film-converting"}, page.name) {
				continue
			}
			browser.Go(page.url)
			browser.Wait("document.querySelector('[data-theme-button]')?.hidden === false", browsertest.Patience)
			// How far it scrolls sideways: widths count a scroll bar that may come or go between two of them.
			if wide := browser.Text("(scrollTo({left: 1e6, behavior: 'instant'}), scrollX)"); wide != "0" {
				t.Errorf("%s is %s pixels wider than a screen of %d", page.name, wide, look.width)
			}
			browser.Shoot(page.name + "-" + look.name)
		}
	}
}

func TestTypingInTheSearchFindsFilmsAndStaysInTheAddress(t *testing.T) {
	s := newSite(t)
	for _, title := range []string{"Zebra crossing.mkv", "Concert.mp4"} {
		s.addJob(job.Completed, func(j *job.Job) { j.Title = title })
	}
	tab := browsertest.Open(t)
	tab.Expect("404 (Not Found)") // thumbnails that these jobs don't have
	tab.Go(s.URL + "/")
	tab.Wait("document.querySelectorAll('.film').length === 2", browsertest.Patience)
	tab.Type("#search", "zebra")
	tab.Wait("document.querySelectorAll('.film').length === 1 && location.search === '?search=zebra'", browsertest.Patience)
	tab.Go(s.URL + tab.Text("location.pathname + location.search"))
	tab.Wait("document.querySelector('.film h2').textContent === 'Zebra crossing.mkv'", browsertest.Patience)
}

func TestBackLeadsToThePageOfTheListThatWasLeft(t *testing.T) {
	s := newSite(t)
	for i := range 51 {
		s.addJob(job.Failed, func(j *job.Job) { j.CreatedAt = time.Unix(int64(1000+i), 0) })
	}
	tab := browsertest.Open(t)
	tab.Go(s.URL + "/")
	tab.Wait("document.querySelectorAll('.film').length === 50", browsertest.Patience)
	tab.Click(".pages [rel=next]")
	tab.Wait("document.querySelectorAll('.film').length === 1 && location.search.includes('token=')", browsertest.Patience)
	tab.Eval("history.back()")
	tab.Wait("document.querySelectorAll('.film').length === 50 && location.search === ''", browsertest.Patience)
}

func TestAPreviewSaysWhatTheFilmWillHaveAndFollowsTheDepthSource(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.Depth = oneModel{} })
	film := s.addFilm()
	tab := browsertest.Open(t)
	tab.Go(s.URL + "/jobs/" + film.ID)
	tab.Set("#depth-model", "fine")
	tab.Wait("document.querySelector('[data-note]').checkVisibility() && document.querySelector('[data-note]').textContent.includes('the film gets fine')", browsertest.Patience)
	tab.Set("#depth-model", "classic")
	tab.Wait("!document.querySelector('[data-note]').checkVisibility() && document.querySelector('[data-shown]').checkVisibility()", browsertest.Patience)
}

func TestAThumbnailThatComesLateIsShown(t *testing.T) {
	s := newSite(t)
	id := s.addJob(job.Completed, nil).ID
	tab := browsertest.Open(t)
	tab.Expect("404 (Not Found)") // before the picture is there
	tab.Go(s.URL + "/jobs/" + id)
	tab.Wait("document.querySelector('.thumb') && !document.querySelector('.thumb img')", browsertest.Patience)
	giveThumbnail(s, id)
	tab.Wait("document.querySelector('.thumb img')?.naturalWidth === 320", browsertest.Patience)
}

func TestFilmsThatHaveEndedAreNotFetchedAgain(t *testing.T) {
	s := newSite(t)
	for range 5 {
		s.addJob(job.Failed, nil)
	}
	live := s.addJob(job.ChunkingComplete, nil)
	tab := browsertest.Open(t)
	tab.Go(s.URL + "/")
	fetched := "performance.getEntriesByType('resource').map((e) => e.name).filter((n) => n.endsWith('/card'))"
	tab.Wait(fetched+".some((n) => n.includes('"+live.ID+"'))", browsertest.Patience)
	if n := tab.Text("new Set(" + fetched + ").size"); n != "1" {
		t.Errorf("%s films were fetched again, want the one under way", n)
	}
	ended := s.addJob(job.ChunkingComplete, func(j *job.Job) { j.Title = "Ends now.mkv" })
	tab.Wait("document.querySelector('#film-"+ended.ID+"')", browsertest.Patience)
	if _, err := s.platform.Jobs.Update(t.Context(), ended.ID, func(j *job.Job) error {
		j.Status, j.Reason, j.UpdatedAt = job.Failed, "it ended", time.Now()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	tab.Wait("document.querySelector('#film-"+ended.ID+"').textContent.includes('It ended')", browsertest.Patience)
}
