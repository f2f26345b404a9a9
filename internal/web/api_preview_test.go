package web_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	_ "image/jpeg"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform/local"
	"github.com/stereospot/stereospot/internal/web"
)

// addFilm makes a job whose source is a small film of two seconds.
func (s *site) addFilm() job.Job {
	s.t.Helper()
	film := filepath.Join(s.t.TempDir(), "film.mp4")
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=128x72:r=10", "-frames:v", "20",
		"-c:v", "libx264", "-preset", "ultrafast", film).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	j := s.addJob(job.Created, func(j *job.Job) { j.StartedAt = time.Time{} })
	if err := s.platform.Input.(*local.Bucket).Link(s.t.Context(), job.SourceKey(j.ID), film); err != nil {
		s.t.Fatal(err)
	}
	return j
}

func (s *site) picture(path string) image.Image {
	s.t.Helper()
	img, format, err := image.Decode(bytes.NewReader([]byte(s.get(path, false, 200))))
	if err != nil || format != "jpeg" {
		s.t.Fatalf("%s: %s, %v", path, format, err)
	}
	return img
}

func TestPreviewShowsTheFrameItsDepthAndTheEffectOfASlider(t *testing.T) {
	s := newSite(t)
	j := s.addFilm()
	at := "/api/v1/jobs/" + j.ID + "/preview?at=1"
	frame, flat, deep := s.picture(at+"&kind=frame"), s.picture(at+"&divergence=0&anaglyph=color"), s.picture(at+"&divergence=8&anaglyph=color")
	if frame.Bounds() != image.Rect(0, 0, 128, 72) || s.picture(at+"&kind=depth").Bounds().Empty() || s.picture(at+"&kind=sheet").Bounds().Dx() < 1900 {
		t.Errorf("the frame is %v", frame.Bounds())
	}
	// Without disparity the eyes see the same: the anaglyph is the frame. With it, edges come apart.
	if near, far := difference(frame, flat), difference(frame, deep); near > 8 || far < 2*near {
		t.Errorf("the anaglyph differs from the frame by %.1f of 255 without divergence, by %.1f with much", near, far)
	}
	s.call("PATCH", "/api/v1/jobs/"+j.ID, map[string]any{"options": map[string]any{"encode": map[string]any{"height": 144}}}, 200, nil)
	if size := s.picture(at + "&kind=frame").Bounds(); size != image.Rect(0, 0, 256, 144) {
		t.Errorf("scaled to a height of 144 the frame is %v", size)
	}
}

// difference returns the mean absolute difference of two pictures' samples, of 255.
func difference(a, b image.Image) float64 {
	sum, n := 0.0, 0.0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			ar, ag, ab, _ := a.At(x, y).RGBA()
			br, bg, bb, _ := b.At(x, y).RGBA()
			for _, d := range []int{int(ar) - int(br), int(ag) - int(bg), int(ab) - int(bb)} {
				sum, n = sum+float64(max(d, -d))/257, n+1
			}
		}
	}
	return sum / n
}

func TestPreviewRefusesWhatItCannotShow(t *testing.T) {
	s := newSite(t)
	j := s.addFilm()
	at := "/api/v1/jobs/" + j.ID + "/preview"
	s.call("GET", at+"?at=100", nil, 422, nil)
	s.call("GET", at+"?at=-1", nil, 422, nil)
	s.call("GET", at+"?kind=odd", nil, 422, nil)
	s.call("GET", at+"?divergence=50", nil, 422, nil)
	s.call("GET", at+"?divergence=x", nil, 422, nil)
	s.call("GET", at+"?eyes=three", nil, 422, nil)
	empty := s.addJob(job.Created, func(j *job.Job) { j.Uploaded = false })
	s.call("GET", "/api/v1/jobs/"+empty.ID+"/preview", nil, 409, nil)
}

func TestPreviewEndsWithItsViewer(t *testing.T) {
	s := newSite(t)
	j := s.addFilm()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/api/v1/jobs/"+j.ID+"/preview?at=0.5", nil)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	if resp, err := s.Client().Do(req); err == nil {
		resp.Body.Close() // it was ready before
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.picture("/api/v1/jobs/" + j.ID + "/preview?at=1&kind=frame") // the turn is free again
}

func TestPreviewWithoutTheModelIsClassicsAndSaysSo(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.Depth = oneModel{} })
	film := s.addFilm()
	s.call("PATCH", "/api/v1/jobs/"+film.ID, map[string]any{"options": map[string]any{"depth": map[string]any{"model": "fine"}}}, 200, nil)
	at := "/api/v1/jobs/" + film.ID + "/preview?at=1&kind=depth"
	look := func(query string) http.Header {
		t.Helper()
		res, err := s.Client().Get(s.URL + at + query)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, format, err := image.Decode(res.Body); err != nil || format != "jpeg" || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %s, %v", query, res.StatusCode, format, err)
		}
		return res.Header
	}
	if h := look(""); h.Get("X-Depth-Source") != "classic" || h.Get("X-Preview-Note") != "The preview's depth is classic's; the film gets fine." {
		t.Errorf("with a model that is elsewhere: %v", h)
	}
	if h := look("&depth=classic"); h.Get("X-Depth-Source") != "classic" || h.Values("X-Preview-Note") != nil {
		t.Errorf("with classic: %v", h)
	}
	s.call("GET", at+"&depth=tarot", nil, 422, nil)
}
