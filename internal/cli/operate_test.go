package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/doctor"
	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/platform"
	"github.com/stereospot/stereospot/internal/web"
	"github.com/stereospot/stereospot/internal/web/auth"
)

// fetchJSON gets a page of the server's.
func (s *server) fetchJSON(path string, into any) {
	s.t.Helper()
	resp, err := http.Get(s.url(path))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
}

func TestAPIDocumentNamesEveryRouteAndEveryFieldOfAJob(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	startServer(t, "web-ui", t.TempDir()).fetchJSON("/openapi.json", &described)
	if len(described.Paths) < 15 {
		t.Fatalf("only %d paths", len(described.Paths))
	}
	for path, methods := range described.Paths {
		for method := range methods {
			route := "`" + strings.ToUpper(method) + " " + strings.TrimPrefix(path, "/api/v1") + "`"
			if !strings.Contains(string(page), "| "+route+" |") {
				t.Errorf("docs/api.md has no line for %s", route)
			}
		}
	}
	for i := range reflect.TypeFor[web.Job]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[web.Job]().Field(i).Tag.Get("json"), ",")
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/api.md doesn't name the field %q of a job", name)
		}
	}
}

// TestDocumentedCurlTakesAFilmThroughTheServer runs the way of a film that docs/api.md shows, with curl. What people put in
// by hand there comes out of the answer before.
func TestDocumentedCurlTakesAFilmThroughTheServer(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl here")
	}
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, way, _ := strings.Cut(string(page), "## A film's way\n")
	way, _, _ = strings.Cut(way, "\n## ")
	s, film := newServer(t), smallFilm(t, 5)
	dir := filepath.Dir(film)
	if err := os.Rename(film, filepath.Join(dir, "film.mkv")); err != nil {
		t.Fatal(err)
	}
	script := []string{
		"set -eo pipefail", "S=" + s.url("/api/v1"), `curl() { command curl -f "$@" | tee answer; }`,
		`told() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" answer | head -n 1; }`,
	}
	for line := range strings.Lines(way) {
		if !strings.HasPrefix(line, "    ") || strings.Contains(line, "/events") { // which go on for ever
			continue
		}
		line = strings.NewReplacer(
			"http://127.0.0.1:8080", s.url(""), `"start": true`, `"start": false`, "at=12.5", "at=0",
			"ID=…", "ID=$(told id)", "URL=…", "URL=$(told url)", `"etag": "…"`, `"etag": "'$(sed -n 's/^E[Tt]ag: "\(.*\)".*/\1/p' etag)'"`,
			"-D - ", "-D etag ", "curl -s $S/jobs/$ID/links", `until curl -s $S/jobs/$ID | grep -q '"status":"completed"'; do sleep 0.1; done; curl -s $S/jobs/$ID/links`,
		).Replace(line)
		script = append(script, strings.TrimRight(line[4:], "\n"))
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.Join(script, "\n"))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, strings.Join(script, "\n"), out)
	}
	for _, name := range []string{"film_LR.mp4", "frame", "thumbnail.jpg"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("the commands left no %s: %v", name, err)
		}
	}
}

func TestRestoredBackupServesTheSameJobs(t *testing.T) {
	s, film := newServer(t), smallFilm(t, 10)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.mp4"), filepath.Join(dir, "second.mp4")
	r := s.stereospot("submit", film, "--encoder-preset", "ultrafast", "-o", first, "--json")
	if r.code != exitDone {
		t.Fatal(r.err)
	}
	want := s.listed()
	out := filepath.Join(dir, "backup")
	if r := stereospot(t, "backup", "--data-dir", s.dir, "-o", out); r.code != exitDone || !strings.Contains(r.out, "1 jobs") {
		t.Fatalf("%d %q %q", r.code, r.out, r.err)
	}
	if r := s.stereospot("jobs", "remove", want[0].ID); r.code != exitDone {
		t.Fatal(r.err)
	}
	until(t, "the job is gone", func() bool { return len(s.listed()) == 0 })
	s.kill()

	restored := filepath.Join(dir, "restored") // as docs/serve.md says
	if said, err := exec.Command("cp", "-a", out, restored).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	again := startServer(t, "serve", restored)
	if got := again.listed(); !reflect.DeepEqual(got, want) {
		t.Errorf("jobs %+v, want %+v", got, want)
	}
	if r := again.stereospot("jobs", "watch", want[0].ID, "-o", second); r.code != exitDone {
		t.Fatal(r.err)
	}
	checkSameFilm(t, second, first)

	for _, c := range []struct{ args, says string }{
		{"--data-dir " + restored + " -o " + out, "exists"},
		{"--data-dir " + restored + " -o " + restored + "/backup", "lies in the data directory"},
		{"--data-dir " + t.TempDir() + " -o " + dir + "/b", "no data directory"},
	} {
		if r := stereospot(t, append([]string{"backup"}, strings.Fields(c.args)...)...); r.code != exitFailed || !strings.Contains(r.err, c.says) {
			t.Errorf("%s: exit %d, %q", c.args, r.code, r.err)
		}
	}
}

func TestDoctorFindsARunningServerAndAPlantedFault(t *testing.T) {
	s := startServer(t, "web-ui", t.TempDir())
	args := []string{"doctor", "--data-dir", s.dir, "--addr", s.addr, "--min-free", "0"}
	r := stereospot(t, args...)
	if r.code != exitDone || !strings.Contains(r.out, "a StereoSpot server answers at "+s.addr) || strings.Contains(r.out, "fail") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	t.Setenv("PATH", t.TempDir())
	r = stereospot(t, append(args, "--json")...)
	found := false
	for d := json.NewDecoder(strings.NewReader(r.out)); d.More(); {
		var c doctor.Check
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		found = found || c.Name == "ffmpeg" && c.State == doctor.Fail && strings.Contains(c.Advice, "install")
	}
	if r.code != exitFailed || !found {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
}

func TestServerWithAPasswordTakesFilmsWithAToken(t *testing.T) {
	t.Setenv("STEREOSPOT_PASSWORD", "correct horse battery")
	s, film := startServer(t, "web-ui", t.TempDir()), smallFilm(t, 5)
	if r := s.stereospot("submit", film); r.code != exitFailed || !strings.Contains(r.err, "--token") {
		t.Errorf("without a token: exit %d, %q", r.code, r.err)
	}
	token, hash := auth.NewToken()
	now := time.Now()
	err := openShared(t, s.dir).Platform().Tokens.Add(t.Context(), platform.Token{
		ID: job.NewID(now), Owner: auth.LocalOwner, Name: "test", Created: now, Hash: hash,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.stereospot("submit", film, "--token", token); r.code != exitDone {
		t.Errorf("with a token: exit %d, %q", r.code, r.err)
	}
	t.Setenv("STEREOSPOT_TOKEN", token)
	if jobs := s.listed(); len(jobs) != 1 || !jobs[0].Uploaded {
		t.Errorf("jobs %+v", jobs)
	}
}
