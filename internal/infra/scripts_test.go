package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	commit = "0123456789abcdef0123456789abcdef01234567"
	digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// workshop is a copy of the scripts with programs in docker's, git's and StereoSpot's place that write down how they were
// called.
type workshop struct {
	t   *testing.T
	dir string
	env []string // further variables of the scripts
}

func newWorkshop(t *testing.T) *workshop {
	w := &workshop{t: t, dir: t.TempDir()}
	for _, tree := range []string{"scripts", "docker"} {
		if err := os.CopyFS(filepath.Join(w.dir, tree), os.DirFS(filepath.Join("../..", tree))); err != nil {
			t.Fatal(err)
		}
	}
	w.write("infra/aws-infra/.env", "ECR_REPOSITORY_URL_WEB_UI=1.dkr.ecr.example/stereospot/web-ui\n")
	record := "#!/bin/sh\nprintf '%s %s\\n' \"${0##*/}\" \"$*\" >>" + w.dir + "/calls\n"
	w.program("path/docker", record+`case "$1" in login) cat >`+w.dir+`/password ;; buildx) echo "${DIGEST-`+digest+`}" ;; esac`)
	w.program("path/git", `case "$1" in rev-parse) echo `+commit+` ;; status) printf "$CHANGED" ;; esac`)
	w.program("bin/stereospot", record+`case "$2" in registry-password) echo "$PASSWORD" ; exit $FAIL ;; has-image) echo "$THERE" ;; esac`)
	return w
}

func (w *workshop) write(path, text string) {
	w.t.Helper()
	full := filepath.Join(w.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workshop) program(path, text string) {
	w.t.Helper()
	if !strings.HasPrefix(text, "#!") {
		text = "#!/bin/sh\n" + text
	}
	w.write(path, text)
	if err := os.Chmod(filepath.Join(w.dir, path), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workshop) read(path string) string {
	text, err := os.ReadFile(filepath.Join(w.dir, path))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	return string(text)
}

// run runs a script with variables NAME=value, and returns the calls of programs that it made, and what it printed.
func (w *workshop) run(script string, arguments []string, env ...string) (calls []string, said string, err error) {
	w.t.Helper()
	_ = os.Remove(filepath.Join(w.dir, "calls")) // absent before the first call
	cmd := exec.Command(filepath.Join(w.dir, "scripts", script), arguments...)
	cmd.Env = slices.Concat(os.Environ(), []string{"PATH=" + filepath.Join(w.dir, "path") + ":" + os.Getenv("PATH"), "FAIL=0"}, w.env, env)
	out, err := cmd.CombinedOutput()
	return strings.FieldsFunc(w.read("calls"), func(r rune) bool { return r == '\n' }), string(out), err
}

func TestImagesAreBuiltFromPinnedBasesAndTaggedWithTheCommit(t *testing.T) {
	w := newWorkshop(t)
	if calls, said, err := w.run("docker-build.sh", []string{"web-ui"}); err == nil || len(calls) > 0 || !strings.Contains(said, "docker-pin.sh") {
		t.Errorf("built from bases without digests: %v, %s", calls, said)
	}
	if _, said, err := w.run("docker-pin.sh", nil); err != nil {
		t.Fatal(said)
	}
	for image, want := range map[string]string{
		"web-ui": "docker build --platform linux/amd64 --file docker/app.Dockerfile --target web-ui --build-arg REVISION=" + commit +
			" --build-arg GO_IMAGE=golang:1.26-bookworm --build-arg GO_DIGEST=" + digest +
			" --build-arg DEBIAN_IMAGE=debian:bookworm-slim --build-arg DEBIAN_DIGEST=" + digest + " --tag web-ui:" + commit + " .",
		"video-worker": "docker build --platform linux/amd64 --file docker/video-worker.Dockerfile --target video-worker --build-arg REVISION=" + commit +
			" --build-arg GO_IMAGE=golang:1.26-bookworm --build-arg GO_DIGEST=" + digest +
			" --build-arg DISTROLESS_IMAGE=gcr.io/distroless/static-debian12:latest --build-arg DISTROLESS_DIGEST=" + digest + " --tag video-worker:" + commit + " .",
	} {
		calls, said, err := w.run("docker-build.sh", []string{image})
		if err != nil || len(calls) != 1 || calls[0] != want {
			t.Errorf("%v: %s\n%q; want\n%q", err, said, calls, want)
		}
	}
	calls, said, err := w.run("docker-build.sh", []string{"stereo-inference"}, "CHANGED= M main.go", "PLATFORM=linux/arm64", "VARIANT=cpu")
	if err != nil || len(calls) != 1 || !strings.Contains(calls[0], "--platform linux/arm64") || !strings.Contains(calls[0], "VARIANT=cpu") ||
		strings.Contains(calls[0], "CUDA") || !strings.Contains(calls[0], "--tag stereo-inference:"+commit+"-dirty") {
		t.Errorf("%v: %s\n%q", err, said, calls)
	}
	if _, said, err := w.run("docker-build.sh", []string{"other"}); err == nil || !strings.Contains(said, "usage: docker-build.sh") {
		t.Errorf("an unknown image was built: %s", said)
	}
}

func TestDigestsAreWrittenOnceAndRenewedOnDemand(t *testing.T) {
	w := newWorkshop(t)
	before := w.read("docker/bases.env")
	if _, _, err := w.run("docker-pin.sh", nil, "DIGEST=nothing of the kind"); err == nil || w.read("docker/bases.env") != before {
		t.Error("something that is no digest was written")
	}
	if _, said, err := w.run("docker-pin.sh", nil); err != nil {
		t.Fatal(said)
	}
	want := strings.NewReplacer("_DIGEST=\n", "_DIGEST="+digest+"\n").Replace(before)
	if got := w.read("docker/bases.env"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	newer := strings.ReplaceAll(digest, "a:a", "a:b")
	for _, c := range []struct {
		arguments []string
		calls     int
	}{{nil, 0}, {[]string{"--update"}, strings.Count(before, "_DIGEST=\n")}} {
		calls, said, err := w.run("docker-pin.sh", c.arguments, "DIGEST="+newer)
		if err != nil || len(calls) != c.calls {
			t.Errorf("%v: %v, %v: %s", c.arguments, calls, err, said)
		}
	}
}

func TestImagesArePushedOnceAndOnlyWhenTheyAreACommits(t *testing.T) {
	w := newWorkshop(t)
	calls, said, err := w.run("docker-push.sh", []string{"web-ui"}, "THERE=no")
	want := []string{
		"stereospot infra has-image web-ui " + commit,
		"docker tag web-ui:" + commit + " 1.dkr.ecr.example/stereospot/web-ui:" + commit,
		"docker push 1.dkr.ecr.example/stereospot/web-ui:" + commit,
	}
	if err != nil || !slices.Equal(calls, want) {
		t.Errorf("%v: %s\n%q", err, said, calls)
	}
	if calls, said, err := w.run("docker-push.sh", []string{"web-ui"}, "THERE=yes"); err != nil || len(calls) != 1 {
		t.Errorf("%v: %s\n%q", err, said, calls)
	}
	if calls, _, err := w.run("docker-push.sh", []string{"web-ui"}, "CHANGED= M main.go"); err == nil || len(calls) > 0 {
		t.Errorf("what is in no commit was pushed: %q", calls)
	}
	if calls, said, err := w.run("docker-push.sh", []string{"media-worker"}); err == nil || len(calls) > 0 || !strings.Contains(said, "terraform-output") {
		t.Errorf("%q: %s", calls, said)
	}
}

func TestDockerIsGivenTheRegistrysPasswordAndNobodyElse(t *testing.T) {
	w := newWorkshop(t)
	calls, said, err := w.run("ecr-login.sh", nil, "PASSWORD=s3cret")
	slices.Sort(calls) // both ends of a pipe
	want := []string{"docker login --username AWS --password-stdin 1.dkr.ecr.example", "stereospot infra registry-password"}
	if err != nil || !slices.Equal(calls, want) || w.read("password") != "s3cret\n" || strings.Contains(said, "s3cret") {
		t.Errorf("%v: %q, %s", err, calls, said)
	}
	if _, _, err := w.run("ecr-login.sh", nil, "FAIL=1"); err == nil {
		t.Error("the password wasn't to be had, and all is well")
	}
}
