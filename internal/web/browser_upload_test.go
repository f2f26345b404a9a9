package web_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform/local"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/web/browsertest"
)

// parts counts the parts that arrive, by their address without the signature, and may hold them up.
type parts struct {
	http.Handler
	mu    sync.Mutex
	seen  map[string]int
	held  chan struct{} // nil: none is held up; closed: none any longer
	first string        // the part that came through nevertheless
}

func (p *parts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		p.admit(r.URL.Query())
	}
	p.Handler.ServeHTTP(w, r)
}

func (p *parts) admit(query url.Values) {
	part := query.Get("part") + query.Get("partNumber") + query.Get("number")
	p.mu.Lock()
	p.seen[part]++
	held := p.held
	if held != nil && p.first == "" {
		p.first, held = part, nil
	}
	p.mu.Unlock()
	if held != nil {
		<-held
	}
}

// hold lets one part through, and the others when what it returns is called, or the test ends.
func (p *parts) hold(t *testing.T) (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := make(chan struct{})
	p.held = held
	release = sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	return release
}

// uploads is a site that takes uploads, and the parts that it was sent.
func uploads(t *testing.T) (*site, *parts) {
	t.Helper()
	p := &parts{seen: map[string]int{}}
	s := newSite(t, func(c *web.Config) {
		store, err := local.Open(t.Context(), t.TempDir(), local.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		c.Platform, p.Handler = store.Platform(), store.Handler()
		c.Objects = p
		c.Actions = &pipeline.Pipeline{Platform: c.Platform, Log: c.Log, Now: time.Now}
	})
	return s, p
}

// randomFile makes a file that no two parts of are alike.
func randomFile(t *testing.T, name string, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	source := rand.NewChaCha8([32]byte([]byte(strings.Repeat(name, 32)[:32])))
	if _, err := source.Read(content); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// source waits for the job's upload to be whole and returns it.
func (s *site) source(id string) []byte {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		j, err := s.platform.Jobs.Get(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		if j.Uploaded {
			break
		}
		if time.Now().After(end) {
			s.t.Fatalf("the upload isn't whole: %+v", j)
		}
	}
	r, _, err := s.platform.Input.Get(s.t.Context(), job.SourceKey(id), 0, -1)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return content
}

func TestAnUploadGoesOnAfterItsTabWasClosed(t *testing.T) {
	s, sent := uploads(t)
	film, content := randomFile(t, "Long film.mkv", 100<<20)
	other, _ := randomFile(t, "Other film.mkv", 101<<20)
	tab := browsertest.Open(t)
	release := sent.hold(t)
	tab.Go(s.URL + "/jobs/new")
	tab.Choose("#file", film)
	tab.Wait("location.pathname !== '/jobs/new'", browsertest.Patience)
	path := tab.Text("location.pathname")
	tab.Wait("fetch('/api/v1"+path+"').then((r) => r.json()).then((j) => (window.received = j.upload?.received ?? 1)), window.received", time.Minute)
	tab = tab.Reopen()
	release()
	tab.Expect("422") // these bytes have no picture to preview

	tab.Go(s.URL + path)
	tab.Wait("document.querySelector('#drop-hint').textContent.includes('% are here already')", browsertest.Patience)
	tab.Shoot("draft-to-continue")
	tab.Choose("#file", other)
	tab.Wait("document.querySelector('#trouble').textContent.includes('another size')", browsertest.Patience)
	tab.Choose("#file", film)
	if got := s.source(strings.TrimPrefix(path, "/jobs/")); !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived that aren't the film's %d", len(got), len(content))
	}
	sent.mu.Lock()
	defer sent.mu.Unlock()
	if sent.seen[sent.first] != 1 || len(sent.seen) != 7 {
		t.Errorf("part %s of 7 had arrived; sent were %v", sent.first, sent.seen)
	}
}

func TestATabLearnsThatAnotherSentTheRest(t *testing.T) {
	s, _ := uploads(t)
	film, content := randomFile(t, "Shared film.mkv", 100<<20)
	slow := browsertest.Open(t)
	for _, noise := range []string{"422", "40", "Non 2xx"} { // no picture to preview in these bytes; what comes after the whole is refused
		slow.Expect(noise)
	}
	slow.Go(s.URL + "/jobs/new")
	slow.Throttle(4 << 20)
	slow.Choose("#file", film)
	slow.Wait("document.querySelector('[data-film]')?.dataset.film && document.querySelector('[data-state]').textContent.includes('%')", browsertest.Patience)
	id := slow.Text("document.querySelector('[data-film]').dataset.film")
	quick := slow.Beside()
	quick.Expect("422")
	quick.Go(s.URL + "/jobs/" + id)
	quick.Choose("#file", film)
	if got := s.source(id); !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived that aren't the film's %d", len(got), len(content))
	}
	slow.Throttle(0)
	for _, tab := range []*browsertest.Page{quick, slow} {
		tab.Wait("document.querySelector('[data-state]').textContent.startsWith('Uploaded')", time.Minute)
	}
}

// dropFiles is a script that drops two small files on the page.
const dropFiles = `{ const data = new DataTransfer();
	for (const [name, size] of [["One.mkv", 3000], ["Two.mkv", 5000]]) data.items.add(new File([new Uint8Array(size).fill(size)], name));
	for (const type of ["dragenter", "drop"]) document.querySelector("h1").dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true })); }`

func TestFilmsDroppedOnTheDashboardStartTogether(t *testing.T) {
	s, _ := uploads(t)
	tab := browsertest.Open(t)
	tab.Expect("422") // these films have no picture to preview
	tab.Go(s.URL + "/")
	tab.Wait("document.querySelector('[data-theme-button]').hidden === false", browsertest.Patience)
	tab.Eval(dropFiles)
	tab.Wait("[...document.querySelectorAll('.upload [data-state]')].filter((e) => e.textContent.startsWith('Uploaded')).length === 2", browsertest.Patience)
	if at := tab.Text("location.pathname"); at != "/jobs/new" {
		t.Errorf("dropping leads to %s", at)
	}
	tab.Shoot("draft-of-two")
	tab.Click(".format:has([value=depth])")
	tab.Wait("document.querySelector('.slider[data-only]').hidden", browsertest.Patience)
	tab.Click("[data-start]")
	tab.Wait("location.pathname === '/' && document.querySelectorAll('.film').length === 2", browsertest.Patience)
	for id, title := range map[string]string{"1": "Two.mkv", "2": "One.mkv"} {
		if got := tab.Text("document.querySelector('.film:nth-child(" + id + ") h2').textContent"); got != title {
			t.Errorf("film %s is %q", id, got)
		}
	}
}

func TestTheListFollowsJobsAsTheyChange(t *testing.T) {
	s := newSite(t)
	tab := browsertest.Open(t)
	tab.Go(s.URL + "/")
	tab.Wait("document.querySelector('.empty')", browsertest.Patience)
	j := s.addJob(job.ChunkingInProgress, func(j *job.Job) { j.Title = "Newcomer.mkv" })
	tab.Wait("document.querySelector('.film .badge')?.textContent === 'splitting'", browsertest.Patience)
	if _, err := s.platform.Jobs.Update(t.Context(), j.ID, func(j *job.Job) error {
		j.Status, j.Reason, j.UpdatedAt = job.Failed, "the film has no picture", time.Now()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	tab.Wait("document.querySelector('.film .badge')?.textContent === 'failed'", browsertest.Patience)
	tab.Click(".film h2 a")
	tab.Wait("document.querySelector('form[data-confirm] .danger')", browsertest.Patience)
	tab.Click("form[data-confirm] .danger")
	tab.Wait("document.querySelector('#confirm').open && document.querySelector('#question').textContent.includes('Newcomer.mkv')", browsertest.Patience)
	tab.Expect("/progress") // of a film that is gone
	tab.Click("#confirm [value=yes]")
	tab.Wait("location.pathname === '/'", browsertest.Patience)
}
