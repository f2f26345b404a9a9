package web_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/pipeline"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/platform/local"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/web/browsertest"
)

// bucketServer serves signed links at an origin of its own, as S3 does: with the answers that browsers want to see
// before a page elsewhere may write there and look at what it reads (the Fetch standard's CORS protocol).
func bucketServer(t *testing.T, store http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "ETag")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, PUT")
			w.Header().Set("Access-Control-Allow-Headers", "*")
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// elsewhereUploads and elsewhereLinks sign links to the bucket server.
type elsewhereUploads struct {
	platform.Uploads
	origin string
}

func (u elsewhereUploads) SignPart(ctx context.Context, key, id string, number int, expires time.Duration) (string, error) {
	path, err := u.Uploads.SignPart(ctx, key, id, number, expires)
	return u.origin + path, err
}

type elsewhereLinks struct {
	platform.Links
	origin string
}

func (l elsewhereLinks) SignGet(ctx context.Context, key string, opts platform.LinkOptions) (string, error) {
	path, err := l.Links.SignGet(ctx, key, opts)
	return l.origin + path, err
}

// farSite is a site whose films lie at another origin, and aren't files of this disk.
func farSite(t *testing.T, adjust ...func(*web.Config)) *site {
	t.Helper()
	return newSite(t, append([]func(*web.Config){func(c *web.Config) {
		store, err := local.Open(t.Context(), t.TempDir(), local.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		far := bucketServer(t, store.Handler())
		c.Platform = store.Platform()
		c.Platform.Uploads, c.Platform.Links = elsewhereUploads{c.Platform.Uploads, far.URL}, elsewhereLinks{c.Platform.Links, far.URL}
		c.Objects, c.ObjectOrigins, c.Scratch = nil, []string{far.URL}, t.TempDir()
		c.Actions = &pipeline.Pipeline{Platform: c.Platform, Log: c.Log, Now: time.Now}
	}}, adjust...)...)
}

func TestFilmsGoStraightToAnotherOrigin(t *testing.T) {
	s := farSite(t)
	film, content := randomFile(t, "Far film.mkv", 40<<20)
	tab := browsertest.Open(t)
	tab.Expect("422") // these bytes have no picture to preview
	tab.Go(s.URL + "/jobs/new")
	tab.Choose("#file", film)
	tab.Wait("location.pathname !== '/jobs/new'", browsertest.Patience)
	if got := s.source(strings.TrimPrefix(tab.Text("location.pathname"), "/jobs/")); !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived that aren't the film's %d", len(got), len(content))
	}
}

func TestFilmsOfAnotherOriginAreDrawn(t *testing.T) {
	s := farSite(t)
	film := filepath.Join(t.TempDir(), "final.webm")
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=red:s=320x90:r=10", "-frames:v", "20", "-c:v", "libvpx", film).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	j := s.addJob(job.Completed, func(j *job.Job) {
		j.FinalKey = job.FinalKey(j.ID, job.MKV)
		j.Options.Format = job.FullSBS
	})
	if err := s.platform.Output.(*local.Bucket).Link(t.Context(), j.FinalKey, film); err != nil {
		t.Fatal(err)
	}
	tab := browsertest.Open(t)
	tab.Expect("404 (Not Found)") // the thumbnail
	tab.Go(s.URL + "/jobs/" + j.ID + "/play")
	tab.Wait("document.querySelector('video').readyState >= 2", browsertest.Patience)
	tab.Eval("document.querySelector('[data-mode]').value = 'left'; document.querySelector('[data-mode]').dispatchEvent(new Event('change'))")
	tab.Wait("!document.querySelector('canvas').hidden && document.querySelector('canvas').width > 2", browsertest.Patience)
	// A canvas that drew what it may not look at would refuse this.
	tab.Wait("createImageBitmap(document.querySelector('video')).then((b) => { const c = new OffscreenCanvas(1, 1).getContext('2d'); c.drawImage(b, 0, 0); window.red = c.getImageData(0, 0, 1, 1).data[0]; }), window.red > 200", browsertest.Patience)
	if said := tab.Text("document.querySelector('[role=alert]').hidden"); said != "true" {
		t.Errorf("the page complains: %s", tab.Text("document.querySelector('[role=alert]').textContent"))
	}
}
