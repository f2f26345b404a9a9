package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stereospot/stereospot/internal/job"
	"github.com/stereospot/stereospot/internal/models"
	"github.com/stereospot/stereospot/internal/platform/local"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx"
	"github.com/stereospot/stereospot/internal/stereo/depth/onnx/onnxtest"
)

// patient is a healthy machine with one job, made now.
func patient(t *testing.T) Patient {
	t.Helper()
	dir := t.TempDir()
	store, err := local.Open(t.Context(), dir, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := store.Jobs().Create(t.Context(), job.Job{ID: job.NewID(now), Status: job.Created, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return Patient{Version: "test", DataDir: dir, MinFree: 1 << 20, Addr: "127.0.0.1:0", Now: time.Now}
}

// pick returns the check called name.
func pick(t *testing.T, checks []Check, name string) Check {
	t.Helper()
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("nothing is said of %s", name)
	return Check{}
}

// fault is a check that has to fail, with a detail and an advice that say something.
type fault struct{ name, detail, advice string }

func checkFaults(t *testing.T, p Patient, faults ...fault) {
	t.Helper()
	checks := Examine(t.Context(), p)
	for _, f := range faults {
		c := pick(t, checks, f.name)
		if c.State != Fail || !strings.Contains(c.Detail, f.detail) || !strings.Contains(c.Advice, f.advice) {
			t.Errorf("%s: %s, %q, %q; want %q and %q", f.name, c.State, c.Detail, c.Advice, f.detail, f.advice)
		}
	}
	if Healthy(checks) {
		t.Error("the machine is called healthy")
	}
}

func TestHealthyMachineIsCalledHealthy(t *testing.T) {
	for _, c := range Examine(t.Context(), patient(t)) {
		if c.State == Fail || c.Detail == "" {
			t.Errorf("%s: %s: %s", c.Name, c.State, c.Detail)
		}
	}
}

func TestDirectoryThatIsNotThereYetIsNoFault(t *testing.T) {
	p := patient(t)
	p.DataDir = filepath.Join(p.DataDir, "not", "yet")
	if !Healthy(Examine(t.Context(), p)) {
		t.Errorf("%+v", Examine(t.Context(), p))
	}
	if _, err := os.Stat(p.DataDir); err == nil {
		t.Error("looking at it made it")
	}
}

func TestMissingFFmpegIsFound(t *testing.T) {
	p := patient(t)
	t.Setenv("PATH", t.TempDir())
	checkFaults(t, p, fault{"ffmpeg", "not installed", "apt-get install ffmpeg"}, fault{"ffprobe", "not installed", "apt-get install ffmpeg"})
}

func TestDepthIsClassicsWhereNoModelIsOrCanRun(t *testing.T) {
	p := patient(t)
	p.Models = &models.Loader{Store: &models.Store{Dir: t.TempDir()}, Config: onnx.Config{Library: filepath.Join(t.TempDir(), "none.so")}}
	if c := pick(t, Examine(t.Context(), p), "depth"); c.State != OK || !strings.HasPrefix(c.Detail, "classic; no model is installed: ") || !strings.Contains(c.Detail, "models pull") {
		t.Errorf("without a model: %+v", c)
	}
	model := filepath.Join(p.Models.Store.Dir, "depth-anything-v2-small", "model.onnx")
	if err := errors.Join(os.Mkdir(filepath.Dir(model), 0o755), os.WriteFile(model, []byte("weights"), 0o644)); err != nil {
		t.Fatal(err)
	}
	c := pick(t, Examine(t.Context(), p), "depth")
	if c.State != Warn || c.Detail != "depth-anything-v2-small is installed, but can't run" || !strings.Contains(c.Advice, "pip install onnxruntime") {
		t.Errorf("without a library: %+v", c)
	}
}

func TestModelThatIsNotWhatItShouldBeIsFound(t *testing.T) {
	p := patient(t)
	p.Models = &models.Loader{Store: &models.Store{Dir: t.TempDir()}, Config: onnx.Config{Library: onnxtest.Library(t)}}
	put := func(name string) {
		t.Helper()
		dir := filepath.Join(p.Models.Store.Dir, name)
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "model.onnx"), onnxtest.Bytes(onnxtest.Kind{}), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put("depth-anything-v2-small")
	if c := pick(t, Examine(t.Context(), p), "depth"); c.State != Warn || !strings.HasPrefix(c.Detail, "depth-anything-v2-small is damaged") || !strings.Contains(c.Advice, "models pull") {
		t.Errorf("a model with another content: %+v", c)
	}
	put("depth-anything-v2-base") // whose content nobody knows
	if c := pick(t, Examine(t.Context(), p), "depth"); c.State != OK || !strings.HasPrefix(c.Detail, "depth-anything-v2-base, the best") {
		t.Errorf("a better one: %+v", c)
	}
}

// writePrograms puts shell scripts of those names first in PATH.
func writePrograms(t *testing.T, script string, names ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestOldFFmpegIsFound(t *testing.T) {
	p := patient(t)
	writePrograms(t, "echo ffmpeg version 4.4.1 Copyright", "ffmpeg")
	checkFaults(t, p, fault{"ffmpeg", "FFmpeg 4.4 is too old", "5.1"})
}

func TestFFmpegWithoutEncodersIsFound(t *testing.T) {
	p := patient(t)
	writePrograms(t, "echo ffmpeg version 6.0 Copyright\necho ' V....D ffv1 x\n ... scale x\n E mov,mp4 x'", "ffmpeg")
	checkFaults(t, p, fault{"ffmpeg parts", "libx264", "complete FFmpeg"})
	if c := pick(t, Examine(t.Context(), p), "ffmpeg parts"); strings.Contains(c.Detail, "ffv1") || strings.Contains(c.Detail, "mp4") {
		t.Errorf("misses what is there: %s", c.Detail)
	}
}

// mount mounts a small disk in memory below the test's directory, or skips.
func mount(t *testing.T, flags uintptr, options string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestUnwritableDirectoryIsFound(t *testing.T) {
	p := patient(t)
	p.DataDir = mount(t, syscall.MS_RDONLY, "")
	checkFaults(t, p, fault{"data directory", "read-only file system", "--data-dir"})
}

func TestFullDiskIsFound(t *testing.T) {
	p := patient(t)
	p.DataDir = mount(t, 0, "size=1m")
	if err := os.WriteFile(filepath.Join(p.DataDir, "film"), make([]byte, 2<<20), 0o644); err == nil {
		t.Fatal("the disk isn't full")
	}
	t.Setenv("TMPDIR", p.DataDir)
	checkFaults(t, p, fault{"data directory", "no space left", "make room"}, fault{"free space", "0.0 GB", "remove jobs"},
		fault{"temporary files", "no space left", "TMPDIR"})
}

func TestDamagedDatabaseIsFound(t *testing.T) {
	for name, damage := range map[string]func(data []byte){
		"header": func(data []byte) { copy(data, "this is no database") },
		"pages": func(data []byte) {
			for i := 4096; i < len(data); i += 512 {
				copy(data[i:], "damaged by a test, here and there")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := patient(t)
			path := filepath.Join(p.DataDir, local.DatabaseFile)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damage(data)
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			checkFaults(t, p, fault{"database", path, "restore a backup"})
		})
	}
}

func TestClockBehindTheDataIsFound(t *testing.T) {
	p := patient(t)
	p.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	checkFaults(t, p, fault{"clock", "there is data of", "timedatectl"})
	p.Now = func() time.Time { return time.Unix(0, 0) }
	checkFaults(t, p, fault{"clock", "1970", "timedatectl"})
}

func TestAddressOfAnotherProgramIsFound(t *testing.T) {
	p := patient(t)
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer stranger.Close()
	p.Addr = stranger.Listener.Addr().String()
	checkFaults(t, p, fault{"address", "can't listen", "--addr"})
}

func TestEndedContextEndsTheExamination(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if Healthy(Examine(ctx, patient(t))) {
		t.Error("checks that couldn't be made are called healthy")
	}
}
