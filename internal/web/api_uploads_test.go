package web_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web"
)

type uploadState struct {
	UploadID string          `json:"upload_id"`
	PartSize int64           `json:"part_size"`
	Size     int64           `json:"size"`
	Parts    []platform.Part `json:"parts"`
}

// put sends one part and returns its etag.
func (s *site) put(id string, number int, part []byte) string {
	s.t.Helper()
	var signed struct{ URL string }
	s.call("POST", "/api/v1/jobs/"+id+"/upload/parts/"+strconv.Itoa(number), nil, 200, &signed)
	req, err := http.NewRequestWithContext(s.t.Context(), "PUT", s.URL+signed.URL, bytes.NewReader(part))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("part %d: %s", number, resp.Status)
	}
	return resp.Header.Get("ETag")
}

func TestUploadContinuesAndCompletesOnce(t *testing.T) {
	s := newSite(t)
	var made web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, &made)
	at := "/api/v1/jobs/" + made.ID + "/upload"
	film := make([]byte, platform.MinPartSize+1000)
	_, _ = rand.Read(film)
	begin := map[string]any{"size": len(film), "part_size": platform.MinPartSize}
	var first, again, state uploadState
	s.call("POST", at, begin, 200, &first)
	one := s.put(made.ID, 1, film[:platform.MinPartSize])
	s.call("POST", at, begin, 200, &again)
	if again.UploadID != first.UploadID || again.PartSize != platform.MinPartSize {
		t.Errorf("begun %+v, continued %+v", first, again)
	}
	s.call("GET", at, nil, 200, &state)
	if len(state.Parts) != 1 || state.Parts[0].Size != platform.MinPartSize || state.Size != int64(len(film)) {
		t.Errorf("listed %+v", state)
	}
	s.call("GET", "/api/v1/jobs/"+made.ID, nil, 200, &made)
	if made.Upload == nil || made.Upload.Received != platform.MinPartSize {
		t.Errorf("shown %+v", made.Upload)
	}
	parts := []map[string]any{{"number": 1, "etag": one}}
	s.call("POST", at+"/complete", map[string]any{"parts": parts}, 409, nil)
	parts = append(parts, map[string]any{"number": 2, "etag": s.put(made.ID, 2, film[platform.MinPartSize:])})
	s.call("POST", at+"/complete", map[string]any{"parts": []map[string]any{parts[0], {"number": 2, "etag": "odd"}}}, 409, nil)
	for range 2 {
		s.call("POST", at+"/complete", map[string]any{"parts": parts}, 200, &made)
		if !made.Uploaded || made.Stage != web.StageReady {
			t.Errorf("completed %+v", made)
		}
	}
	r, _, err := s.platform.Input.Get(t.Context(), job.SourceKey(made.ID), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, film) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	if d, err := s.platform.Queues[platform.ChunkingQueue].Depth(t.Context()); err != nil || d.Visible != 1 {
		t.Errorf("the chunking queue holds %+v, %v", d, err)
	}
	s.call("POST", at, begin, 409, nil)
}

func TestUploadIsReplacedAbortedAndRefused(t *testing.T) {
	free := int64(1 << 30)
	s := newSite(t, func(c *web.Config) { c.FreeBytes = func() (int64, error) { return free, nil } })
	var made web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, &made)
	at := "/api/v1/jobs/" + made.ID + "/upload"
	var first, second uploadState
	s.call("GET", at, nil, 404, nil)
	s.call("POST", at+"/parts/1", nil, 404, nil)
	s.call("POST", at, map[string]any{"size": 100}, 200, &first)
	s.call("POST", at, map[string]any{"size": 200}, 200, &second)
	if first.UploadID == second.UploadID {
		t.Error("another film continued the upload of the first")
	}
	s.call("POST", at+"/parts/2", nil, 422, nil)
	s.call("POST", at, map[string]any{"size": 0}, 422, nil)
	s.call("POST", at, map[string]any{"size": 100, "part_size": 10}, 422, nil)
	s.call("POST", at, map[string]any{"size": int64(1) << 60}, 422, nil)
	s.call("POST", at, map[string]any{"size": free + 1}, 507, nil)
	s.call("DELETE", at, nil, 204, nil)
	s.call("DELETE", at, nil, 204, nil)
	s.call("GET", at, nil, 404, nil)
	s.call("POST", "/api/v1/jobs/"+made.ID+"/cancel", nil, 200, nil)
	s.call("POST", at, map[string]any{"size": 100}, 409, nil)
}

func TestHugeFilmsGetPartsThatAreFewEnough(t *testing.T) {
	s := newSite(t)
	var made web.Job
	s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, 201, &made)
	for _, size := range []int64{1, 16 << 20, 160_000 << 20, 160_000<<20 + 1, 2 << 40} {
		var u uploadState
		s.call("POST", "/api/v1/jobs/"+made.ID+"/upload", map[string]any{"size": size}, 200, &u)
		if parts := (size + u.PartSize - 1) / u.PartSize; parts > platform.MaxParts || u.PartSize < platform.MinPartSize || u.PartSize > 1<<30 {
			t.Errorf("%d bytes go in %d parts of %d", size, parts, u.PartSize)
		}
	}
}

func TestTooManyWaitingJobsAreRefused(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.Limits = web.DefaultLimits(); c.Limits.WaitingJobs = 2 })
	for _, status := range []int{201, 201, 429} {
		s.call("POST", "/api/v1/jobs", map[string]any{"title": "a.mp4"}, status, nil)
	}
}

func TestALongNamesFilmCanBeSavedWithItsEnding(t *testing.T) {
	s := newSite(t)
	j := s.addJob(job.Completed, func(j *job.Job) { j.Title = strings.Repeat("ж", 148) + ".mkv" })
	var made struct {
		FileName string `json:"file_name"`
	}
	s.call("GET", "/api/v1/jobs/"+j.ID, nil, 200, &made)
	if n := len(made.FileName); n > 220 || n < 200 || !utf8.ValidString(made.FileName) || !strings.HasSuffix(made.FileName, "ж_LRF_Full_SBS.mp4") {
		t.Errorf("%d bytes: %q", n, made.FileName)
	}
}

func TestFinishedFilmIsLinkedUnderItsName(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.PublicURL = "https://films.example" })
	j := s.addJob(job.Completed, func(j *job.Job) { j.Title = "Nosferatu (1922).mkv" })
	film := []byte("a film in 3D")
	if _, err := s.platform.Output.Put(t.Context(), j.FinalKey, bytes.NewReader(film), platform.PutOptions{ContentType: "video/mp4"}); err != nil {
		t.Fatal(err)
	}
	var links struct {
		Play, Download, Playlist string
		FileName                 string `json:"file_name"`
	}
	at := "/api/v1/jobs/" + j.ID
	s.call("GET", at+"/links", nil, 200, &links)
	if links.FileName != "Nosferatu (1922)_LRF_Full_SBS.mp4" {
		t.Errorf("named %q", links.FileName)
	}
	for _, path := range []string{links.Play, links.Download, at + "/download"} { // the client follows
		resp, err := s.Client().Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, film) {
			t.Errorf("%s: %s, %q, %v", path, resp.Status, got, err)
		}
		if saved := strings.Contains(resp.Header.Get("Content-Disposition"), "attachment"); saved != (path != links.Play) {
			t.Errorf("%s: disposition %q", path, resp.Header.Get("Content-Disposition"))
		}
	}
	if list := s.get(links.Playlist, false, 200); !strings.HasPrefix(list, "#EXTM3U\n#EXTINF:-1,Nosferatu (1922)_LRF_Full_SBS.mp4\nhttps://films.example/objects/output/jobs/") {
		t.Errorf("playlist is %q", list)
	}
	s.call("GET", at+"/thumbnail", nil, 404, nil)
	live := s.addJob(job.ChunkingComplete, nil)
	for _, what := range []string{"links", "download", "playlist.m3u"} {
		s.call("GET", "/api/v1/jobs/"+live.ID+"/"+what, nil, 409, nil)
	}
}
