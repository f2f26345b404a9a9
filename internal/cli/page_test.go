package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/web/browsertest"
)

const (
	pageFrames  = 96
	pageMinutes = patience // for what costs a conversion
)

// pageSource renders a short film with sound. It goes up in two parts, of which the second is small and arrives long before
// the first.
func pageSource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if r := stereospot(t, "scene", "demo", "--size", "320x180", "--frames", fmt.Sprint(pageFrames), "-o", filepath.Join(dir, "scene.mp4")); r.code != exitDone {
		t.Fatal(r.err)
	}
	ffmpeg(t, dir, "-i scene.mp4 -f lavfi -i sine=d=4 -c:v copy -c:a aac -shortest film.mp4")
	path := filepath.Join(dir, "film.mp4")
	swell(t, path, 17<<20)
	return path
}

// ask sends a request to the API and returns the job that it answers with.
func (s *server) ask(method, path, body string) web.Job {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url("/api/v1"+path), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var j web.Job
	if err := json.NewDecoder(resp.Body).Decode(&j); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %s, %v", method, path, resp.Status, err)
	}
	return j
}

// until asks for a job until it is as wanted.
func (s *server) until(id, what string, wanted func(web.Job) bool) {
	s.t.Helper()
	for end := time.Now().Add(pageMinutes); ; time.Sleep(20 * time.Millisecond) {
		j := s.ask(http.MethodGet, "/jobs/"+id, "")
		if wanted(j) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain until %s: %+v", what, j)
		}
	}
}

// TestAPersonMakesAFilmThreeDimensional goes the whole way in a browser, with the server killed twice on it.
func TestAPersonMakesAFilmThreeDimensional(t *testing.T) {
	film := pageSource(t)
	s, page := newServer(t), browsertest.Open(t)
	page.ExpectOutage()
	page.Expect("/thumbnail") // which comes a moment after the first segment
	page.Before(browsertest.Headset)
	page.Size(1280, 900)
	page.Go(s.url("/"))
	page.Click(".empty a.primary")

	id := uploadThroughACrash(t, s, page, film)
	choose(page)
	s.ask(http.MethodPatch, "/jobs/"+id, `{"options":{"segment_frames":16,"encode":{"preset":"ultrafast"}}}`)
	page.Shoot("draft-with-preview")
	convertThroughACrash(s, page, id)
	watch(page)
	enterVR(t, page)
	checkDownload(t, s, page, film)
}

// uploadThroughACrash chooses the film and kills the server while its parts are on their way.
func uploadThroughACrash(t *testing.T, s *server, page *browsertest.Page, film string) (id string) {
	t.Helper()
	page.Throttle(3 << 20)
	page.Choose("#file", film)
	page.Wait("location.pathname.match(/^.jobs.[0-9a-f-]{36}$/)", browsertest.Patience)
	id = strings.TrimPrefix(page.Text("location.pathname"), "/jobs/")
	s.until(id, "a part is here", func(j web.Job) bool { return j.Uploaded || j.Upload != nil && j.Upload.Received > 0 })
	s.kill()
	page.Wait("document.querySelector('.upload [data-state]').textContent.includes('connection is lost') || document.querySelector('.upload progress').value > 0", browsertest.Patience)
	s.start()
	if s.ask(http.MethodGet, "/jobs/"+id, "").Uploaded {
		t.Fatal("the upload was whole before the server could be killed")
	}
	page.Throttle(0)
	page.Wait("document.querySelector('.upload [data-state]').textContent.startsWith('Uploaded')", pageMinutes)
	return id
}

// choose sets options and looks at the preview.
func choose(page *browsertest.Page) {
	page.Wait("document.querySelector('.preview img').naturalWidth > 0 && document.querySelector('.preview').ariaBusy === 'false'", pageMinutes)
	first := page.Text("document.querySelector('.preview img').src")
	page.Click(".format:has([value=half-sbs])")
	page.Set("#divergence", "4")
	page.Set("#moment", "1.5")
	page.Wait("document.querySelector('.preview img').src !== '"+first+"' && document.querySelector('.preview').ariaBusy === 'false'", pageMinutes)
}

// convertThroughACrash starts the film and kills the server when some of its segments are done.
func convertThroughACrash(s *server, page *browsertest.Page, id string) {
	page.Click("[data-start]")
	page.Wait("document.querySelector('.stages')", browsertest.Patience)
	s.until(id, "a segment is done", func(j web.Job) bool { return j.Frames >= 16 || j.CompletedAt != nil })
	s.kill()
	page.Wait("!document.querySelector('#lost').hidden", browsertest.Patience)
	s.start()
	page.Wait("document.querySelector('#lost').hidden", browsertest.Patience)
	page.Shoot("film-under-way")
	page.Wait("document.querySelector('a.primary[href$=\"/play\"]')", pageMinutes)
	page.Shoot("film-done")
}

// watch plays the film in 3D and looks at the canvas's pixels.
func watch(page *browsertest.Page) {
	page.Click("a.primary[href$='/play']")
	page.Wait("document.querySelector('video').readyState >= 2", browsertest.Patience)
	page.Shoot("player-stored")
	page.Set("#mode", "dubois")
	page.Click("[data-do=play]")
	first := canvas(page)
	page.Wait("document.querySelector('video').currentTime > 0.5 && "+canvasSum+" !== '"+first+"'", browsertest.Patience)
	page.Eval("document.querySelector('video').pause()")
	page.Eval("document.querySelector('video').currentTime = 1")
	page.Wait("!document.querySelector('video').seeking", browsertest.Patience)
	page.Shoot("player-anaglyph")
	seen := map[string]string{}
	for _, mode := range []string{"dubois", "color", "half-color", "gray", "crossed", "parallel", "left", "right"} {
		page.Set("#mode", mode)
		sum := canvas(page)
		if other, taken := seen[sum]; taken {
			page.Fail("the modes " + mode + " and " + other + " look the same")
		}
		seen[sum] = mode
	}
}

// enterVR watches the film in a headset and demands that its eyes see different things. The
// headset's button pauses and plays.
func enterVR(t *testing.T, page *browsertest.Page) {
	t.Helper()
	page.Eval("document.querySelector('video').loop = true") // so that it plays whenever it is looked at
	page.Click("[data-vr]")
	page.Wait("headset.eyes.every(Boolean)", browsertest.Patience)
	page.Eval("document.querySelector('video').pause()")
	page.Wait("document.querySelector('video').paused && headset.eyes[0] !== headset.eyes[1]", browsertest.Patience)
	page.Eval("headset.session.dispatchEvent(new Event('select'))")
	page.Wait("!document.querySelector('video').paused", browsertest.Patience)
	page.Eval("document.querySelector('video').pause()")
}

// canvasSum is a script that tells one picture on the canvas from another.
const canvasSum = `(() => { const c = document.querySelector("canvas"), p = document.createElement("canvas").getContext("2d");
	p.drawImage(c, 0, 0, 64, 36); return p.getImageData(0, 0, 64, 36).data.reduce((h, v) => (h * 31 + v) >>> 0, 7) + ":" +
	p.getImageData(0, 0, 64, 36).data.reduce((m, v, i) => i % 4 < 3 ? Math.max(m, v) : m, 0); })()`

// canvas returns what canvasSum says once the canvas isn't black.
func canvas(page *browsertest.Page) string {
	page.Wait("!"+canvasSum+".endsWith(':0')", browsertest.Patience)
	return page.Text(canvasSum)
}

// checkDownload fetches the film by the page's own link and compares its frames and sound with the source's.
func checkDownload(t *testing.T, s *server, page *browsertest.Page, film string) {
	t.Helper()
	resp, err := http.Get(s.url(page.Text("document.querySelector('a[download]').getAttribute('href')")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if name := resp.Header.Get("Content-Disposition"); resp.StatusCode != http.StatusOK || !strings.Contains(name, "film_LR.mp4") {
		t.Fatalf("download: %s, %s", resp.Status, name)
	}
	out := filepath.Join(t.TempDir(), "film_LR.mp4")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, resp.Body); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if n := counted(t, out, "v:0", "nb_read_frames", "-count_frames"); n != fmt.Sprint(pageFrames) {
		t.Errorf("the download has %s frames, the source %d", n, pageFrames)
	}
	got, want := counted(t, out, "a:0", "nb_read_packets", "-count_packets"), counted(t, film, "a:0", "nb_read_packets", "-count_packets")
	if got != want || got == "" {
		t.Errorf("the download has %q packets of sound, the source %q", got, want)
	}
}

// counted asks ffprobe for one number of one stream.
func counted(t *testing.T, path, stream, entry, how string) string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", how, "-select_streams", stream, "-show_entries", "stream="+entry, "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(strings.TrimSpace(string(out)), ",")
}
